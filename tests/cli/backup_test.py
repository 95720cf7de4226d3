"""A backup of a server that serves, restored into a new data directory and served again."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("PASSERELLE_BIN", "build/release/bin"))
ROWS = 500


class Server:
    def __init__(self, data):
        self.process = subprocess.Popen(
            [BIN / "passerelled", "--data", data, "--listen", "127.0.0.1:0", "--insecure-loopback"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = json.loads(self.process.stdout.readline())["address"]

    def run(self, *arguments, code=0):
        done = subprocess.run([BIN / "passerelle", "--json", *map(str, arguments)],
                              capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PASSERELLE_SERVER": self.address})
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def ask(self, *arguments):
        return json.loads(self.run(*arguments).stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self.process.stdout.close()


def passerelled(*arguments, code=0):
    done = subprocess.run([BIN / "passerelled", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def take_along(folder):
    """What is no part of a backup: the master keys and the erasure journal."""
    for ending in ("key", "erasures"):
        path = folder / f"new.{ending}"
        path.write_bytes((folder / f"data.{ending}").read_bytes())
        path.chmod(0o600)


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("external_id,city\n" + "".join(f"{i},Paris\n" for i in range(ROWS)))
    return path


def test_a_backup_is_restored_and_served_again(tmp_path, people):
    with Server(tmp_path / "data") as server:
        server.run("import", people, "--create-attributes", "--stream", "people")
        summary = server.ask("backup", "monday")
        assert summary["backup_id"] == "monday"
        assert {file["path"] for file in summary["files"]} == {
            "control.db", "instances/default/profiles.db", "instances/default/logs.db"}
        assert "RESOURCE_ALREADY_EXISTS" in server.run("backup", "monday", code=1).stderr
        assert "FIELD_INVALID" in server.run("backup", "../up", code=2).stderr
        assert "RESOURCE_NOT_FOUND" in server.run("backup", "--only", "nobody", code=4).stderr
    folder = tmp_path / "data" / "backups" / "monday"
    assert "sound" in passerelled("restore", "--check-only", "--from", folder).stdout
    told = passerelled("restore", "--from", folder, "--data", tmp_path / "new").stdout
    assert "master key file" in told and "STORE_RESTORED" in told and "new.erasures" in told
    assert "holds 'store'" in passerelled("restore", "--from", folder, "--data", tmp_path / "new",
                                          code=1).stderr
    take_along(tmp_path)
    with Server(tmp_path / "new") as server:
        again = server.ask("import", people, "--create-attributes", "--stream", "people")
        assert (again["received"], again["already_known"]) == (0, ROWS)


def test_a_cursor_of_before_a_restore_says_what_to_do(tmp_path):
    sent = tmp_path / "sent.csv"
    sent.write_text("broadlog_id,status\n" + "".join(f"{i},sent\n" for i in range(1, 6)))
    out, cursor = tmp_path / "out.ndjson", tmp_path / "cursor"
    export = ("logs", "export", "--cursor-file", cursor, "--out", out)
    with Server(tmp_path / "data") as server:
        server.run("deliveries", "create", "mail", "--channel", "email")
        server.run("logs", "append", sent, "--stream", "s", "--kind", "delivery", "--delivery", "mail")
        server.run("sources", "create", "back", "--schema", "delivery")
        server.run("logs", "export", "--source", "back", "--consumer", "default", "--out", out)
        server.run(*export)
        server.run("backup", "monday")
    passerelled("restore", "--from", tmp_path / "data" / "backups" / "monday", "--data",
                tmp_path / "new")
    take_along(tmp_path)
    with Server(tmp_path / "new") as server:
        refused = server.run(*export, code=1).stderr
        assert "STORE_RESTORED" in refused and "Seek a consumer" in refused
        cursor.unlink()
        server.run(*export)
        consumer = server.ask("sources", "consumers", "back")["consumers"][0]
        assert consumer["state"] == "STATE_ACTIVE"
        assert server.ask("sources", "seek", "back", "--to", "beginning")["lag"] != "0"


def test_wrong_usage_of_restore_is_exit_2(tmp_path):
    passerelled("restore", code=2)
    passerelled("restore", "--from", tmp_path, code=2)
    assert "no backup there" in passerelled("restore", "--from", tmp_path, "--data",
                                            tmp_path / "new", code=1).stderr
