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


@pytest.mark.parametrize("language", Clients.LANGUAGES)
@pytest.mark.parametrize("kind", ["import", "sync", "members"])
def test_a_loop_begins_while_the_server_is_away(server, tmp_path, language, kind):
    flow = next((flow(1) for flow in traffic.FLOWS if flow.name == kind), None)
    job = Job(kind, flow.stream(0) if flow else "vip", tmp_path / "rows", 100, flow, 0, 200 if flow else 0)
    if flow:
        write_rows(job.file, flow, 0, job.total)
    clients = Clients(tmp_path)
    process = clients.start(language, job, server.door)
    time.sleep(AWAY_SECONDS)
    server.open_door()
    answer = process.answer(BACK_SECONDS)
    process.end()
    clients.close()
    assert answer["ok"], answer["error"]
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
