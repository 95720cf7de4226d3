"""Real servers on free ports, with what they are guarded by."""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
from typing import Any

from contract import Caller

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


def program(name: str) -> pathlib.Path:
    """A program of the build; SystemExit if it is not there."""
    found = pathlib.Path(os.environ.get("PASSERELLE_BIN", ROOT / "build/release/bin"), name).absolute()
    if not found.exists():
        raise SystemExit(f"{found} is not there: build it first (tools/check), or set PASSERELLE_BIN")
    return found


class Certificates:
    """Files that all TLS servers of a run share, made at their first use."""

    def __init__(self, folder: pathlib.Path):
        import certificates  # tests/e2e

        (folder / "other").mkdir(parents=True)
        authority = certificates.Authority(folder)
        self.ca = authority.ca
        self.other_ca = certificates.Authority(folder / "other").ca
        self.server = authority.issue("server")
        self.client = authority.issue("crm", "DNS:crm.example")


class Server:
    """One `passerelled`, started with the object; `what` is the case's description of it. Keeps its data over
    restarts. `close` it."""

    def __init__(self, what: dict[str, Any], certificates: Certificates | None):
        self._what = what
        self._certificates = certificates
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="passerelle-conformance-"))
        self._process: subprocess.Popen | None = None
        self.address = ""
        self.start()

    @property
    def guarded(self) -> bool:
        return bool(self._what.get("guarded") or self._what.get("client_certificates"))

    @property
    def admin_key(self) -> str:
        return (self.folder / "d.admin.key").read_text().strip() if self.guarded else ""

    def start(self) -> None:
        """Starts it and waits until it serves; SystemExit with its last words if it does not."""
        listen = f"unix:{self.folder}/socket" if self._what.get("unix") else "127.0.0.1:0"
        command = [program("passerelled"), "--data", self.folder / "d", "--listen", listen]
        command += [] if self.guarded else ["--insecure-loopback"]
        command += [*self._tls(), *self._what.get("options", [])]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=log)
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.kill()
            raise SystemExit(f"passerelled did not start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")
        self.address = json.loads(line)["address"]

    def _tls(self) -> list[Any]:
        if not self._what.get("tls"):
            return []
        options = ["--tls-cert", self._certificates.server[0], "--tls-key", self._certificates.server[1]]
        if self._what.get("client_certificates"):
            options += ["--tls-client-ca", self._certificates.ca, "--tls-require-client-cert"]
        return options

    def caller(self) -> Caller:
        """Calls of the driver, by the administrator."""
        return self.caller_with(self.admin_key)

    def caller_with(self, key: str) -> Caller:
        if not self._what.get("tls"):
            return Caller(self.address, key)
        pair = self._certificates.client if self._what.get("client_certificates") else None
        return Caller(self.address, key, self._certificates.ca, pair)

    def stop(self) -> None:
        """Ends it in order."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=PATIENCE_S)
        self._process.stdout.close()
        if code != 0:
            raise SystemExit(f"passerelled ended with code {code}")

    def kill(self) -> None:
        """Ends it as a crash would."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        if self.running:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
