"""The command line about who must not be reached, and why."""

import csv
import hashlib
import json
import os
import pathlib
import signal
import subprocess

import pytest

BIN = pathlib.Path(os.environ.get("PASSERELLE_BIN", "build/release/bin"))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach")
    process = subprocess.Popen([BIN / "passerelled", "--data", folder / "data", "--listen", "127.0.0.1:0", "--insecure-loopback"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield json.loads(process.stdout.readline())["address"]
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture
def cli(address):
    def run(*arguments, code=0):
        done = subprocess.run([BIN / "passerelle", *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, env={**os.environ, "PASSERELLE_SERVER": address})
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    return run


@pytest.fixture
def ask(cli):
    return lambda *arguments, code=0: json.loads(cli("--json", *arguments, code=code))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "people.csv"
    rows = [f"{i},p{i}@example.com,VIP,{i},1,failed,hard" for i in range(1, 9)]
    path.write_text("external_id,email,audience,broadlog_id,reason,status,type\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def instance(cli, people, request):
    """A fresh instance with eight members of vip."""
    name = "i" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    cli("instances", "create", name)
    here = ("--instance", name)
    cli(*here, "attributes", "create", "email_ok", "--type", "bool", "--consent-channel", "email")
    cli(*here, "import", people, "--identity", "external_id=external_id", "--identity", "email=email")
    cli(*here, "destinations", "create", "crm", "--type", "audience-sync", "--audience", "VIP")
    cli(*here, "push", "crm", people, "--identity", "external_id=external_id", "--audience-column", "audience")
    return here


def reached(cli, instance):
    return sorted(row["external_id"] for row in csv.DictReader(
        cli(*instance, "-q", "members", "vip", "--reach", "email").splitlines()))


def test_a_list_of_addresses_is_imported_exported_and_taken_off(cli, ask, instance, tmp_path):
    addresses = tmp_path / "addresses.csv"
    addresses.write_text("mail\nP1@EXAMPLE.com\nnobody@example.com\nno address\n")
    answer = ask(*instance, "suppressions", "import", addresses, "--identity", "email=mail",
                 "--channel", "email", "--reason", "letters", code=3)
    assert answer["received"] == 3 and answer["outcomes"] == {"created": 2, "rejected": 1}
    assert answer["refused"] == ["row 3: identity.value: malformed-email"]
    assert reached(cli, instance) == [str(i) for i in range(2, 9)]
    listed = ask(*instance, "suppressions", "list")["suppressions"]
    assert len(listed) == 2 and all(len(row["hash"]) == 64 and row["reason"] == "letters" for row in listed)
    assert "example.com" not in cli(*instance, "suppressions", "list")
    exported = tmp_path / "exported.csv"
    cli(*instance, "suppressions", "export", "--out", exported)
    assert ask(*instance, "suppressions", "delete", exported)["outcomes"] == {"updated": 2}
    assert len(reached(cli, instance)) == 8
    assert ask(*instance, "suppressions", "import", exported)["outcomes"] == {"created": 2}
    assert reached(cli, instance) == [str(i) for i in range(2, 9)]
    assert ask(*instance, "suppressions", "list")["suppressions"] == listed


def test_one_address_needs_no_file(cli, ask, instance):
    digest = hashlib.sha256(b"p2@example.com").hexdigest()
    cli(*instance, "suppressions", "import", "--address", f"email_sha256:{digest}")
    assert "2" not in reached(cli, instance)
    cli(*instance, "suppressions", "delete", "--address", "email:p2@example.com")
    assert "2" in reached(cli, instance)
    assert "NAMESPACE:VALUE" in cli(*instance, "suppressions", "import", code=2)


def test_the_denylist_is_kept_by_profile(cli, ask, instance):
    number = ask(*instance, "profiles", "lookup", "external_id", "3")["name"].rsplit("/", 1)[1]
    cli(*instance, "denylist", "add", number, "--channel", "email", "--reason", "by phone")
    assert "3" not in reached(cli, instance)
    assert "by phone" in cli(*instance, "denylist", "list")
    cli(*instance, "denylist", "add", number, "--channel", "email", code=1)
    cli(*instance, "denylist", "remove", number, "--channel", "email")
    assert "3" in reached(cli, instance)
    cli(*instance, "denylist", "remove", number, "--channel", "email", code=4)


def test_bounces_are_listed_released_and_explained(cli, ask, instance, tmp_path):
    cli(*instance, "deliveries", "create", "summer", "--channel", "email")
    rows = tmp_path / "bounces.ndjson"
    rows.write_text(json.dumps({"kind": "delivery", "broadlog_id": 1, "status": "failed", "failure_type": "hard",
                                "failure_reason": 1, "identity_namespace": "email",
                                "identity": "p4@example.com"}) + "\n")
    cli(*instance, "logs", "append", rows, "--delivery", "summer")
    listed = ask(*instance, "quarantine", "list")["addresses"]
    assert [row["identity"]["value"] for row in listed] == ["p4@example.com"]
    assert "4" not in reached(cli, instance)
    why = cli(*instance, "why", "email:p4@example.com")
    assert "quarantined" in why and "failure reason 1" in why and "realized" in why
    cli(*instance, "quarantine", "release", "email:p4@example.com", "--channel", "email")
    assert "4" in reached(cli, instance)
    cli(*instance, "quarantine", "release", "email:p4@example.com", "--channel", "email", code=4)


def test_why_is_one_screen_and_one_document(cli, ask, instance, tmp_path):
    opted_out = tmp_path / "out.csv"
    opted_out.write_text("external_id,email_ok\n5,false\n")
    cli(*instance, "import", opted_out, "--identity", "external_id=external_id", "--map", "email_ok=email_ok")
    cli(*instance, "suppressions", "import", "--address", "email:p5@example.com", "--reason", "complaint")
    number = ask(*instance, "profiles", "lookup", "external_id", "5")["name"].rsplit("/", 1)[1]
    why = cli(*instance, "why", number)
    assert len(why.splitlines()) <= 40
    for words in ("p5@example.com", "vip", "realized", "opted out", "suppressed", "complaint", "every channel",
                  "not recorded"):
        assert words in why, why
    told = ask(*instance, "why", "external_id:5")
    assert [block["reason"] for block in told["reachability"][0]["blocks"]] == [
        "EXCLUSION_REASON_OPTED_OUT", "EXCLUSION_REASON_SUPPRESSED"]
    assert told["reachability"][0]["blocks"][1]["identity"]["value"] == "p5@example.com"
    assert told["destinations"][0]["recorded"] is False
    assert "RESOURCE_NOT_FOUND" in cli(*instance, "why", "999", code=4)
    assert "p6x" not in cli(*instance, "why", "email:p6x@example.com", code=4)
