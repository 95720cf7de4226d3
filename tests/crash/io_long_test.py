"""tests/crash/io at 2,000 points of each part."""

import pathlib
import subprocess

IO = pathlib.Path(__file__).with_name("io")


def test_two_thousand_points_lose_nothing():
    command = [IO, "--points", "2000", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3_600, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "lost=0 doubled=0 seed=7" in done.stdout
