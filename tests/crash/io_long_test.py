"""tests/crash/io at 2,000 points of each part."""

import pathlib
import re
import subprocess

IO = pathlib.Path(__file__).with_name("io")


def test_two_thousand_points_lose_nothing():
    command = [IO, "--points", "2000", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3_600, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "lost=0 doubled=0 seed=7" in done.stdout
    parts = re.search(r"power=(\d+) syncs=(\d+) calls=(\d+) unreached=(\d+) different=0\n", done.stdout)
    assert parts, done.stdout
    power, syncs, calls, unreached = (int(number) for number in parts.groups())
    assert power == 2_000
    assert syncs >= 100
    assert calls >= 1_900
    assert unreached <= 110
