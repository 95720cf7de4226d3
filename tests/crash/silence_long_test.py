"""A connection that goes silent for good is given up by both clients, and the work is done over another."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from crash_server import CrashServer, live_server  # noqa: E402

live_server.use_client()

import passerelle  # noqa: E402
import traffic  # noqa: E402
from cut_clients import Clients, Job, write_rows  # noqa: E402
from fault_proxy import DOWN, UP, Fault, FaultProxy  # noqa: E402

KEEPALIVE_SECONDS = 30 + 20  # a ping after, an answer within
FOR_EVER = 10_000.0


@pytest.fixture
def server(tmp_path):
    running = CrashServer(str(tmp_path))
    running.start()
    with passerelle.connect(running.address) as client:
        traffic.prepare(client)
    yield running
    assert running.stop() == 0


@pytest.fixture
def clients(tmp_path):
    made = Clients(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("language", Clients.LANGUAGES)
@pytest.mark.parametrize("direction", [UP, DOWN])
def test_silence_in_the_middle_of_a_stream_does_not_hang_the_loop(server, clients, tmp_path, language, direction):
    flow = traffic.Append(1)
    job = Job("append", flow.stream(0), tmp_path / "rows", 50, flow, 0, 500)
    write_rows(job.file, flow, 0, job.total)
    proxy = FaultProxy(server.address)
    fault = Fault(direction, "message", 5, "stall", FOR_EVER)
    proxy.arm(fault)
    process = clients.start(language, job, proxy.address)
    answer = process.answer(KEEPALIVE_SECONDS + 15)
    process.end()
    proxy.close()
    assert fault.fired.is_set()
    assert answer["ok"], answer["error"]
    assert answer["total"] == job.total
