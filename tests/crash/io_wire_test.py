"""A sync or a write of the disk fails under a live server: what the commit did is unknown, the server says so and ends,
and after its start the clients go on with nothing lost or doubled."""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from crash_server import live_server  # noqa: E402

live_server.use_client()

from scenario import Scenario  # noqa: E402

FAILED = 1  # the exit code of a server whose store failed
# Early ones are of the start, the others of commits and checkpoints of every flow.
FAULTS = ["sync:1", "sync:9", "sync:20", "sync:31", "sync:43", "sync:60:for-ever", "write:40", "write:400", "write:900"]


def run(fault: str, folder: pathlib.Path) -> Scenario:
    scenario = Scenario(folder, io_fault=fault)
    scenario.run()
    return scenario


def test_failing_syncs_and_writes_lose_and_double_nothing_and_are_told_as_unknown(tmp_path):
    told = ended = fired = 0
    for number, fault in enumerate(FAULTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        scenario = run(fault, folder)
        assert not scenario.findings, (fault, scenario.findings)
        assert set(scenario.deaths) <= {FAILED}, fault
        fired += scenario.fired()
        ended += len(scenario.deaths)
        told += (folder / "server.log").read_text().count('"reason":"COMMIT_OUTCOME_UNKNOWN"')
    print(f"faults={fired} of {len(FAULTS)} servers_ended={ended} told_unknown={told} lost=0 doubled=0")
    assert fired >= len(FAULTS) - 1
    assert ended >= 4
    assert told >= 2


def test_a_fault_that_cannot_be_read_is_refused_by_name():
    environment = {"PASSERELLE_IO_FAULT": "sink:1", "PASSERELLE_IO_ROOT": "d"}
    program = live_server.find_program("passerelled_faults")
    ended = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, timeout=20)
    assert ended.returncode != 0
    assert "PASSERELLE_IO_FAULT: got 'sink:1'" in ended.stderr
