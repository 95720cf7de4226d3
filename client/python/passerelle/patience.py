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
    """Of one loop: gives up after `retry_for` seconds without progress. Not thread-safe."""

    def __init__(self, retry_for: float):
        self._retry_for = retry_for
        self.progressed()

    def progressed(self) -> None:
        """Something got on: the time starts anew, and the next wait is short."""
        self._deadline = time.monotonic() + self._retry_for
        self._delay = _FIRST_DELAY

    def wait(self, error: grpc.RpcError | PasserelleError, repeatable: bool = True) -> None:
        """Waits before the next try; raises the PasserelleError if there is to be none."""
        failure = error if isinstance(error, PasserelleError) else PasserelleError(error)
        # A call that the server's end cut off arrives as cancelled; the loops cancel only what is over.
        passing = failure.retryable or failure.code is grpc.StatusCode.CANCELLED
        if not (passing and repeatable and time.monotonic() < self._deadline):
            raise failure
        time.sleep(max(self._delay * random.uniform(0.5, 1.0), failure.retry_delay or 0))
        self._delay = min(self._delay * 2, _LONGEST_DELAY)


def patiently(read: Callable[[], Answer], retry_for: float) -> Answer:
    """What a loop reads before it begins: it waits for the server as the loop itself does."""
    patience = Patience(retry_for)
    while True:
        try:
            return read()
        except PasserelleError as error:
            patience.wait(error)
