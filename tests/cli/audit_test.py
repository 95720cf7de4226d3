"""The audit trail on the command line: lists, and verifications with and without the ends of last time."""

import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from backup_test import BIN, Server


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("external_id,city\n" + "".join(f"{i},Paris\n" for i in range(100)))
    with Server(tmp_path / "data") as server:
        server.run("import", path, "--create-attributes", "--stream", "people")
        server.run("instances", "create", "other")
    return tmp_path / "data"


def entries(server, *arguments):
    """As JSON."""
    return json.loads(server.run("audit", "list", *arguments).stdout)["entries"]


def verify(server, *arguments, code=0):
    """What is found, as KIND chain number."""
    lines = [json.loads(line) for line in server.run("audit", "verify", *arguments, code=code).stdout.splitlines()]
    assert int(lines[-1]["findings"]) == len(lines) - 1
    return [f"{line['kind']} {line['chain']} {line['number']}" for line in lines[:-1]]


def plain(server, *arguments):
    return subprocess.run([BIN / "passerelle", *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PASSERELLE_SERVER": server.address}).stdout


def test_the_list_tells_who_did_what_and_is_filtered(data):
    with Server(data) as server:
        found = entries(server)
        methods = [entry["method"] for entry in found]
        assert methods[0] == "InstanceService/CreateAttribute" and methods[-1] == "InstanceService/CreateInstance"
        rows = [entry for entry in found if entry["method"] == "ProfileService/ImportProfiles" and entry["counts"]]
        assert sum(int(count["rows"]) for entry in rows for count in entry["counts"]) == 100
        assert [entry["chain"] for entry in entries(server, "--method", "InstanceService/CreateInstance")] == ["control"]
        assert all(entry["chain"].startswith("instances/default/") for entry in entries(server, "--only", "default"))
        assert entries(server, "--caller", "nobody") == []
        assert len(entries(server, "--call", found[0]["call_id"])) == 1
        assert entries(server, "--since", "2100-01-01") == [] and entries(server, "--until", "2000-01-01") == []
        assert len(entries(server, "--since", "2000-01-01", "--until", "2100-01-01")) == len(found)
        told = plain(server, "audit", "list")
        assert "CreateInstance" in told and "export" not in told.lower().splitlines()[1], told
        assert "as it was written; 5 entries in 5 files, 0 findings" in plain(server, "audit", "verify")


def test_what_was_removed_is_exit_1(data):
    with Server(data) as server:
        assert verify(server) == []
    with sqlite3.connect(data / "store/instances/default/profiles.db") as db:
        assert db.execute("DELETE FROM audit WHERE number = 2").rowcount == 1
    db.close()
    with Server(data) as server:
        assert verify(server, code=1) == ["KIND_MISSING instances/default/profiles 3"]
        told = plain(server, "audit", "verify")
        assert "issing: instances/default/profiles: entry 3: " in told and "TAMPERED" in told, told
        assert verify(server, "--only", "other") == []


def test_ends_are_kept_of_what_was_not_looked_at_and_not_of_what_was_deleted(data, tmp_path):
    heads = tmp_path / "heads.json"
    with Server(data) as server:
        assert verify(server, "--save-heads", heads) == []
        kept = {head["chain"]: head for head in json.loads(heads.read_text())["heads"]}
        server.run("attributes", "create", "score", "--type", "int64")
        assert verify(server, "--only", "default", "--heads", heads, "--save-heads", heads) == []
        now = {head["chain"]: head for head in json.loads(heads.read_text())["heads"]}
        assert set(now) == set(kept) and now["control"] == kept["control"], now
        assert now["instances/default/profiles"] != kept["instances/default/profiles"]
        server.run("--instance", "other", "attributes", "create", "colour", "--type", "string")
        assert verify(server, "--heads", heads, "--save-heads", heads) == []
        server.run("instances", "delete", "other")
        assert verify(server, "--heads", heads, "--save-heads", heads) == [], "the trail of control tells who did it"
        assert verify(server, "--heads", heads) == []
        assert not any("/other/" in head["chain"] for head in json.loads(heads.read_text())["heads"])


def test_a_file_that_was_put_back_is_told_by_the_ends_of_last_time(data, tmp_path):
    heads = tmp_path / "heads.json"
    older = tmp_path / "older.db"
    file = data / "store/instances/default/profiles.db"
    shutil.copy(file, older)
    with Server(data) as server:
        assert verify(server, "--save-heads", heads) == []
        server.run("attributes", "create", "score", "--type", "int64")
        assert verify(server, "--heads", heads, "--save-heads", heads) == []
    kept = heads.read_text()
    shutil.copy(older, file)
    with Server(data) as server:
        assert verify(server) == []
        found = verify(server, "--heads", heads, "--save-heads", heads, code=1)
        assert found == ["KIND_HEAD_LOST instances/default/profiles 5"]
        assert heads.read_text() == kept, "ends of a trail in which something was found are not kept"
        server.run("audit", "verify", "--heads", tmp_path / "none.json", code=2)
