"""What is known of one contact between two calls, so that nothing is read or written twice."""

import msgspec

from contracts.signals import Scalar


class Known(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """intercom_id: None until the contact was found or created.

    attributes: what Intercom shows, as last read or written; None when in doubt (a write whose answer was lost), then
    everything is written again. event: (name, created_s) of the event sent last. event_refusal: why Intercom did not take
    it; the contact shows its moment nevertheless. asked: the revision before which conversations were looked for.
    """

    intercom_id: str | None = None
    attributes: dict[str, Scalar] | None = {}
    event: tuple[str, int] | None = None
    event_refusal: str | None = None
    asked: int = 0
