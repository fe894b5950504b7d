"""A batch of calls that is too large for one record, split into several batches that say the same."""

import msgspec

_RAW_DICT = dict[str, msgspec.Raw]


def split(body: bytes, *, bytes_max: int) -> list[bytes] | None:
    """Batches of at most `bytes_max` bytes, the calls in order with their own bytes, each with what stood around them.

    None where the body is no batch, or one call alone is too large.
    """
    try:
        outer = msgspec.json.decode(body, type=_RAW_DICT)
        calls = msgspec.json.decode(outer.pop("batch"), type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, RecursionError):
        return None
    around = msgspec.json.encode(outer)[1:-1]
    frame_bytes = len(around) + len(b'{"batch":[],}')
    batches: list[list[bytes]] = []
    room = 0
    for call in map(bytes, calls):
        if frame_bytes + len(call) + 1 > bytes_max:
            return None
        if len(call) + 1 > room:
            batches.append([])
            room = bytes_max - frame_bytes
        batches[-1].append(call)
        room -= len(call) + 1
    tail = b"," + around if around else b""
    return [b'{"batch":[' + b",".join(batch) + b"]" + tail + b"}" for batch in batches]
