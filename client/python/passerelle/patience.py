"""How long and how often a loop tries again."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc

from .errors import PasserelleError

RETRY_FOR = 60.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 3.0
Answer = TypeVar("Answer")


class Stop:
    """Ends a call or loop that was given it, from another thread: it raises PasserelleError with CANCELLED, at once.
    What was acknowledged stays; the same call goes on after it. Stays set. Thread-safe; for one call at a time."""

    def __init__(self) -> None:
        self._set = threading.Event()
        self._lock = threading.Lock()
        self._cancel: Callable[[], object] | None = None

    def set(self) -> None:
        self._set.set()
        with self._lock:
            cancel = self._cancel
        if cancel:
            cancel()

    def is_set(self) -> bool:
        return self._set.is_set()

    def sleep(self, seconds: float) -> bool:
        """Less if it is set meanwhile. True if it is set."""
        return self._set.wait(seconds)

    @contextlib.contextmanager
    def watch(self, cancel: Callable[[], object]) -> Iterator[None]:
        """Calls `cancel` when it is set, while the block runs; at once if it is set already."""
        with self._lock:
            self._cancel = cancel
        if self.is_set():
            cancel()
        try:
            yield
        finally:
            with self._lock:
                self._cancel = None


class Patience:
    """Of one loop: gives up when tries have failed for `retry_for` seconds and nothing got on. However
    long a connection was silent before it failed, there is another try. Not thread-safe."""

    def __init__(self, retry_for: float, stop: Stop | None = None):
        self._retry_for = retry_for
        self._stop = stop or Stop()
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
        if self._stop.is_set() or self._stop.sleep(delay):
            raise PasserelleError(Stopped())
        self._delay = min(self._delay * 2, _LONGEST_DELAY)


class Stopped(grpc.RpcError):
    """What a call that was stopped before it was made would have ended with."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.CANCELLED

    def details(self) -> str:
        return "stopped by the caller"

    def trailing_metadata(self) -> tuple:
        return ()


def patiently(read: Callable[[], Answer], retry_for: float, stop: Stop | None = None) -> Answer:
    """What a loop reads before it begins: it waits for the server as the loop itself does."""
    patience = Patience(retry_for, stop)
    while True:
        try:
            return read()
        except PasserelleError as error:
            patience.wait(error)
