"""A rotation of the master keys that dies in the middle leaves the old file or the new one, whole."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from crash_server import live_server  # noqa: E402

SIGKILLED = -9
# Where it dies, and how many keys there are then.
EDIT_FAULTS = {"edit-before-rename": 1, "edit-after-rename": 2}


def keys(program, *arguments, **environment):
    command = [live_server.find_program(program), "keys", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


def ids_in(key_file):
    listed = keys("passerelled", "list", "--json", "--key-file", key_file)
    assert listed.returncode == 0, listed.stderr
    return [key["id"] for key in json.loads(listed.stdout)["keys"]]


@pytest.mark.parametrize("fault", EDIT_FAULTS)
def test_a_rotation_that_dies_leaves_a_whole_file_and_can_be_done_again(fault, tmp_path):
    key_file = tmp_path / "d.key"
    key_file.write_text("key 00000001 " + "11" * 32 + "\n")
    key_file.chmod(0o600)
    died = keys("passerelled_faults", "rotate", "--key-file", key_file, PASSERELLE_FAULT=f"{fault}:1")
    assert died.returncode == SIGKILLED
    left = ids_in(key_file)
    assert len(left) == EDIT_FAULTS[fault] and left[-1] == "00000001"
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert keys("passerelled", "rotate", "--key-file", key_file).returncode == 0
    assert ids_in(key_file)[1:] == left
    assert list(tmp_path.iterdir()) == [key_file]
