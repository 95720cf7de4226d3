"""tests/crash/io: a sample of its points, and every bug that it must catch."""

import pathlib
import re
import subprocess

import pytest

IO = pathlib.Path(__file__).with_name("io")
# Each bug, and a part that sees it.
CAUGHT = (
    ("ack-before-commit", "power"),
    ("ack-despite-failed-sync", "syncs"),
    ("synchronous-off", "power"),
    ("checkpoint-without-sync", "power"),
    ("skip-row", "power"),
    ("skip-row", "calls"),
)
PLANTS = {plant for plant, _ in CAUGHT}


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([IO, *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_nothing_acknowledged_is_lost_however_the_disk_fails():
    done = run("--points", "200", "--seed", "1")
    assert done.returncode == 0, done.stderr + done.stdout
    figures = re.fullmatch(
        r"received=(\d+) applied=(\d+) lost=0 doubled=0 seed=1", done.stdout.splitlines()[-1]
    )
    assert figures, done.stdout
    assert figures[1] == figures[2]
    parts = re.search(r"power=(\d+) syncs=(\d+) calls=(\d+) unreached=(\d+) different=0\n", done.stdout)
    assert parts, done.stdout
    power, syncs, calls, unreached = (int(number) for number in parts.groups())
    assert power == 200
    assert syncs >= 100, "there are about 126 in a life"
    assert calls >= 190
    assert unreached <= 16, "lives that ended before their fault"


@pytest.mark.parametrize("plant, part", CAUGHT)
def test_a_planted_bug_is_caught(plant, part):
    done = run("--plant", plant, "--points", "400", "--only", part)
    assert done.returncode == 0, done.stdout
    assert f"plant {plant} was caught" in done.stdout
    assert re.search(r"doubled=\d+ seed=1$", done.stdout.rstrip())


def test_a_bug_that_is_not_there_is_not_caught():
    done = run("--plant", "nothing", "--points", "4", "--only", "power")
    assert done.returncode == 1
    assert "plant nothing was not caught" in done.stdout
