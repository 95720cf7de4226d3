"""The bugs that tests/crash/disk must catch and that it needs its patience for."""

import pytest
from disk_test import LONG_PLANTS, run


@pytest.mark.parametrize("plant", LONG_PLANTS)
def test_a_planted_bug_is_caught(plant):
    done = run("--plant", plant)
    assert done.returncode == 0, done.stderr + done.stdout
    assert f"plant {plant} was caught" in done.stdout
