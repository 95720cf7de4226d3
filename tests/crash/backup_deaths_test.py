"""A backup or a restore that dies in the middle is never taken for a whole one, and can be done again."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from crash_server import CrashServer, live_server  # noqa: E402

SIGKILLED = -9
ROWS = 2_000
BACKUP_FAULTS = ("backup-before-meeting", "backup-after-meeting", "backup-before-rename")
RESTORE_FAULTS = ("restore-before-rename",)


def run(program, *arguments, **environment):
    command = [live_server.find_program(program), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


def fill(server, folder):
    people = folder / "people.csv"
    people.write_text("external_id,city\n" + "".join(f"{i},Lyon\n" for i in range(ROWS)))
    told = run("passerelle", "import", people, "--create-attributes", "--stream", "people",
               PASSERELLE_SERVER=server.address)
    assert told.returncode == 0, told.stderr


def records_of(server):
    told = run("passerelle", "--json", "streams", "get", "people", PASSERELLE_SERVER=server.address)
    return int(json.loads(told.stdout)["next_offset"])


@pytest.mark.parametrize("fault", BACKUP_FAULTS)
def test_a_backup_that_dies_leaves_nothing_that_looks_whole(fault, tmp_path):
    server = CrashServer(str(tmp_path), "passerelled_faults")
    server.start()
    fill(server, tmp_path)
    assert server.stop() == 0
    server.set_environment(PASSERELLE_FAULT=f"{fault}:1")
    server.start()
    assert run("passerelle", "backup", "monday", PASSERELLE_SERVER=server.address).returncode != 0
    assert server.process.wait(timeout=10) == SIGKILLED
    server.process.stdout.close()
    backups = tmp_path / "d" / "backups"
    assert not (backups / "monday").exists()
    server.set_environment(PASSERELLE_FAULT="")
    server.start()
    assert records_of(server) == ROWS
    assert list(backups.iterdir()) == []
    done = run("passerelle", "backup", "monday", PASSERELLE_SERVER=server.address)
    assert done.returncode == 0, done.stderr
    assert run("passerelled", "restore", "--check-only", "--from", backups / "monday").returncode == 0
    assert server.stop() == 0
    assert server.examine() == []


@pytest.mark.parametrize("fault", RESTORE_FAULTS)
def test_a_restore_that_dies_is_no_store_and_is_done_again(fault, tmp_path):
    server = CrashServer(str(tmp_path), "passerelled_faults")
    server.start()
    fill(server, tmp_path)
    assert run("passerelle", "backup", "monday", PASSERELLE_SERVER=server.address).returncode == 0
    assert server.stop() == 0
    saved, fresh = tmp_path / "d" / "backups" / "monday", tmp_path / "new" / "d"
    fresh.parent.mkdir()
    restore = ("restore", "--from", saved, "--data", fresh)
    assert run("passerelled_faults", *restore, PASSERELLE_FAULT=f"{fault}:1").returncode == SIGKILLED
    refused = run("passerelled", "--data", fresh, "--listen", "127.0.0.1:0", "--insecure-loopback")
    assert refused.returncode != 0 and "restore" in refused.stderr
    done = run("passerelled", *restore)
    assert done.returncode == 0, done.stderr
    for kept_apart in ("d.erasures", "d.key"):
        shutil.copy2(tmp_path / kept_apart, fresh.parent)
    again = CrashServer(str(fresh.parent), "passerelled")
    again.start()
    assert records_of(again) == ROWS
    assert again.stop() == 0
    assert again.examine() == []
