"""The shop's day through the thinking alone, with an Intercom that shows every command at once: evidence for the checks."""

from collections import deque
from pathlib import Path
from random import Random
from typing import Any

from agents.clock import SimulatedClock
from contracts import commands, decisions, signals
from contracts.calls import parse
from contracts.instant import HOUR_MS, MINUTE_MS
from contracts.policy import load
from contracts.signals import Marked, Signal
from contracts.topics import COMMANDS, DECISIONS, QUARANTINE, SIGNALS
from rehearsal import shop
from rehearsal.demo_comparison import compare
from rehearsal.demo_evidence import Evidence
from streams.partition import Partition

POLICY = load(Path(__file__).parents[2] / "policies" / "skincare.yaml")
START_MS, WALL_MS = 1_772_431_200_000, 1_790_000_000_000  # 2026-03-02 06:00, and some instant of the wall
MARK_MS = 5 * MINUTE_MS
SPEED = 1440


class World:
    def __init__(self) -> None:
        self.evidence = Evidence(POLICY, SimulatedClock(START_MS, WALL_MS, SPEED))
        self._partition = Partition(POLICY, {})
        self._position = 0
        self._contacts: dict[str, dict[str, Any]] = {}

    def play(self, *, seed: int, hours: float, people: int) -> Evidence:
        mark_ms = START_MS
        for sent in shop.day(Random(seed), start_ms=START_MS, hours=hours, people=people):
            while mark_ms + MARK_MS < sent.at_ms:
                mark_ms += MARK_MS
                self._log(Marked(source="s/0", at_ms=mark_ms, of=1, outcomes=False), mark_ms)
            self.evidence.delivered(sent, self.evidence.wall_ms(sent.at_ms))
            parsed = parse(sent.body, accepted_ms=sent.at_ms)
            for rejected in parsed.rejected:
                self.evidence.record(QUARANTINE.name, rejected.value, self.evidence.wall_ms(sent.at_ms))
            for signal in parsed.signals:
                self._log(signal, sent.at_ms)
        end_ms = START_MS + int(hours * HOUR_MS)
        self._log(Marked(source="s/0", at_ms=end_ms, of=1, outcomes=False), end_ms)
        for later_ms in (5_000, 6_500, 8_500):
            at_ms = self.evidence.wall_ms(end_ms) + later_ms
            self.evidence.comparisons.append(compare(self.evidence, at_ms, settle_wall_ms=1_000))
        return self.evidence

    def _log(self, signal: Signal, at_ms: int) -> None:
        wall_ms = self.evidence.wall_ms(at_ms)
        waiting: deque[Signal] = deque([signal])
        while waiting:
            record = waiting.popleft()
            self.evidence.record(SIGNALS.name, signals.encode(record), wall_ms)
            effects = self._partition.take(record, self._position)
            self._position += 1
            waiting += effects.signals
            for decision in effects.decisions:
                self.evidence.record(DECISIONS.name, decisions.encode(decision), wall_ms)
            for command in effects.commands:
                self.evidence.record(COMMANDS.name, commands.encode(command), wall_ms)
                if command.create or command.person in self._contacts:
                    self._contacts[command.person] = dict(command.attributes)
            if effects.commands:
                self.evidence.shows(self._contacts, wall_ms)
