"""tests/model/run, a sample; model_long_test.py runs it at length."""

import pathlib
import re
import subprocess

import pytest

RUN = pathlib.Path(__file__).resolve().parent / "run"


def figures(*flags: str, seconds: int) -> dict[str, int]:
    """Runs it to its end and returns the line it ends with."""
    done = subprocess.run([RUN, *flags], capture_output=True, text=True, timeout=seconds)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout.splitlines()[-1])}


def test_the_store_does_what_the_model_does_in_two_thousand_runs():
    told = figures("--seeds", "2000", "--ops", "200000", "--seed", "1", seconds=500)
    assert (told["lost"], told["doubled"]) == (0, 0)
    assert told["received"] > 50_000
    assert told["applied"] > 30_000


def test_the_server_does_what_the_model_does_in_twenty_runs():
    told = figures("--wire", "--seeds", "20", "--ops", "2000", "--seed", "1", seconds=300)
    assert (told["lost"], told["doubled"]) == (0, 0)
    assert told["received"] > 500


@pytest.mark.parametrize(
    "plant",
    [
        "double-on-retry",
        "duplicate-accepted",
        "equal-time-optin-wins",
        "export-skips-a-row",
        "optout-lost",
        "replace-mixes",
        "request-forgotten",
        "scope-ignored",
        "stale-wins",
    ],
)
def test_a_bug_planted_before_the_store_is_caught(plant):
    told = figures("--plant", plant, "--no-shrink", "--seeds", "200", "--ops", "20000", seconds=300)
    assert told["lost"] + told["doubled"] > 0


@pytest.mark.parametrize("plant", ["ack-before-commit", "cursor-ahead", "double-on-retry", "lost-epoch-fence"])
def test_a_bug_planted_in_the_server_is_caught(plant):
    told = figures("--wire", "--plant", plant, "--no-shrink", "--seeds", "40", "--ops", "4000", seconds=400)
    assert told["lost"] + told["doubled"] > 0


def test_a_seed_alone_gives_the_same_run_again():
    run = ("--seeds", "1", "--ops", "300", "--seed")
    first = figures(*run, "77", seconds=60)
    assert first["answers"] != 0
    assert first == figures(*run, "77", "--jobs", "1", seconds=60)
    assert first["answers"] != figures(*run, "78", seconds=60)["answers"]
