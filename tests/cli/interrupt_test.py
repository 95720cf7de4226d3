"""Outputs of the command line that are interrupted: no part is taken for the whole, and running again makes it whole."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

BIN = pathlib.Path(os.environ.get("PASSERELLE_BIN", "build/release/bin"))
PEOPLE = 60_000


class Server:
    def __init__(self, folder):
        self.process = subprocess.Popen(
            [BIN / "passerelled", "--data", folder / "data", "--listen", "127.0.0.1:0", "--insecure-loopback"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = json.loads(self.process.stdout.readline())["address"]

    def command(self, *arguments):
        return [BIN / "passerelle", "--server", self.address, *map(str, arguments)]

    def run(self, *arguments, code=0):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def interrupt_once(self, begun, *arguments):
        """Runs a command and interrupts it once begun() is true and it cannot end by itself."""
        command = subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while not begun() and command.poll() is None and time.monotonic() < end:
            pass
        self.process.send_signal(signal.SIGSTOP)
        try:
            assert begun() and command.poll() is None, command.communicate()
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=30)
        finally:
            self.process.send_signal(signal.SIGCONT)
        assert command.returncode == 130, (command.returncode, out, err)
        return err


def keeps_rows(cursor):
    """A position behind rows: the first one comes with the header."""

    def kept():
        lines = cursor.read_text().splitlines() if cursor.exists() else []
        return len(lines) == 2 and int(lines[1].split()[0]) > 0

    return kept


def has_bytes(path):
    return lambda: path.exists() and path.stat().st_size > 0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    started = Server(folder)
    people = folder / "people.csv"
    people.write_text("external_id,city\n" + "".join(f"{i},city {i:060}\n" for i in range(PEOPLE)))
    sent = folder / "sent.csv"
    sent.write_text("broadlog_id,status\n" + "".join(f"{i},sent\n" for i in range(1, PEOPLE + 1)))
    started.run("import", people, "--create-attributes")
    started.run("destinations", "create", "cdp", "--type", "audience-sync", "--audience", "all")
    started.run("push", "cdp", people, "--audience", "all")
    started.run("deliveries", "create", "mail", "--channel", "email")
    started.run("logs", "append", sent, "--kind", "delivery", "--delivery", "mail")
    yield started
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(timeout=60) == 0
    started.process.stdout.close()


def rows_of(path):
    return [line.split(",") for line in path.read_text().splitlines()[1:]]


def test_interrupted_members_leave_the_file_and_its_token_as_they_were(server, tmp_path):
    out, part, since = tmp_path / "all.csv", tmp_path / "all.csv.part", tmp_path / "all.token"
    out.write_text("yesterday's\n")
    members = ("members", "all", "--reach", "email", "--attributes", "city", "--out", out,
               "--since-file", since)
    told = server.interrupt_once(has_bytes(part), *members)
    assert out.read_text() == "yesterday's\n"
    assert not since.exists(), "the next run would stream only what changed"
    assert f"the rows so far are in {part}; {out} is as it was" in told
    assert len(rows_of(part)) < PEOPLE
    server.run(*members)
    assert not part.exists()
    assert sorted(int(row[1]) for row in rows_of(out)) == list(range(PEOPLE))


def test_an_interrupted_export_without_a_position_leaves_the_file_as_it_was(server, tmp_path):
    out, part = tmp_path / "logs.csv", tmp_path / "logs.csv.part"
    export = ("logs", "export", "--kind", "delivery", "--fields", "broadlog_id", "--out", out)
    told = server.interrupt_once(has_bytes(part), *export)
    assert not out.exists()
    assert f"the rows so far are in {part}" in told
    server.run(*export)
    assert not part.exists()
    assert len(rows_of(out)) == PEOPLE


def test_an_interrupted_export_with_a_cursor_file_goes_on_without_loss_or_repetition(server, tmp_path):
    out, cursor = tmp_path / "logs.ndjson", tmp_path / "cursor"
    export = ("logs", "export", "--kind", "delivery", "--fields", "broadlog_id", "--out", out,
              "--cursor-file", cursor)
    told = server.interrupt_once(keeps_rows(cursor), *export)
    assert "rows, up to sequence" in told
    first = len(out.read_text().splitlines())
    assert 0 < first < PEOPLE
    server.run(*export)
    ids = [json.loads(line)["broadlog_id"] for line in out.read_text().splitlines()]
    assert ids == list(range(1, PEOPLE + 1))


def test_a_cell_that_does_not_fit_is_one_refused_row_with_its_line_and_field(server, tmp_path):
    server.run("attributes", "create", "age", "--type", "int64")
    path = tmp_path / "cells.csv"
    path.write_text('external_id,age,city\nc1,41,"two\nlines"\nc2,"forty, or so",Metz\nc3,7,Nice\n')
    done = server.run("import", path, "--stream", "cells")
    shown = [line.split() for line in done.stdout.splitlines()]
    assert ["LINE", "ROW", "OUTCOME", "WHY", "FIELD"] in shown, done.stdout
    assert ["4", "2", "rejected", "wrong-type", "age"] in shown, done.stdout
    assert ["rejected", "1"] in shown and ["created", "2"] in shown, done.stdout
    rows = json.loads(server.run("--json", "streams", "outcomes", "cells").stdout)["rows"]
    assert [(row["offset"], row["reason"], row["field"]) for row in rows] == \
        [("1", "ROW_REASON_WRONG_TYPE", "age")]
    server.run("profiles", "lookup", "external_id", "c2", code=4)
    strict = server.run("import", path, "--stream", "cells", "--strict", code=3)
    assert "nothing new, nothing doubled" in strict.stdout
