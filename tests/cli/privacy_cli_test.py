"""The command line about what people ask: a copy of what is held on them, or to be erased."""

import json
import os
import pathlib
import signal
import stat
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("PASSERELLE_BIN", "build/release/bin"))


class Server:
    def __init__(self, folder):
        self.data = folder / "data"
        self.process = subprocess.Popen(
            [BIN / "passerelled", "--data", self.data, "--listen", "127.0.0.1:0", "--insecure-loopback"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = json.loads(self.process.stdout.readline())["address"]

    def run(self, *arguments, code=0):
        done = subprocess.run([BIN / "passerelle", *map(str, arguments)], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "PASSERELLE_SERVER": self.address})
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def ask(self, *arguments, code=0):
        return json.loads(self.run("--json", *arguments, code=code).stdout)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("privacy")
    started = Server(folder)
    people = folder / "people.csv"
    people.write_text("external_id,email,city\n" + "".join(f"{i},p{i}@example.com,Town{i}\n" for i in range(1, 31)))
    started.run("import", people, "--identity", "external_id=external_id", "--identity", "email=email",
                "--all-columns", "--create-attributes")
    yield started
    started.close()


def person_is_there(server, person):
    done = subprocess.run([BIN / "passerelle", "profiles", "lookup", "external_id", str(person)], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "PASSERELLE_SERVER": server.address})
    assert done.returncode in (0, 4), done.stderr
    return done.returncode == 0


def test_an_archive_is_made_and_fetched_into_a_file_of_ones_own(server, tmp_path):
    asked = server.run("privacy", "access", "--identity", "email=P1@Example.com", "--id", "copy-1")
    assert "succeeded" in asked.stdout and "privacy download" in asked.stderr and "it goes on" in asked.stderr
    out = tmp_path / "copy.jsonl"
    told = server.run("privacy", "download", "copy-1", "-o", out)
    assert "personal data" in told.stdout
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert all(set(line) == {"table", "row"} for line in lines[1:]) and "Town1" in out.read_text()
    assert "p2@example.com" not in out.read_text()
    assert server.run("privacy", "download", "copy-1").stdout == out.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["copy.jsonl"]


def test_a_file_that_is_there_is_replaced_only_by_force(server, tmp_path):
    server.run("privacy", "access", "--identity", "external_id=2", "--id", "copy-2")
    out = tmp_path / "copy.jsonl"
    out.write_text("mine")
    out.chmod(0o644)
    assert "--force" in server.run("privacy", "download", "copy-2", "-o", out, code=2).stderr
    assert out.read_text() == "mine"
    told = server.ask("privacy", "download", "copy-2", "-o", out, "--force")
    assert told == {"file": str(out), "bytes": len(out.read_bytes())} and "Town2" in out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "RESOURCE_NOT_FOUND" in server.run("privacy", "download", "none", "-o", tmp_path / "new", code=4).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["copy.jsonl"]


def test_erasing_wants_a_yes_and_then_takes_one_person(server):
    refused = server.run("privacy", "erase", "--identity", "external_id=3", code=2).stderr
    assert "--yes" in refused and person_is_there(server, 3)
    done = server.ask("privacy", "erase", "--identity", "external_id=3", "--yes", "--id", "gone-3")
    assert done["state"] == "STATE_SUCCEEDED" and done["receipt"]["signature"]
    assert not person_is_there(server, 3) and person_is_there(server, 4)
    assert "example.com" not in json.dumps(done)


def test_a_person_may_be_named_by_number_or_several_identities_with_a_colon_too(server):
    number = server.ask("profiles", "lookup", "external_id", "5")["name"].rsplit("/", 1)[1]
    server.run("privacy", "erase", "--profile", number, "--yes")
    server.run("privacy", "erase", "--identity", "email:p6@example.com", "--identity", "external_id=6", "--yes")
    assert not person_is_there(server, 5) and not person_is_there(server, 6)
    for wrong in ([], ["--profile", number, "--identity", "external_id=7"], ["--identity", "external_id"],
                  ["--identity", "email=p7@example.com", "--identity", "email=p8@example.com"]):
        assert "example.com" not in server.run("privacy", "erase", "--yes", *wrong, code=2).stderr
    assert person_is_there(server, 7) and person_is_there(server, 8)


def test_without_waiting_it_is_only_begun(server):
    begun = server.ask("privacy", "erase", "--identity", "external_id=9", "--yes", "--no-wait", "--id", "later-9")
    assert begun["name"].endswith("/later-9") and not person_is_there(server, 9)


def test_requests_are_shown_listed_and_deleted(server):
    server.run("privacy", "access", "--identity", "external_id=10", "--id", "copy-10", "-q")
    assert server.ask("privacy", "get", "copy-10")["kind"] == "KIND_ACCESS"
    listed = server.run("privacy", "list").stdout
    assert "copy-10" in listed and "succeeded" in listed and "REQUEST" in listed
    names = [item["name"] for item in server.ask("privacy", "list")["privacy_requests"]]
    assert "instances/default/privacyRequests/copy-10" in names
    server.run("privacy", "delete", "copy-10")
    server.run("privacy", "get", "copy-10", code=4)
    server.run("privacy", "download", "copy-10", code=4)


def test_a_receipt_is_checked_without_a_server(server, tmp_path):
    server.run("privacy", "erase", "--identity", "external_id=11", "--yes", "--id", "gone-11")
    file = tmp_path / "receipt.json"
    file.write_text(server.run("--json", "privacy", "get", "gone-11").stdout)
    listed = json.loads(subprocess.run([BIN / "passerelled", "keys", "list", "--json", "--data", server.data],
                                       capture_output=True, text=True, timeout=60, check=True).stdout)
    key = listed["keys"][0]

    def verify(*arguments, code=0):
        done = subprocess.run([BIN / "passerelle", *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PASSERELLE_SERVER": "127.0.0.1:1"})
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    check = ("privacy", "verify-receipt", str(file))
    told = verify(*check, "--public-key", key["receipt_public_key"])
    assert "holds" in told and key["id"] in told and "gone-11" in told
    assert "keys list" in verify(*check)
    told = json.loads(verify("--json", *check, "--public-key", key["receipt_public_key"].upper()))
    assert told["holds"] and told["public_key"] == key["receipt_public_key"] and told["statement"]
    assert "another key" in verify(*check, "--public-key", "00" * 32, code=1)
    verify(*check, "--public-key", "0g" * 32, code=2)
    receipt = json.loads(file.read_text())["receipt"]
    file.write_text(json.dumps(receipt))
    assert "holds" in verify(*check)
    for field in ("statement", "signature", "public_key"):
        text = receipt[field]
        changed = text.replace("gone-11", "gone-12") if field == "statement" else ("B" if text[0] != "B" else "C") + text[1:]
        file.write_text(json.dumps({**receipt, field: changed}))
        assert "does NOT hold" in verify(*check, code=1)
        assert json.loads(verify("--json", *check, code=1))["holds"] is False
    for text in ("{}", "no json", json.dumps({"receipt": {"statement": "x"}}), "[]"):
        file.write_text(text)
        assert "holds no receipt" in verify(*check, code=2)
    verify("privacy", "verify-receipt", str(tmp_path / "none"), code=2)
