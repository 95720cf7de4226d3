"""A server that is killed and started again on the same data, and a door that its clients find it by."""

import json
import os
import pathlib
import select
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import live_server  # noqa: E402

# Small enough that checkpoints come every second.
OPTIONS = ["--insecure-loopback", "--wal-threshold-bytes", str(1024 * 1024), "--heartbeat-ms", "1000"]
START_SECONDS = 30


class StartError(Exception):
    """The server did not get as far as serving."""


class CrashServer:
    """One process at a time. `address` is that of the present process; clients that are to come back by
    themselves use `door`, which leads there only while it is open."""

    def __init__(self, folder: str, program: str = "passerelled", options=(), environment=None):
        self.folder = folder
        self.process: subprocess.Popen | None = None
        self.address = ""
        self.ready_seconds: list[float] = []
        self._program = live_server.find_program(program)
        self._options = [*OPTIONS, *options]
        self._environment = {**os.environ, **(environment or {})}
        self._door = os.path.join(folder, "door")
        self._starts = 0

    def set_environment(self, **variables: str) -> None:
        """For the next start."""
        self._environment.update(variables)

    @property
    def door(self) -> str:
        return f"unix:{self._door}"

    def launch(self) -> None:
        """Starts the process and does not wait for it."""
        self._starts += 1
        socket = os.path.join(self.folder, f"s{self._starts}")
        self.address = f"unix:{socket}"
        command = [self._program, "--data", os.path.join(self.folder, "d"), "--listen", self.address]
        with open(os.path.join(self.folder, "server.log"), "ab") as log:
            self.process = subprocess.Popen(
                [*command, *self._options], stdout=subprocess.PIPE, stderr=log, env=self._environment
            )

    def start(self) -> None:
        """Starts it and waits until it serves."""
        began = time.monotonic()
        self.launch()
        self.wait_serving()
        self.ready_seconds.append(time.monotonic() - began)

    def wait_serving(self) -> None:
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if line and json.loads(line)["event"] == "serving":
            return
        self.kill()
        raise StartError(f"the server did not serve within {START_SECONDS} s: {self.log_tail()}")

    def kill(self) -> None:
        """SIGKILL, to this process only."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code

    def examine(self) -> list[str]:
        """What the doctor finds wrong with the store that is left."""
        return live_server.examine(os.path.join(self.folder, "d"))

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def open_door(self) -> None:
        fresh = self._door + ".new"
        os.symlink(self.address.removeprefix("unix:"), fresh)
        os.replace(fresh, self._door)

    def close_door(self) -> None:
        if os.path.lexists(self._door):
            os.unlink(self._door)

    def log_tail(self) -> str:
        return pathlib.Path(self.folder, "server.log").read_text(errors="replace")[-2000:]


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0
