"""A server of the release build in a temporary directory, for tests and examples that need one."""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def find_program(name: str) -> pathlib.Path:
    """A program of the build: from PASSERELLE_BIN, else the release tree."""
    folder = pathlib.Path(os.environ.get("PASSERELLE_BIN", ROOT / "build/release/bin"))
    program = folder / name
    if not program.exists():
        raise SystemExit(f"{program} is not there: build it first (tools/check, or tools/quickstart)")
    return program


class LiveServer:
    """Starts on a free loopback port; stops by its own process id."""

    ACCESS = ("--insecure-loopback",)

    def __init__(self, data: str | None = None, *options: str, program: str = "passerelled"):
        self._made = data is None
        self.data = data or tempfile.mkdtemp(prefix="passerelle-")
        self._log = open(os.path.join(self.data, "server.log"), "ab")  # noqa: SIM115
        command = [find_program(program), "--data", os.path.join(self.data, "d")]
        command += ["--listen", "127.0.0.1:0", *self.ACCESS, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log)
        self.address = self._wait()["address"]

    def _wait(self) -> dict:
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.kill()
            raise SystemExit(f"the server did not start: {self.log()[-2000:]}")
        return json.loads(line)

    def log(self) -> str:
        return pathlib.Path(self.data, "server.log").read_text(errors="replace")

    def stop(self) -> int:
        """Ends it in order and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait()

    def remove(self) -> None:
        if self._made:
            shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self) -> "LiveServer":
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()
        self._log.close()
        self.remove()


def examine(data: str | pathlib.Path) -> list[str]:
    """What the doctor finds wrong with a stopped store; it is the product's, whatever program wrote the store."""
    command = [find_program("passerelled"), "doctor", "--json", "--disk-low-bytes", "0", "--data", data]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.stderr:
        return [done.stderr]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [f"{line['file']}: {line['check']}: {line['what']}" for line in lines[:-1] if line["severity"] == "error"]


def use_client() -> None:
    """Makes `import passerelle` find the package of the source tree, its stubs generated."""
    package = ROOT / "client" / "python"
    if str(package) not in sys.path:
        sys.path.insert(0, str(package))
    made = package / "passerelle" / "v1" / "__init__.py"  # the last that is made: without it the others may be on their way
    newest = max(path.stat().st_mtime for path in (ROOT / "proto/passerelle/v1").glob("*.proto"))
    if not made.exists() or made.stat().st_mtime < newest:
        from generate_stubs import generate

        generate(package)
