"""How long and how often a loop tries again."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import grpc

from .errors import PasserelleError

RETRY_FOR = 60.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 3.0
Answer = TypeVar("Answer")


class Patience:
    """Of one loop: gives up when tries have failed for `retry_for` seconds and nothing got on. However
    long a connection was silent before it failed, there is another try. Not thread-safe."""

    def __init__(self, retry_for: float):
        self._retry_for = retry_for
        self.progressed()

    def progressed(self) -> None:
        """Something got on: the next failure counts as the first, and the wait after it is short."""
        self._failing_since: float | None = None
        self._delay = _FIRST_DELAY

    def wait(
        self, error: grpc.RpcError | PasserelleError, repeatable: bool = True, deadline: float | None = None
    ) -> None:
        """Waits before the next try, at least as long as the server asks; raises the PasserelleError if there is to be
        none, or none before `deadline` (of time.monotonic)."""
        failure = error if isinstance(error, PasserelleError) else PasserelleError(error)
        # A call that the server's end cut off arrives as cancelled; the loops cancel only what is over.
        passing = failure.retryable or failure.code is grpc.StatusCode.CANCELLED
        now = time.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        delay = max(self._delay, failure.retry_delay or 0) * random.uniform(1.0, 1.25)
        in_time = deadline is None or now + delay < deadline
        if not (passing and repeatable and in_time and now - self._failing_since < self._retry_for):
            raise failure
        time.sleep(delay)
        self._delay = min(self._delay * 2, _LONGEST_DELAY)


def patiently(read: Callable[[], Answer], retry_for: float) -> Answer:
    """What a loop reads before it begins: it waits for the server as the loop itself does."""
    patience = Patience(retry_for)
    while True:
        try:
            return read()
        except PasserelleError as error:
            patience.wait(error)
