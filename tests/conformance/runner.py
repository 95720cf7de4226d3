"""One language's runner: a process that is sent steps, one JSON object a line, and answers them."""

import contextlib
import json
import pathlib
import queue
import subprocess
import threading
from typing import Any

PATIENCE_S = 60.0
BUILD_PATIENCE_S = 1800.0


class RunnerError(Exception):
    """The runner did not keep to the protocol: it is of no use any more."""


class Runner:
    """Starts with the object; `kill` or `end` it. Used by one thread."""

    def __init__(self, command: list[str], log: pathlib.Path, patience_s: float):
        self._log = log
        self._patience_s = patience_s
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
            )
        self._last_id = 0
        self._lines: queue.SimpleQueue = queue.SimpleQueue()
        self._early: dict[int, dict] = {}  # answers that came while another one was waited for
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError):  # closed while it was read, or not UTF-8: then nothing more comes
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(None)

    def begin(self, step: dict[str, Any]) -> int:
        """Sends a step and returns its id."""
        self._last_id += 1
        try:
            self._process.stdin.write(json.dumps({"id": self._last_id, **step}) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise RunnerError(f"the runner takes no more steps ({error}); {self.last_words()}") from error
        return self._last_id

    def answer(self, step_id: int, patience_s: float | None = None) -> dict:
        """{"ok": ...} or {"error": ...}; RunnerError if none comes in time."""
        patience_s = patience_s or self._patience_s
        while step_id not in self._early:
            try:
                line = self._lines.get(timeout=patience_s)
            except queue.Empty:
                raise RunnerError(f"no answer within {patience_s:.0f} s; {self.last_words()}") from None
            if line is None:
                raise RunnerError(f"the runner ended without an answer; {self.last_words()}")
            answer = _parsed(line)
            if not 0 < answer["id"] <= self._last_id:
                raise RunnerError(f"the runner answered a step that it was not sent: {line[:200]!r}")
            self._early[answer["id"]] = answer
        return self._early.pop(step_id)

    def last_words(self) -> str:
        words = self._log.read_text(errors="replace").strip().splitlines()[-5:]
        return f"it said: {' | '.join(words)}" if words else "it said nothing"

    def end(self) -> None:
        """Ends it as the protocol says; RunnerError if it does not."""
        self._process.stdin.close()
        try:
            code = self._process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RunnerError("the runner did not end when its input ended") from None
        self._finish()
        if code != 0:
            raise RunnerError(f"the runner ended with code {code}, wanted 0; {self.last_words()}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._finish()

    def _finish(self) -> None:
        self._reader.join(PATIENCE_S)
        self._process.stdout.close()


def _parsed(line: str) -> dict:
    try:
        answer = json.loads(line)
    except ValueError:
        raise RunnerError(f"the runner wrote what is no JSON: {line[:200]!r}") from None
    whole = isinstance(answer, dict) and isinstance(answer.get("id"), int)
    if not whole or ("ok" in answer) == ("error" in answer):
        raise RunnerError(f"the runner wrote what is no answer: {line[:200]!r}")
    return answer
