"""The C++ example, which the API reference shows, does the three flows; a second time nothing is doubled."""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import live_server  # noqa: E402

FLOWS = ["imported", "pushed", "synced", "appended"]


def run(address):
    """What the example received, flow by flow, and all that it printed."""
    command = [live_server.find_program("example_three_flows"), address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [(flow, int(found[1])) for line in done.stdout.splitlines() for flow in FLOWS
            if flow in line and (found := re.search(r": (\d+) received", line))]
    assert [flow for flow, _ in rows] == FLOWS, done.stdout
    return [received for _, received in rows], done.stdout


def test_the_example_does_the_three_flows_and_doubles_nothing():
    with live_server.LiveServer() as server:
        received, printed = run(server.address)
        assert all(received), printed
        received, printed = run(server.address)
        assert not any(received), printed
