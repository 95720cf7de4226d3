"""The shipped clients as processes: each does one job and may be killed meanwhile."""

import collections
import dataclasses
import json
import pathlib
import subprocess
import sys
import threading
from typing import Any

import traffic
from crash_server import live_server

HERE = pathlib.Path(__file__).resolve().parent
STANDBY = 2  # Python processes that have read their modules and wait for a job


@dataclasses.dataclass
class Job:
    kind: str  # a flow's name, "export" or "members"
    name: str  # the stream, the cursor, the audience
    file: pathlib.Path  # of rows to send, or for what comes out
    batch: int
    flow: traffic.Flow | None = None
    number: int = 0
    total: int = 0

    def fields(self, target: str) -> dict:
        told = {"kind": self.kind, "target": target, "name": self.name, "file": str(self.file)}
        seed = self.flow.seed if self.flow else 0
        return {**told, "batch": self.batch, "seed": seed, "number": self.number, "total": self.total}


class ClientProcess:
    """One process and its one line of answer."""

    def __init__(self, command: list[str], log: Any):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        self.killed = False

    def send(self, job: dict) -> None:
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.killed = True
        self.process.kill()

    def answer(self, seconds: float) -> dict | None:
        """The answer; None if it was killed before. A process that takes too long is ended."""
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timed_out = not timer.is_alive() and not line
        timer.cancel()
        if line:
            return json.loads(line)
        if self.killed:
            return None
        why = f"no end within {seconds:.0f} s" if timed_out else f"exit code {self.process.wait()}"
        return {"ok": False, "error": why, "total": 0, "reconnects": 0}

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Clients:
    """Starts a process of either client for a job."""

    LANGUAGES = ("python", "cpp")

    def __init__(self, folder: pathlib.Path):
        self._log = open(folder / "clients.log", "ab")  # noqa: SIM115
        self._driver = str(live_server.find_program("crash_driver"))
        self._standby: collections.deque[ClientProcess] = collections.deque()
        self._fill()

    def _fill(self) -> None:
        while len(self._standby) < STANDBY:
            command = [sys.executable, str(HERE / "client_process.py")]
            self._standby.append(ClientProcess(command, self._log))

    def start(self, language: str, job: Job, target: str) -> ClientProcess:
        if language == "cpp":
            rows = str(job.file)
            return ClientProcess([self._driver, job.kind, target, job.name, rows, str(job.batch)], self._log)
        process = self._standby.popleft()
        self._fill()
        process.process.stdout.readline()  # it is ready
        process.send(job.fields(target))
        return process

    def close(self) -> None:
        for process in self._standby:
            process.end()
        self._log.close()


def write_rows(path: pathlib.Path, flow: traffic.Flow, number: int, total: int) -> None:
    """The rows of a stream as crash_driver reads them."""
    rows = flow.rows(number, 0, total)
    if flow.name == "append":
        path.write_text("".join(row.SerializeToString().hex() + "\n" for row in rows))
        return
    with open(path, "wb") as out:
        for row in rows:
            audience = traffic.LISTS.index(row.audience) if row.audience in traffic.LISTS else 0
            cells = [encoded(row.identities["external_id"]), b"%d" % audience, b"%d" % row.exited]
            cells.append(encoded(row.record_key))
            cells += [b"i%d" % v if isinstance(v, int) else b"t" + encoded(v) for v in row.fields.values()]
            out.write(b"\t".join(cells) + b"\n")


def encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
