"""The doctor, of a server that serves and of a stopped store: sound, damaged, and opened by another program."""

import json
import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from backup_test import BIN, Server

ROWS = 500
# Reads from a file as the sqlite3 shell would, and keeps it open until its input ends.
OPEN_AND_WAIT = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT count(*) FROM meta").fetchone()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("external_id,city\n" + "".join(f"{i},Paris\n" for i in range(ROWS)))
    with Server(tmp_path / "data") as server:
        server.run("import", path, "--create-attributes", "--stream", "people")
    return tmp_path / "data"


def live(server, *arguments, code=0):
    """Findings that are more than notes, and the summary, of a server that serves."""
    lines = [json.loads(line) for line in server.run("doctor", *arguments, code=code).stdout.splitlines()]
    return [line for line in lines[:-1] if line["severity"] != "SEVERITY_NOTE"], lines[-1]


def stopped(data, code=0):
    done = subprocess.run([BIN / "passerelled", "doctor", "--data", data, "--json", "--disk-low-bytes", "0"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    if not done.stdout:
        return done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines[:-1] if line["severity"] != "note"]


def change(data, sql, file="instances/default/profiles.db"):
    with sqlite3.connect(data / "store" / file) as db:
        assert db.execute(sql).rowcount == 1
    db.close()


def test_a_sound_store_is_exit_0_live_and_stopped(data):
    assert stopped(data) == []
    with Server(data) as server:
        findings, summary = live(server)
        assert findings == []
        assert summary["errors"] == "0" and int(summary["rows_read"]) > ROWS
        plain = subprocess.run([BIN / "passerelle", "doctor"], capture_output=True, text=True, timeout=60,
                               env={**os.environ, "PASSERELLE_SERVER": server.address}, check=True)
        assert "sound; 0 errors" in plain.stdout
    assert "sound; 0 errors" in subprocess.run([BIN / "passerelled", "doctor", "--data", data], timeout=60,
                                               capture_output=True, text=True, check=True).stdout


def test_a_stopped_store_without_its_key_file_is_told_that_macs_were_not_looked_at(data):
    def told():
        command = [BIN / "passerelled", "doctor", "--data", data, "--disk-low-bytes", "0"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    words = "note: audit trail: there is no key file"
    assert words not in told()
    os.rename(f"{data}.key", f"{data}.key.away")
    assert words in told()


def test_damage_is_exit_1_with_what_where_and_what_to_do(data):
    change(data, "UPDATE write_stream SET next_offset = next_offset + 1 WHERE id = 'people'")
    (finding,) = stopped(data, code=1)
    assert finding["check"] == "streams" and finding["file"] == "instances/default/profiles.db"
    assert f"its outcomes add up to {ROWS} rows, but {ROWS + 1} were received" in finding["what"]
    assert "restore" in finding["advice"]
    with Server(data) as server:
        findings, summary = live(server, code=1)
        assert [found["check"] for found in findings] == ["streams"]
        assert summary["errors"] == "1"
        assert live(server, "--only", "default", code=1)[1]["errors"] == "1"
        assert "RESOURCE_NOT_FOUND" in server.run("doctor", "--only", "nobody", code=4).stderr


def test_a_program_that_has_a_file_open_is_named(data):
    with Server(data) as server:
        other = subprocess.Popen([sys.executable, "-c", OPEN_AND_WAIT, data / "store/instances/default/logs.db"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert other.stdout.readline() == "open\n"
        findings, _ = live(server, code=1)
        other.communicate("")
        assert [(found["check"], found["file"]) for found in findings] == [
            ("connections", "instances/default/logs.db")]
        assert f"process {other.pid}" in findings[0]["what"]
        assert live(server)[0] == []


def test_a_store_that_is_served_is_not_examined_as_a_stopped_one(data):
    with Server(data):
        told = stopped(data, code=1)
        assert "another server has this data directory open" in told and "passerelle doctor" in told


def test_no_store_and_wrong_usage(tmp_path):
    assert "there is no store here" in stopped(tmp_path / "nothing", code=1)
    assert subprocess.run([BIN / "passerelled", "doctor"], capture_output=True, timeout=60,
                          env={k: v for k, v in os.environ.items() if k != "PASSERELLE_DATA"}).returncode == 2


def test_writes_go_on_while_the_doctor_looks(data, tmp_path):
    path = tmp_path / "more.csv"
    path.write_text("external_id,city\n" + "".join(f"m{i},Lyon\n" for i in range(200_000)))
    with Server(data) as server:
        done = threading.Event()
        imported = []

        def write():
            try:
                imported.append(server.run("import", path, "--stream", "more").returncode)
            finally:
                done.set()

        writing = threading.Thread(target=write)
        writing.start()
        looks = 0
        while not done.is_set() or looks == 0:
            assert live(server)[0] == []
            looks += 1
        writing.join()
        assert imported == [0]
        assert live(server)[0] == []
