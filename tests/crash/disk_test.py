"""tests/crash/disk, and the bugs that it must catch."""

import pathlib
import re
import subprocess

import pytest

DISK = pathlib.Path(__file__).with_name("disk")
CANNOT_MOUNT = 77
PLANTS = ("no-early-refusal",)
LONG_PLANTS = ("skip-row", "keep-reserve", "stay-closed")  # in disk_long_test.py


def run(*arguments: str) -> subprocess.CompletedProcess:
    done = subprocess.run([DISK, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != CANNOT_MOUNT, (
        f"nothing is proven here: {done.stderr.strip()}; run it as root, or where a user may make namespaces to "
        "mount in (sysctl kernel.unprivileged_userns_clone=1; in a container: --cap-add SYS_ADMIN)"
    )
    return done


def test_a_full_disk_refuses_early_and_goes_on_by_itself():
    done = run("--seed", "3")
    assert done.returncode == 0, done.stderr + done.stdout
    figures = re.fullmatch(
        r"received=(\d+) applied=(\d+) lost=0 doubled=0 seed=3", done.stdout.splitlines()[-1]
    )
    assert figures and figures[1] == figures[2], done.stdout


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_caught(plant):
    done = run("--plant", plant)
    assert done.returncode == 0, done.stderr + done.stdout
    assert f"plant {plant} was caught" in done.stdout
