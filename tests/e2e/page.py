"""Pages whose command lines are run word for word: what a block of `sh` prints is compared with the block after it.

`passerelled ...` starts a server in the place of the one before, `grpcui ...` is started beside it; all else is run to its end. The
port 7701 is another one here, so that tests can run side by side.
"""

import json
import os
import pathlib
import re
import select
import subprocess

import live_server

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANY = "…"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(text: str) -> list[tuple[str, str, str]]:
    """(commands, kind of what they print, what they print) of each block of sh; kind is empty where the page shows nothing."""
    found = [match.groups() for match in _BLOCK.finditer(text)]
    after = [*found[1:], ("", "")]
    return [
        (commands, kind if kind in ("json", "text") else "", wanted if kind in ("json", "text") else "")
        for (language, commands), (kind, wanted) in zip(found, after, strict=True)
        if language == "sh"
    ]


def documents(text: str) -> list:
    """The JSON documents that follow one another in a text."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def same(answer, wanted) -> bool:
    """Equal, but that … in the page stands for any text."""
    if isinstance(wanted, dict):
        return isinstance(answer, dict) and answer.keys() == wanted.keys() and all(same(answer[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list):
        return isinstance(answer, list) and len(answer) == len(wanted) and all(map(same, answer, wanted))
    if isinstance(wanted, str) and ANY in wanted:
        pattern = ".+".join(map(re.escape, wanted.split(ANY)))
        return isinstance(answer, str) and re.fullmatch(pattern, answer) is not None
    return answer == wanted


def printed_as_shown(kind: str, printed: str, wanted: str) -> bool:
    if kind == "json":
        return same(documents(printed), documents(wanted))
    return same(printed.split("\n"), wanted.split("\n"))


class Page:
    """Runs command lines in a folder that looks like the source tree; what it started ends with it."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._server = None
        self._beside = []
        self._port = "7701"
        built = folder / "build/release"
        built.mkdir(parents=True)
        programs = live_server.find_program("passerelled").parent
        descriptors = os.environ.get("PASSERELLE_DESCRIPTORS", str(ROOT / "build/release/passerelle.binpb"))
        (built / "passerelle.binpb").symlink_to(descriptors)
        path = [programs, ROOT / "build/bin", ROOT / "build/venv/bin", os.environ["PATH"]]
        self._environment = {**os.environ, "PATH": ":".join(map(str, path))}

    def run(self, line: str) -> str:
        """What it prints; AssertionError if it fails."""
        words = re.sub(r"^(\w+=(\$\([^)]*\)|\S*) )*", "", line).split()
        if words[0] == "passerelled":
            return self._serve(line)
        line = line.replace(":7701", f":{self._port}")
        if words[0] == "grpcui":
            return self._first_line(line, self._beside)
        done = subprocess.run(["bash", "-c", line], **self._where(), capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _where(self) -> dict:
        return {"cwd": self._folder, "env": self._environment, "stdin": subprocess.DEVNULL}

    def _serve(self, line: str) -> str:
        self.stop()
        started = []
        printed = self._first_line(line.replace(":7701", ":0"), started)
        self._server = started[0]
        self._port = json.loads(printed)["address"].rpartition(":")[2]
        return printed

    def _first_line(self, line: str, started: list) -> str:
        with open(self._folder / "started.log", "ab") as log:
            command = re.sub(r"\b(passerelled|grpcui) ", r"exec \1 ", line, count=1)
            program = subprocess.Popen(["bash", "-c", command], **self._where(), stdout=subprocess.PIPE, stderr=log, text=True)
        started.append(program)
        ready, _, _ = select.select([program.stdout], [], [], 30)
        printed = program.stdout.readline() if ready else ""
        assert printed, f"{line}\n{(self._folder / 'started.log').read_text()}"
        return printed

    def stop(self) -> None:
        """Ends what was started, each by its own process id."""
        for program in [*self._beside, *([self._server] if self._server else [])]:
            program.terminate()
            program.wait(timeout=30)
            program.stdout.close()
        self._beside, self._server = [], None
