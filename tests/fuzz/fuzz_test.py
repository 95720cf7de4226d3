"""tests/fuzz/run, 15 s for each target; longer by hand."""

import pathlib
import re
import subprocess

RUN = pathlib.Path(__file__).with_name("run")


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([RUN, *arguments], capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


def test_hostile_text_breaks_nothing():
    code, told = run("--seconds", "15")
    assert code == 0, told
    inputs = [int(number) for number in re.findall(r"^\w+: (\d+) inputs in 15 s, 0 findings$", told, re.MULTILINE)]
    assert len(inputs) == 5 and min(inputs) > 1000, told


def test_a_planted_bug_is_found():
    code, told = run("--seconds", "60", "planted")
    assert code == 1 and "planted: a finding" in told and "heap-buffer-overflow" in told, told
