"""What can go wrong with Intercom, by what its caller has to do; no text here carries personal data.

Failure
  TryLater        not done; do the same after `after_seconds`
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
    """shared: the cause (rate limit, no connection) holds for every call with this token, not for this contact alone."""

    def __init__(self, after_seconds: float, why: str, *, shared: bool) -> None:
        super().__init__(f"{why}; try again in {after_seconds:.1f} s")
        self.after_seconds = after_seconds
        self.shared = shared


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
