"""What can go wrong with Customer.io, by what its caller has to do; no text here carries personal data.

Failure
  TryLater      perhaps done; send the same messages again, under the same ids: also where the address is wrong
  Unauthorized  the write key is not accepted: nothing gets through until an operator acts
"""


class Failure(Exception):
    pass


class TryLater(Failure):
    def __init__(self, why: str) -> None:
        super().__init__(f"Customer.io did not take it ({why}); the same messages are sent again")


class Unauthorized(Failure):
    def __init__(self, status: int) -> None:
        super().__init__(f"Customer.io answered {status}: check CONCIERGE_CUSTOMERIO_WRITE_KEY and its region")
