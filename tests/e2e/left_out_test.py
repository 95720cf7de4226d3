"""Of 100,000 profiles, nobody who must not be reached is in an output produced after that."""

import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = re.compile(r"^received=100000 (.*) outputs=(\d+) rows=(\d+) leaked=0$")


def test_nobody_who_must_not_be_reached_is_in_an_output():
    command = [sys.executable, str(HERE / "left_out.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=dict(os.environ))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    figures = FIGURES.match(done.stdout.splitlines()[-1])
    assert figures, done.stdout
    assert int(figures[2]) == 6 and int(figures[3]) > 200_000
