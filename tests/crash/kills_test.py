"""tests/crash/run and tests/crash/cuts, a sample of each; kills_long_test.py runs them whole."""

import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent


def figures(command: list[str], seconds: int) -> dict[str, int]:
    """Runs it to its end and returns the line it ends with."""
    done = subprocess.run([HERE / command[0], *command[1:]], capture_output=True, text=True, timeout=seconds)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}


def test_nothing_is_lost_or_doubled_by_forty_kills_of_the_server_and_its_consumers():
    told = figures(["run", "--kills", "40", "--seed", "11"], 180)
    assert (told["lost"], told["doubled"], told["kills"]) == (0, 0, 40)
    assert told["consumer_kills"] >= 40
    assert told["received"] > 10_000


def test_nothing_is_lost_or_doubled_when_the_server_is_killed_again_while_it_starts():
    told = figures(["run", "--kills", "5", "--double", "--seed", "12"], 90)
    assert (told["lost"], told["doubled"], told["killed_starts"]) == (0, 0, 5)


def test_nothing_is_lost_or_doubled_by_sixty_cuts():
    told = figures(["cuts", "--points", "60", "--seed", "13"], 240)
    assert (told["lost"], told["doubled"], told["points"]) == (0, 0, 60)
    assert told["reached"] >= 50
    assert told["client_kills"] >= 3


@pytest.mark.parametrize("plant", ["cursor-ahead", "double-on-retry", "lost-epoch-fence", "skip-row"])
def test_cuts_see_the_planted_bug(plant):
    # It ends with the first thing it sees; how soon that is depends on where the machine is slow.
    figures(["cuts", "--points", "600", "--plant", plant, "--seed", "14"], 300)
