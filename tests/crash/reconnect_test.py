"""Both shipped clients wait for a server that is away, and find it soon after it is back."""

import pathlib
import sys
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from crash_server import CrashServer, live_server  # noqa: E402

live_server.use_client()

import passerelle  # noqa: E402
import traffic  # noqa: E402
from cut_clients import Clients, Job, write_rows  # noqa: E402
from fault_proxy import DOWN, Fault, FaultProxy  # noqa: E402

AWAY_SECONDS = 6.0
BACK_SECONDS = 12.0  # the longest wait of a loop is 4 s


@pytest.fixture
def server(tmp_path):
    running = CrashServer(str(tmp_path))
    running.start()
    with passerelle.connect(running.address) as client:
        traffic.prepare(client)
    yield running
    assert running.stop() == 0


def jobs(folder):
    """One of each kind for each client, by name."""
    for number, language in enumerate(Clients.LANGUAGES):
        for kind in ("import", "sync", "members"):
            flow = next((flow(1) for flow in traffic.FLOWS if flow.name == kind), None)
            file, total = folder / f"{language}-{kind}", 200 if flow else 0
            if flow:
                write_rows(file, flow, number, total)
            name = flow.stream(number) if flow else "vip"
            yield language, Job(kind, name, file, 100, flow, number, total)


def test_loops_begin_while_the_server_is_away(server, tmp_path):
    clients = Clients(tmp_path)
    started = [(clients.start(language, job, server.door), job) for language, job in jobs(tmp_path)]
    time.sleep(AWAY_SECONDS)
    server.open_door()
    answers = [(process.answer(BACK_SECONDS), job) for process, job in started]
    for process, _ in started:
        process.end()
    clients.close()
    for answer, job in answers:
        assert answer["ok"], f"{job.file.name}: {answer['error']}"
        assert answer["total"] == job.total


def test_an_acknowledgement_waits_for_a_server_that_was_killed(server):
    append = traffic.Append(1)
    server.open_door()
    with passerelle.connect(server.door) as client:
        append.run(client, 0, list(append.rows(0, 0, 50)))
        batch = next(b for b in client.export_logs("sends", consumer="default") if b.rows)
        server.close_door()
        server.kill()

        def come_back():
            server.start()
            server.open_door()

        threading.Timer(1.0, come_back).start()
        batch.acknowledge()
        assert [b.rows for b in client.export_logs("sends", consumer="default") if b.rows] == []


def test_a_silence_longer_than_the_patience_is_no_reason_to_give_up(server):
    append, patience, silence = traffic.Append(1), 0.5, 2.0
    proxy = FaultProxy(server.address)
    fault = Fault(DOWN, "message", 1, "stall-cut", silence)
    proxy.arm(fault)
    with passerelle.connect(proxy.address) as client:
        result = append.run(client, 0, list(append.rows(0, 0, 50)), retry_for=patience)
    proxy.close()
    assert fault.fired.is_set()
    assert (result.total_records, result.reconnects) == (50, 1)
