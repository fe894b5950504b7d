"""A person's story as text: the sentence first, then every decision and every word of Intercom's in order of time."""

from collections.abc import Iterator
from typing import Any

import msgspec

from backtests import story_words
from backtests.story_words import INSTANT, near
from console.compare_words import WHY
from console.wrapping import filled
from contracts.decisions import Clause

SAID_ALREADY = ("anchor", "spent")  # the detail says the same once more
INDENT = " " * 12


def text(told: dict[str, Any], *, columns: int | None) -> str:
    """told: as `backtests.story.story` gives it. Characters that a terminal would act on are left out.

    columns: where lines are to wrap, None: nowhere.
    """
    lines = (_plain(line) for line in _lines(told))
    return "\n".join(lines if columns is None else (_wrapped(line, columns) for line in lines))


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield told["sentence"]
    if told["now"] == "unknown" and not told["decisions"]:
        return
    others = [key for key in told["keys"] if key != told["person"]]
    also = f", also {', '.join(others)}" if others else ""
    yield ""
    since = f"from {near(told['from'], '')} UTC on, " if told["from"] is not None else ""
    yield f"{told['person']}{also}; {since}as of {near(told['as_of'], '')} UTC"
    entries = [(one["at"], 0, _decision(one, told["person"])) for one in told["decisions"]]
    entries += [(one["at"], 1, _delivery(one)) for one in told["deliveries"]]
    day = ""
    for at, _, lines in sorted(entries, key=lambda entry: entry[:2]):
        if at[:10] != day:
            day = at[:10]
            yield ""
            yield day
        yield from lines
    if told["absent"]:
        yield ""
        yield f"Why in no {'other ' if told['now'] in ('in_moment', 'held_out') else ''}moment then:"
        yield from (_absence(one) for one in told["absent"])
    if told["absent_refused"] is not None:
        yield ""
        yield f"Why in no moment cannot be told: {told['absent_refused']}."


def _decision(one: dict[str, Any], owner: str) -> list[str]:
    day = one["at"][:10]
    anchor = one["episode"].removeprefix(f"{one['audience']}@")
    until = f"until {near(one['expires_at'], day)}, " if one["expires_at"] is not None else ""
    under = f", key {one['person']}" if one["person"] != owner else ""
    lines = [
        f"  {one['at'][11:19]}  {one['outcome']} {one['audience']}: {one['words']} ({one['reason']})",
        f"{INDENT}{until}counts from {near(anchor, day)}, brought by {_cause(one, day)}; "
        f"tier {one['tier']}, arm {one['arm']}, policy {one['policy']}{under}",
    ]
    if one["because"] is not None:
        lines.append(f'{INDENT}for Intercom: "{one["because"]}"')
    clauses = msgspec.convert(one["clauses"], tuple[Clause, ...])
    asked = [clause for clause in clauses if clause.clause not in story_words.STEPS]
    lines += [f"{INDENT}{'yes' if clause.held else 'no '}  {story_words.clause(clause, day)}" for clause in asked]
    steps = [clause for clause in clauses if clause.clause in story_words.STEPS]
    if passed := [story_words.clause(step, day) for step in steps if step.held]:
        lines.append(f"{INDENT}yes  {', '.join(passed)}")
    return lines + [f"{INDENT}no   {story_words.clause(step, day)}" for step in steps if not step.held]


def _delivery(one: dict[str, Any]) -> list[str]:
    moment = one["episode"].partition("@")[0] if one["episode"] is not None else "the contact as it is to be"
    if one["outcome"] == "shown":
        unheard = f"; of its event it said {one['reason']}" if one["reason"] is not None else ""
        words = f"shows {moment}{unheard}"
    else:
        words = f"{one['outcome']} {moment}: {one['words']} ({one['reason']})"
    return [f"  {one['at'][11:19]}  Intercom {words}; revision {one['revision']} of {one['person']}"]


def _cause(one: dict[str, Any], day: str) -> str:
    kind, _, message = one["cause"].partition(":")
    return f"message {message} of {near(one['occurred_at'], day)}" if kind == "signal" else "time alone"


def _absence(one: dict[str, Any]) -> str:
    words = f"  {one['audience']}: {WHY[one['why']]}"
    if one["why"] in SAID_ALREADY:
        return words
    detail = INSTANT.sub(lambda found: near(found[0], ""), one["detail"])
    return f"{words} ({detail})"


def _wrapped(line: str, columns: int) -> str:
    """What goes on stands further in than what it belongs to."""
    further = f"{INDENT}  " if line.startswith(INDENT) else INDENT if line.startswith(" ") else ""
    return filled(line, columns, further=further)


def _plain(line: str) -> str:
    return "".join(character for character in line if character.isprintable())
