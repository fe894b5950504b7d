"""A worker of the next release, for tests: its people carry one more field, under the same version, and it reads a newer one.

It does what decision 0008 asks of a release: the field stands at the end with a default, and the old version is written.
"""

import os
import sys

import msgspec

from agents import judge, worker
from agents.reliable import Codec
from agents.settings import read_settings
from contracts import versions
from streams.person import Person

READS_TOO = b"P2"


class NextPerson(Person, array_like=True, gc=False):
    """note: what the next release knows and this one does not."""

    note: str = "next"


_decode = msgspec.msgpack.Decoder(NextPerson).decode
READERS = {**judge.READERS, judge.PERSON_TAG: _decode, READS_TOO: _decode}


def encode(record: judge.Stored) -> bytes:
    if isinstance(record, Person) and not isinstance(record, NextPerson):
        record = NextPerson(**{name: getattr(record, name) for name in record.__struct_fields__})
    return judge.encode(record)


def decode(data: bytes) -> judge.Stored:
    return versions.upcast(data, READERS, word="people")


def main() -> int:
    setattr(worker, "PEOPLE_CODEC", Codec(encode=encode, decode=decode))  # noqa: B010  (it imports it, and exports it not)
    return worker.run(read_settings(os.environ))


if __name__ == "__main__":
    sys.exit(main())
