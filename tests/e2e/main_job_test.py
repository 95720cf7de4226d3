"""The main job of the README's promise, on the real file where it is, and on made-up customers."""

import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
REAL_FILE = HERE.parents[1].parent / "shared" / "data" / "hillstrom.csv.gz"
FIGURES = re.compile(r"^received=(\d+) applied=(\d+) lost=0 doubled=0 seed=0$")


def run(*arguments: str) -> str:
    done = subprocess.run([HERE / "hillstrom", *arguments], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("file", [None, REAL_FILE] if REAL_FILE.exists() else [None])
def test_every_row_of_the_main_job_is_accounted_for(file):
    output = run(*([str(file)] if file else []))
    figures = FIGURES.match(output.splitlines()[-1])
    assert figures, output
    assert int(figures[1]) > (400_000 if file else 40_000)
    if file:
        assert "click rate 18.3%" in output and "click rate 15.1%" in output
