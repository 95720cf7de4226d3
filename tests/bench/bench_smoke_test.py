"""The bench runs, does the same work on both sides, and says what came of it in JSON."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

BENCH = pathlib.Path(os.environ["PASSERELLE_BIN"]) / "passerelle_bench"
ROWS = ["sync", "push", "append", "export", "add-attribute"]


def run(*arguments, folder, timeout=120):
    return subprocess.run([BENCH, *arguments], env={**os.environ, "TMPDIR": str(folder)},
                          capture_output=True, text=True, timeout=timeout)


def test_every_row_is_measured_and_told_in_json(tmp_path):
    done = run("--rows", "2000", "--pairs", "1", "--json", "--seed", "7", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["row"] for line in lines] == ROWS
    for line in lines:
        assert line["other"] == "raw"
        assert line["ours_per_s"] > 0 and line["other_per_s"] > 0
        assert 0 < line["ratio_min"] <= line["ratio_median"] <= line["ratio_max"]
        assert line["peak_rss_bytes"] > 0
        assert line["settings"]["rows"] == 2000 and line["settings"]["seed"] == 7
    assert list(tmp_path.iterdir()) == []


def test_people_get_a_table(tmp_path):
    done = run("--only", "append", "--rows", "500", "--pairs", "2", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    heading, row = done.stdout.splitlines()[-2:]
    assert heading.split()[:2] == ["row", "ratio"] and row.startswith("append ")


@pytest.mark.parametrize("arguments", [["--rows", "20000001"], ["--rows", "0"], ["--pairs", "0"],
                                       ["--only", "sync,swim"]])
def test_wrong_arguments_are_refused_before_anything_starts(arguments, tmp_path):
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert arguments[0] in done.stderr
    assert list(tmp_path.iterdir()) == []


def server_below(folder):
    """The pid of the server whose data lie in folder; None while there is none."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            continue
        if "passerelled" in command and str(folder) in command:
            return int(entry.name)
    return None


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_an_interrupt_stops_the_server_and_removes_the_data(tmp_path):
    bench = subprocess.Popen([BENCH, "--rows", "1000000", "--only", "sync"],
                             env={**os.environ, "TMPDIR": str(tmp_path)},
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: server_below(tmp_path) is not None)
        bench.send_signal(signal.SIGINT)
        assert bench.wait(timeout=30) == 128 + signal.SIGINT
    finally:
        bench.kill()
    assert wait_for(lambda: server_below(tmp_path) is None)
    assert list(tmp_path.iterdir()) == []
