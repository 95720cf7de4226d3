"""A real server for the tests of programs that use this client.

    with passerelle.testing.Server() as server, server.connect() as client:
        client.import_profiles(...)
"""

import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import weakref
from typing import Any

from .client import Client, connect

_START_SECONDS = 60


def find_program() -> pathlib.Path:
    """`passerelled` from the folder PASSERELLE_BIN or, without it, from PATH; FileNotFoundError says where it was looked for."""
    folder = os.environ.get("PASSERELLE_BIN")
    found = shutil.which("passerelled", path=folder or None)
    if not found:
        raise FileNotFoundError(f"no passerelled in {folder or 'PATH'}: build it, and set PASSERELLE_BIN to its folder")
    return pathlib.Path(found).absolute()


class Server:
    """`passerelled` on a free loopback port, with its data in a temporary folder; it serves once the object is made, and
    both are gone after `close` or the with block, at the latest when the program ends. Anybody on this machine may do everything there. `options` are those of
    `passerelled --help`. RuntimeError with the server's last words if it does not start within a minute."""

    def __init__(self, *options: str):
        program = find_program()
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="passerelle-test-"))
        command = [program, "--data", self._folder / "data", "--listen", "127.0.0.1:0", "--insecure-loopback", *options]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        self._end = weakref.finalize(self, _end, self._process, self._folder)
        ready, _, _ = select.select([self._process.stdout], [], [], _START_SECONDS)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            words = self.log()[-2000:]
            self.close()
            raise RuntimeError(f"passerelled did not start: {words}")
        self.address: str = json.loads(line)["address"]

    def connect(self, instance: str = "default", **security: Any) -> Client:
        """A client of it, as passerelle.connect."""
        return connect(self.address, instance, **security)

    def log(self) -> str:
        """What it has said so far."""
        return (self._folder / "log").read_text(errors="replace")

    def close(self) -> None:
        """Stops it, and removes its data. Idempotent."""
        self._end()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end(process: subprocess.Popen, folder: pathlib.Path) -> None:
    process.terminate()
    try:
        process.wait(timeout=_START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)
