"""tests/privacy/canaries finds nothing, and finds what is planted."""

import pathlib
import re
import subprocess

import pytest

CANARIES = pathlib.Path(__file__).with_name("canaries")


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([CANARIES, *arguments], capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


def test_personal_data_and_secrets_are_nowhere_they_must_not_be():
    code, told = run()
    figures = re.search(r"methods=(\d+) calls=(\d+) refused=(\d+) hits=0$", told.strip())
    assert code == 0 and figures, told
    assert int(figures[1]) > 80 and int(figures[3]) > 2000
    searched = [int(number.replace(",", "")) for number in re.findall(r"searched ([\d,]+)", told)]
    assert len(searched) == 4 and min(searched) > 50, told


@pytest.mark.parametrize("plant", ["error-text", "log", "trail", "secret"])
def test_what_is_planted_is_found(plant):
    code, told = run("--plant", plant)
    assert code == 0 and f"plant {plant} was found" in told, told
