"""Every seventh of the calls to the disk that the scenario makes fails, one in each run."""

import shutil

import io_wire_test

CALLS = 4_200  # more than the scenario makes


def test_every_seventh_call_fails_once_and_nothing_is_lost_or_doubled(tmp_path):
    ended = fired = 0
    for nth in range(1, CALLS, 7):
        folder = tmp_path / str(nth)
        folder.mkdir()
        scenario = io_wire_test.run(f"any:{nth}", folder)
        assert not scenario.findings, (nth, scenario.findings)
        assert set(scenario.deaths) <= {io_wire_test.FAILED}, nth
        last = scenario.fired()
        fired += last
        ended += len(scenario.deaths)
        shutil.rmtree(folder)  # each has a reserve of 64 MiB
    print(f"faults={fired} servers_ended={ended} lost=0 doubled=0")
    assert not last, f"the scenario makes more than {CALLS} calls: raise CALLS"
    assert fired > CALLS // 7 // 2
    assert ended > 50
