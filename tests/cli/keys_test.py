"""passerelled keys: rotating the master keys of a store; what was made with the old ones still works."""

import base64
import csv
import json
import os
import pathlib
import signal
import stat
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("PASSERELLE_BIN", "build/release/bin"))


def keys(*arguments, code=0, **environment):
    done = subprocess.run([BIN / "passerelled", "keys", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, env={**os.environ, **environment})
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def ids(*arguments):
    return [key["id"] for key in json.loads(keys("list", "--json", *arguments))["keys"]]


class Served:
    def __init__(self, data):
        self.process = subprocess.Popen(
            [BIN / "passerelled", "--data", data, "--listen", "127.0.0.1:0", "--insecure-loopback"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = json.loads(self.process.stdout.readline())["address"]

    def run(self, *arguments, code=0):
        done = subprocess.run([BIN / "passerelle", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PASSERELLE_SERVER": self.address})
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def call(self, method, request):
        """One call that the command line has no words for, as grpcurl makes it."""
        done = subprocess.run([os.environ["PASSERELLE_GRPCURL"], "-plaintext", "-d", json.dumps(request), self.address,
                               f"passerelle.v1.{method}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture
def data(tmp_path):
    with Served(tmp_path / "data"):
        pass
    return tmp_path / "data"


def key_of(token):
    """The id of the key that signed a token: the four bytes after version and kind."""
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[2:6].hex()


def test_keys_are_listed_by_id_and_their_secrets_never(data):
    key_file = data.with_name("data.key")
    secret = key_file.read_text().split()[-1]
    told = keys("list", "--data", data) + keys("list", "--key-file", key_file, "--json")
    told += keys("list", PASSERELLE_DATA=str(data)) + keys("list", PASSERELLE_KEY_FILE=str(key_file))
    assert secret not in told and told.count(ids("--data", data)[0]) == 4
    assert "signs" in told


def test_a_rotation_puts_a_key_first_and_says_what_to_do(data):
    key_file = data.with_name("data.key")
    old = ids("--data", data)
    told = keys("rotate", "--data", data)
    assert "restart" in told and "Keep the old keys" in told
    assert key_file.read_text().split()[-1] not in told
    new = ids("--data", data)
    assert len(new) == 2 and new[1:] == old
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert sorted(path.name for path in data.parent.iterdir() if "key" in path.name) == ["data.key"]


def test_wrong_usage_wrong_modes_and_missing_files_are_refused(data, tmp_path):
    keys(code=2)
    keys("rotate", code=2)
    keys("turn", "--data", data, code=2)
    key_file = data.with_name("data.key")
    before = key_file.read_bytes()
    key_file.chmod(0o644)
    assert "wanted 0600" in keys("rotate", "--data", data, code=1)
    key_file.chmod(0o600)
    assert "nothing is there" in keys("list", "--data", tmp_path / "other", code=1)
    keys("rotate", "--data", tmp_path / "other", code=1)
    assert key_file.read_bytes() == before and not (tmp_path / "other.key").exists()


def test_a_server_that_runs_goes_on_and_old_tokens_and_suppressions_hold_after_its_restart(data, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("external_id,email,audience\n" + "".join(f"{i},p{i}@example.com,VIP\n" for i in range(1, 7)))
    sent = tmp_path / "sent.csv"
    sent.write_text("broadlog_id,status\n" + "".join(f"{i},sent\n" for i in range(1, 7)))
    cursor, rows = tmp_path / "cursor", tmp_path / "rows.csv"
    export = ("logs", "export", "--cursor-file", cursor, "--out", rows)
    page = {"parent": "instances/default", "page_size": 2}
    with Served(data) as server:
        server.run("import", people, "--identity", "external_id=external_id", "--identity", "email=email")
        server.run("destinations", "create", "crm", "--type", "audience-sync", "--audience", "VIP")
        server.run("push", "crm", people, "--identity", "external_id=external_id", "--audience-column", "audience")
        server.run("suppressions", "import", "--address", "email:p2@example.com")
        server.run("deliveries", "create", "spring", "--channel", "email")
        server.run("logs", "append", sent, "--kind", "delivery", "--delivery", "spring", "--stream", "sent")
        server.run(*export)
        old_page = server.call("ProfileService/ListProfiles", page)["next_page_token"]
        written = {"parent": "instances/default", "rows": [{"identities": {"external_id": "7"}}]}
        old_commit = server.call("ProfileService/BatchImportProfiles", written)["commit_token"]
        keys("rotate", "--data", data)
        meanwhile = server.call("ProfileService/ListProfiles", page)["next_page_token"]
    new, old = ids("--data", data)
    assert {key_of(token) for token in (old_page, old_commit, meanwhile)} == {old}
    with Served(data) as server:
        rest = server.call("ProfileService/ListProfiles", {**page, "page_token": old_page, "commit_token": old_commit})
        assert len(rest["profiles"]) == 2 and key_of(rest["next_page_token"]) == new
        reached = csv.DictReader(server.run("-q", "members", "vip", "--reach", "email").splitlines())
        assert sorted(row["external_id"] for row in reached) == ["1", "3", "4", "5", "6"]
        server.run("suppressions", "import", "--address", "email:p3@example.com")
        reached = csv.DictReader(server.run("-q", "members", "vip", "--reach", "email").splitlines())
        assert sorted(row["external_id"] for row in reached) == ["1", "4", "5", "6"]
        more = tmp_path / "more.csv"
        more.write_text("broadlog_id,status\n9,sent\n")
        server.run("logs", "append", more, "--kind", "delivery", "--delivery", "spring", "--stream", "more")
        server.run(*export)
        assert len(rows.read_text().splitlines()) == 8, "it goes on at the old cursor"
        again = json.loads(server.run("--json", "logs", "append", sent, "--kind", "delivery", "--delivery", "spring",
                                      "--stream", "sent"))
        assert again["already_known"] == 6
