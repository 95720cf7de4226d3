"""A server for all tests of a file, and the command line beside it."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("PASSERELLE_BIN", "build/release/bin"))
ROWS = 2_000


class Server:
    def __init__(self, folder, port=0):
        self.folder = folder
        self.process = subprocess.Popen(
            [BIN / "passerelled", "--data", folder / "data", "--listen", f"127.0.0.1:{port}",
             "--insecure-loopback"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = json.loads(self.process.stdout.readline())["address"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.stop()


@pytest.fixture
def cli(server):
    def run(*arguments, code=0, text=None):
        done = subprocess.run([BIN / "passerelle", *map(str, arguments)], capture_output=True,
                              text=True, input=text, timeout=60,
                              env={**os.environ, "PASSERELLE_SERVER": server.address})
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture
def ask(cli):
    def run(*arguments, code=0):
        return json.loads(cli("--json", *arguments, code=code).stdout)

    return run


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "people.csv"
    rows = ["external_id,email,city,age,segment"]
    rows += [f"{i},p{i}@example.com,\"City, {i % 7}\",{20 + i % 50},{'AB'[i % 2]}"
             for i in range(1, ROWS + 1)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def imported(cli, people):
    cli("import", people, "--create-attributes", "--stream", "people")


@pytest.fixture
def activated(cli, ask, people, imported):
    if not any(d["name"].endswith("/cdp") for d in ask("destinations", "list")["destinations"]):
        ask("destinations", "create", "cdp", "--type", "audience-sync", "--audience", "A=seg-a",
            "--audience", "B=seg-b")
    cli("push", "cdp", people, "--audience-column", "segment", "--stream", "segments")
