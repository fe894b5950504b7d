"""Bugs that are put in on purpose, to see that the run catches them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn
from unittest import mock

import httpx
import msgspec

from agents import desired
from agents.courier import Courier
from agents.desired import Contact
from agents.intercom import contact as adapter
from agents.intercom import line
from agents.intercom.budget import Budget
from agents.intercom.failures import Ambiguous, TryLater
from agents.intercom.line import Line
from contracts.commands import Command

AT_ONCE_SECONDS = 0.5


def _heeds_no_reset(stack: ExitStack) -> None:
    heed = Budget.heed

    def deaf(budget: Budget, answer: httpx.Response) -> None:
        if answer.status_code != 429:
            heed(budget, answer)

    stack.enter_context(mock.patch.object(Budget, "heed", deaf))
    stack.enter_context(mock.patch.object(line, "until_reset_seconds", lambda answer: AT_ONCE_SECONDS))


def _retries_a_400(stack: ExitStack) -> None:
    fail = Line._fail

    def stubborn(self: Line, answer: httpx.Response, harmless: bool) -> NoReturn:
        if answer.status_code == 400 and b"does not exist" not in answer.content:
            raise TryLater(AT_ONCE_SECONDS, "answered 400", shared=False)
        fail(self, answer, harmless)

    stack.enter_context(mock.patch.object(Line, "_fail", stubborn))


def _checks_no_freshness(stack: ExitStack) -> None:
    stack.enter_context(mock.patch.object(Courier, "_fresh", lambda *given: True))


def _creates_after_ambiguity(stack: ExitStack) -> None:
    adopt = adapter._Attempt._adopt

    async def eager(self: Any, message: str) -> None:
        try:
            await adopt(self, message)
        except Ambiguous:
            created = await self._doubtful(
                "POST", "/contacts", {"role": "user", "external_id": self._command.external_id}
            )
            self._learn(created["id"], {})

    stack.enter_context(mock.patch.object(adapter._Attempt, "_adopt", eager))


def _allows_older_revisions(stack: ExitStack) -> None:
    desire = desired.desire

    def forgetful(contact: Contact, command: Command, now_ms: int, *, flying: bool = False) -> Contact:
        if command.revision < contact.revision:
            contact = msgspec.structs.replace(contact, revision=0, settled=0, owed=None)
        return desire(contact, command, now_ms, flying=flying)

    stack.enter_context(mock.patch.object(desired, "desire", forgetful))


def _trusts_what_it_inherits(stack: ExitStack) -> None:
    stack.enter_context(mock.patch.object(desired, "doubted", lambda contact, now_ms: contact))


def _repeats_what_is_owed(stack: ExitStack) -> None:
    async def blindly(*given: object) -> bool:
        return False

    stack.enter_context(mock.patch.object(Courier, "_passed", blindly))


PLANTS: dict[str, Callable[[ExitStack], None]] = {
    "heeds_no_reset": _heeds_no_reset,
    "retries_a_400": _retries_a_400,
    "checks_no_freshness": _checks_no_freshness,
    "creates_after_ambiguity": _creates_after_ambiguity,
    "allows_older_revisions": _allows_older_revisions,
    "trusts_what_it_inherits": _trusts_what_it_inherits,
    "repeats_what_is_owed": _repeats_what_is_owed,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    with ExitStack() as stack:
        PLANTS[name](stack)
        yield
