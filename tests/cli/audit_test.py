"""The audit trail on the command line: lists, and verifications with and without the ends of last time."""

import json
import shutil
import sqlite3

import pytest

from backup_test import Server


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
    return json.loads(server.run("--json", "audit", "list", *arguments).stdout)["entries"]


def verify(server, *arguments, code=0):
    return server.run("audit", "verify", *arguments, code=code).stdout


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
        assert "CreateInstance" in server.run("audit", "list").stdout


def test_what_was_removed_is_exit_1(data):
    with Server(data) as server:
        assert "as it was written" in verify(server)
    with sqlite3.connect(data / "store/instances/default/profiles.db") as db:
        assert db.execute("DELETE FROM audit WHERE number = 2").rowcount == 1
    db.close()
    with Server(data) as server:
        told = verify(server, code=1)
        assert "missing: instances/default/profiles: entry 3" in told and "TAMPERED" in told
        assert "as it was written" in verify(server, "--only", "other")


def test_a_file_that_was_put_back_is_told_by_the_ends_of_last_time(data, tmp_path):
    heads = tmp_path / "heads.json"
    older = tmp_path / "older.db"
    file = data / "store/instances/default/profiles.db"
    shutil.copy(file, older)
    with Server(data) as server:
        verify(server, "--save-heads", heads)
        server.run("attributes", "create", "score", "--type", "int64")
        verify(server, "--heads", heads, "--save-heads", heads)
    kept = heads.read_text()
    shutil.copy(older, file)
    with Server(data) as server:
        verify(server)
        told = verify(server, "--heads", heads, "--save-heads", heads, code=1)
        assert "head-lost: instances/default/profiles" in told
        assert heads.read_text() == kept, "ends of a trail in which something was found are not kept"
        verify(server, "--heads", tmp_path / "none.json", code=2)
