"""The driver's own account of what it sent and what was acknowledged, and what it finds wrong."""

import collections
import dataclasses
import sys
import threading
from collections.abc import Iterable
from typing import Any

from passerelle.v1 import outcome_pb2

REFUSALS = {"REJECTED", "SUPPRESSED", "AMBIGUOUS", "NOT_FOUND", "OUT_OF_SCOPE", "STALE"}
SAID_AT_MOST = 20


class Findings:
    """What was lost, doubled or different. Thread-safe."""

    def __init__(self, say=print):
        self.lost = self.doubled = self.different = 0
        self._say = say
        self._said = 0
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.different)

    def _tell(self, text: str) -> None:
        self._said += 1
        if self._said <= SAID_AT_MOST:
            self._say(f"  {text}")

    def differs(self, what: str, got: Any, wanted: Any) -> bool:
        """Notes a difference that is no number of rows; True if there is one."""
        if got == wanted:
            return False
        with self._lock:
            self.different += 1
            self._tell(f"{what}: got {got}, wanted {wanted}")
        return True

    def count(self, what: str, got: int, wanted: int) -> None:
        """Fewer rows than wanted are lost, more are doubled."""
        if got == wanted:
            return
        with self._lock:
            self.lost += max(wanted - got, 0)
            self.doubled += max(got - wanted, 0)
            self._tell(f"{what}: got {got}, wanted {wanted}")

    def compare(self, what: str, got: Iterable, wanted: Iterable) -> None:
        """Every item exactly once."""
        have, want = collections.Counter(got), collections.Counter(wanted)
        missing, extra = want - have, have - want
        if not missing and not extra:
            return
        with self._lock:
            self.lost += missing.total()
            self.doubled += extra.total()
            some = [str(item)[:80] for item in [*missing, *extra][:3]]
            self._tell(f"{what}: {missing.total()} missing, {extra.total()} too many, such as {some}")


@dataclasses.dataclass
class Stream:
    """One write stream as its writer knows it."""

    flow: Any
    number: int
    total: int
    sent: int = 0  # rows handed to a loop, at the most
    acknowledged: int = 0  # the next offset told by an acknowledgement
    finished: bool = False
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        return self.flow.stream(self.number)

    def note_sent(self, end: int) -> None:
        with self.lock:
            self.sent = max(self.sent, end)

    def note_acknowledged(self, next_offset: int) -> None:
        with self.lock:
            self.acknowledged = max(self.acknowledged, next_offset)

    def source(self, first: int) -> Iterable:
        for index, row in enumerate(self.flow.rows(self.number, first, self.total)):
            self.note_sent(first + index + 1)
            yield row


def outcome_counts(counts: Iterable) -> collections.Counter:
    names = outcome_pb2.Outcome.Name
    return collections.Counter(
        {names(count.outcome).removeprefix("OUTCOME_"): count.rows for count in counts if count.rows}
    )


def figures(findings: Findings, received: int, applied: int, seed: int) -> str:
    return (
        f"received={received} applied={applied} lost={findings.lost} doubled={findings.doubled} seed={seed}"
    )


def conclude(findings: Findings, plant: str, line: str) -> int:
    """Says how it ended, ends with the line of figures, and returns the exit code."""
    if plant:
        print(f"planted bug '{plant}': {'caught' if findings else 'NOT CAUGHT'}")
    elif findings:
        print(f"different={findings.different}")
    print(line)
    sys.stdout.flush()
    return int(bool(findings) != bool(plant))
