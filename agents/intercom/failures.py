"""What can go wrong with Intercom, by what its caller has to do; no text here carries personal data.

Failure
  TryLater        not done; do the same after `after_seconds`
  Overtaken       not done, and not to be done: something newer is to be shown, or it is over by itself
  Talking         not done: the person talks with somebody in Intercom, of which the log may not know yet
  Unknown         perhaps done; do the same again after `after_seconds`, everything is written anew
  Refused         never will be; do not repeat
    Ambiguous     more than one contact, or another person's, answers to these details
  Unauthorized    the token is not accepted: stop all sending, keep everything
  Unfit           the workspace's attributes do not fit the manifest: an operator has to act
"""

from agents.intercom.known import Known


class Failure(Exception):
    """known: what was learned or written before the failure; None when nothing was."""

    known: Known | None = None


class TryLater(Failure):
    """shared: the cause (rate limit, no connection) holds for every call with this token, not for this contact alone.

    urgent_too: a shared cause holds also for what cannot wait; else it keeps back what may wait, alone.
    """

    def __init__(self, after_seconds: float, why: str, *, shared: bool, urgent_too: bool = True) -> None:
        super().__init__(f"{why}; try again in {after_seconds:.1f} s")
        self.after_seconds = after_seconds
        self.shared = shared
        self.urgent_too = urgent_too


class Overtaken(Failure):
    def __init__(self) -> None:
        super().__init__("something newer is to be shown; nothing was sent")


class Talking(Failure):
    """conversations: (id, when it was last touched, in unix seconds) of each that is open."""

    def __init__(self, conversations: tuple[tuple[str, int], ...]) -> None:
        super().__init__("the person talks with somebody in Intercom; nothing was sent")
        self.conversations = conversations


class Unknown(Failure):
    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; it may have been done: repeat the same revision")


class Refused(Failure):
    """reason: one word or Intercom's error code, fit for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Intercom will not do this: {reason}")
        self.reason = reason


class Ambiguous(Refused):
    def __init__(self) -> None:
        super().__init__("ambiguous")


class Unauthorized(Failure):
    def __init__(self, status: int) -> None:
        super().__init__(f"Intercom answered {status}: check the access token, its region and its permissions")


class Unfit(Failure):
    """Raised by `register` alone; the text says which attribute and what to do."""
