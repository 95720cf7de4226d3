"""`passerelle credentials`, `roles` and `whoami` against a server that asks for keys."""

import json
import os
import pathlib
import stat
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/access")]

import guarded_server  # noqa: E402
import live_server  # noqa: E402


@pytest.fixture(scope="module")
def server():
    with guarded_server.GuardedServer() as running:
        yield running


@pytest.fixture
def run(server, tmp_path):
    """Runs the program as whoever has this key file; the administrator by default."""

    def call(*arguments, code=0, key_file=None):
        key = key_file or pathlib.Path(server.data, "d.admin.key")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PASSERELLE_")}
        command = [live_server.find_program("passerelle"), "--server", server.address, *map(str, arguments)]
        environment = {**kept, "HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "PASSERELLE_API_KEY_FILE": str(key)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    return call


def test_a_key_is_made_used_limited_rotated_revoked_and_forgotten(run, tmp_path):
    key = tmp_path / "nightly.key"
    made = run("credentials", "create", "nightly", "--role", "cdp", "--only-instance", "default", "--key-out", key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and "psk." not in made.stdout
    assert "credentials/nightly" in run("whoami", key_file=key).stdout
    run("instances", "usage", key_file=key)
    denied = run("attributes", "create", "city", "--type", "string", code=1, key_file=key)
    assert "schema.write" in denied.stderr
    again = tmp_path / "again.key"
    run("credentials", "rotate", "nightly", "--grace", "1h", "--key-out", again)
    for file in (key, again):
        run("instances", "usage", key_file=file)
    listed = json.loads(run("--json", "credentials", "list").stdout)["credentials"]
    assert {found["name"]: found["state"] for found in listed}["credentials/nightly"] == "STATE_ACTIVE"
    run("credentials", "delete", "nightly", code=1)
    run("credentials", "revoke", "nightly")
    refused = run("instances", "usage", code=1, key_file=again)
    assert "no valid credential" in refused.stderr
    run("credentials", "delete", "nightly")
    run("credentials", "get", "nightly", code=4)


def test_a_key_is_printed_once_where_no_file_is_asked_for(run):
    told = json.loads(run("--json", "credentials", "create", "printed", "--role", "analyst").stdout)
    assert told["key"].startswith("psk.printed.")
    assert "key" not in json.loads(run("--json", "credentials", "get", "printed").stdout)


def test_a_file_that_is_there_is_not_written_over_and_no_key_is_made(run, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    refused = run("credentials", "create", "lost", "--role", "cdp", "--key-out", taken, code=2)
    assert "no key was made" in refused.stderr and taken.read_text() == "mine"
    run("credentials", "get", "lost", code=4)


def test_a_key_that_could_not_be_made_leaves_no_file(run, tmp_path):
    run("credentials", "create", "broken", "--role", "norole", "--key-out", tmp_path / "none", code=2)
    assert not (tmp_path / "none").exists()


def test_roles_of_ones_own(run):
    run("roles", "create", "counter", "--scope", "audiences.read", "--scope", "reports.read")
    roles = json.loads(run("--json", "roles", "list").stdout)["roles"]
    assert [role["name"] for role in roles][:2] == ["roles/admin", "roles/analyst"]
    assert next(r for r in roles if r["name"] == "roles/counter")["scopes"] == [
        "SCOPE_AUDIENCES_READ", "SCOPE_REPORTS_READ"]
    wrong = run("roles", "create", "odd", "--scope", "everything", code=2)
    assert "--scope: got 'everything'" in wrong.stderr
    run("credentials", "create", "counts", "--role", "counter", "--key-out", "/dev/null", code=2)
    run("roles", "delete", "counter")
    run("roles", "delete", "admin", code=2)


def test_a_certificate_needs_no_key(run):
    told = json.loads(run("--json", "credentials", "create", "crm", "--role", "campaign", "--certificate",
                          "crm.example").stdout)
    assert told["key"] == "" and told["credential"]["certificate_name"] == "crm.example"
    update = json.loads(run("--json", "credentials", "update", "crm", "--calls-per-second", "5").stdout)
    assert update["calls_per_second"] == 5 and update["roles"] == ["roles/campaign"]
    assert "nothing to change" in run("credentials", "update", "crm", code=2).stderr
