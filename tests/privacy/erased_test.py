"""tests/privacy/erased finds nobody, and finds what is planted."""

import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import erasing  # noqa: E402


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([HERE / "erased", *arguments], capture_output=True, text=True, timeout=570, check=False)
    return done.returncode, done.stdout + done.stderr


def test_an_erased_person_is_nowhere_and_never_comes_back():
    code, told = run()
    figures = re.search(r"restarts=1 deaths=(\d+) restores=2 came_back=(\d+) wrong=0 seconds=\d+ hits=0$", told.strip())
    assert code == 0 and figures, told
    assert int(figures[1]) == len(erasing.DEATHS) + len(erasing.ACCESS_FAULTS) and int(figures[2]) > 50
    for place in ("files named profiles.db:", "files named logs.db:", "files named d.erasures:", "the server's log:",
                  "answers of calls that read:"):
        assert place in told, told


@pytest.mark.parametrize("plant", [*erasing.OWN_PLANTS, *erasing.SERVER_PLANTS])
def test_what_is_planted_is_found(plant):
    code, told = run("--plant", plant, "--people", "40")
    assert code == 0 and f"plant {plant} was found" in told, told
