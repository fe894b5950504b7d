"""Whether a person is erased, as far as the signals that were read tell."""

from collections.abc import Mapping

from contracts.signals import Erased
from streams.person import PASSES_MAX, Person


def erased(people: Mapping[str, Person], key: str) -> bool:
    """Also before log time has come so far. Follows forwards; False where they lead to people who are not among these."""
    for _ in range(PASSES_MAX):
        person = people.get(key)
        if person is None:
            return False
        if person.forward is None:
            settled = person.state is not None and person.state.erased
            return settled or any(isinstance(signal, Erased) for signal in person.pending)
        key = person.forward
    return False
