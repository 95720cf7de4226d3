"""Every limit of docs/limits.md, and every setting in README.md's tables: its default is what the server prints, what tests it is there, and those that only a
running server can show are gone over here, with small settings: the error names the limit and its setting, and the
server goes on."""

import collections
import concurrent.futures
import json
import pathlib
import re
import socket
import subprocess
import time
import types

import grpc
import live_server
import pytest

live_server.use_client()

import passerelle  # noqa: E402
from passerelle.errors import PasserelleError  # noqa: E402
from passerelle.ingest import Row  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    instance_service_pb2,
    log_entry_pb2,
    log_service_pb2,
    profile_service_pb2,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
UNITS = {"": 1, "days": 1, "KiB": 1024, "MiB": MIB, "GiB": 1024 * MIB}
NOT_SHOWN = ["`--grpc-memory-bytes`"]  # only gRPC itself could tell


def table(document: str = "docs/limits.md") -> list[list[str]]:
    """The rows of a document's tables: of docs/limits.md what, default, setting, over it, tested by."""
    lines = (ROOT / document).read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row in rows if row[0] not in ("what", "---")]


def get_instance(client, **options):
    return client.stubs.instances.GetInstance(
        instance_service_pb2.GetInstanceRequest(name=client.instance), timeout=10, **options
    )


def refusal(call, *arguments, **options) -> PasserelleError:
    with pytest.raises((PasserelleError, grpc.RpcError)) as caught:
        call(*arguments, **options)
    return caught.value if isinstance(caught.value, PasserelleError) else PasserelleError(caught.value)


def another_channel(server):
    """A connection that is not shared with others of this process."""
    return passerelle.Client(grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)]))


def follow(client):
    call = client.stubs.logs.ExportLogs(log_service_pb2.ExportLogsRequest(name=client.instance, follow=True))
    assert next(call).HasField("header")
    return call


def idle_connection(server) -> socket.socket:
    host, port = server.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


@pytest.mark.parametrize("document, settings", [("docs/limits.md", 15), ("README.md", 6)])
def test_the_defaults_are_those_that_the_server_prints(document, settings):
    printed = subprocess.run(
        [live_server.find_program("passerelled"), "--data", "d", "--print-config"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    checked = 0
    for what, default, *more in table(document):
        if not more or not more[0].startswith("`--"):
            continue
        name = re.match(r"`--([\w-]+)`", more[0])[1]
        match = re.search(rf"^{name} = (-?\d+)$", printed, re.MULTILINE)
        assert match, f"{what}: there is no setting --{name}"
        number, unit = re.fullmatch(r"([\d,]+)(?: (\w+))?", default).groups()
        assert int(match.group(1)) == int(number.replace(",", "")) * UNITS.get(unit or "", 1), what
        checked += 1
    assert checked >= settings


def test_every_limit_names_a_test_that_is_there():
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*_test.*"))
    sources += "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*contract*.cc"))
    not_shown = []
    for what, _, setting, *_, tests in table():
        if tests.startswith("not shown: "):
            not_shown.append(setting)
            continue
        names = re.findall(r"`(\w+)`", tests)
        assert names, f"{what}: no test is named"
        for name in names:
            assert re.search(rf"\b{name}\b", sources), f"{what}: no test is called {name}"
    assert not_shown == NOT_SHOWN


def test_connections_over_the_limit_are_told_so_and_closed_ones_make_room():
    with live_server.LiveServer(None, "--max-connections", "3") as server:
        idle = [idle_connection(server) for _ in range(3)]
        with another_channel(server) as client:
            error = refusal(get_instance, client)
            assert error.code is grpc.StatusCode.UNAVAILABLE
            assert "HTTP status 503" in error.message
            idle.pop().close()
            assert get_instance(client, wait_for_ready=True).name == client.instance
        assert '"event":"connections_refused"' in server.log()
        assert '"setting":"--max-connections"' in server.log()
        for connection in idle:
            connection.close()


def test_a_thousand_connections_that_say_nothing_keep_nobody_out():
    with live_server.LiveServer(None, "--max-connections", "1100") as server:
        idle = [idle_connection(server) for _ in range(1000)]
        with another_channel(server) as client:
            assert get_instance(client).name == client.instance
            ended = 0
            for connection in idle:  # within the time of a handshake, 10 s
                connection.settimeout(20)
                while connection.recv(4096):
                    pass
                ended += 1
                connection.close()
            assert ended == 1000
            assert get_instance(client).name == client.instance


def test_calls_over_the_limit_are_refused_and_named():
    with live_server.LiveServer(None, "--max-calls", "2") as server, passerelle.connect(server.address) as client:
        open_calls = [follow(client), follow(client)]
        error = refusal(get_instance, client)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert "limit 2 (--max-calls)" in error.message
        assert error.retry_delay > 0
        open_calls[0].cancel()
        assert client.call(client.stubs.instances.GetInstance,
                           instance_service_pb2.GetInstanceRequest(name=client.instance)).name  # fmt: skip
        open_calls[1].cancel()


def stop_the_clock(monkeypatch) -> types.SimpleNamespace:
    """Gives the client's loops a clock that moves only while they sleep."""
    clock = types.SimpleNamespace(now=1000.0, monotonic=lambda: clock.now)

    def sleep(stop, seconds: float) -> bool:
        clock.now += seconds
        return stop.is_set()

    for module in ("passerelle.client", "passerelle.patience"):
        monkeypatch.setattr(f"{module}.time", clock)
    monkeypatch.setattr("passerelle.patience.Stop.sleep", sleep)
    return clock


def test_a_call_that_finds_no_turn_ends_in_time_and_as_refused(monkeypatch):
    with live_server.LiveServer(None, "--max-calls", "1") as server, passerelle.connect(server.address) as client:
        only = follow(client)
        clock = stop_the_clock(monkeypatch)
        begin, left = clock.now, []

        def ask(request, timeout):
            left.append(begin + 5 - clock.now - timeout)
            return client.stubs.instances.GetInstance(request, timeout=60)

        request = instance_service_pb2.GetInstanceRequest(name=client.instance)
        error = refusal(client.call, ask, request, timeout=5)
        assert error.reason == "OVERLOADED"
        assert clock.now - begin < 5
        assert len(left) >= 2, "it came again as told"
        assert all(abs(seconds) < 0.001 for seconds in left), "each try had what was left of the time"
        only.cancel()


def test_calls_over_a_connections_limit_wait_for_their_turn_and_others_do_not():
    with live_server.LiveServer(None, "--max-connection-streams", "2") as server:
        with another_channel(server) as full, another_channel(server) as other:
            open_calls = [follow(full), follow(full)]
            waiting = full.stubs.instances.GetInstance.future(
                instance_service_pb2.GetInstanceRequest(name=full.instance), timeout=30
            )
            assert get_instance(other).name == other.instance
            assert not waiting.done()
            open_calls[0].cancel()
            assert waiting.result(timeout=20).name == full.instance
            open_calls[1].cancel()


def test_metadata_and_messages_over_the_limit_are_refused_by_grpc():
    with live_server.LiveServer(None, "--max-metadata-bytes", "4096", "--max-message-bytes", "65536") as server:
        with passerelle.connect(server.address) as client:
            error = refusal(get_instance, client, metadata=[("x-long", "x" * 5000)])
            assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            request = profile_service_pb2.LookupProfileRequest(parent=client.instance)
            request.identity.value = b"x" * 70_000
            error = refusal(client.stubs.profiles.LookupProfile, request)
            assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "65536" in error.message
            assert get_instance(client).name == client.instance


def append(client, rows: int) -> None:
    client.call(
        client.stubs.logs.CreateDelivery,
        log_service_pb2.CreateDeliveryRequest(
            parent=client.instance, delivery_id="spring", delivery={"channel": "email"}
        ),
    )
    entries = (
        log_entry_pb2.LogEntry(
            kind=log_entry_pb2.LOG_KIND_DELIVERY,
            delivery="spring",
            broadlog_id=i + 1,
            status=log_entry_pb2.DELIVERY_STATUS_SENT,
            reason_message="x" * 200,
        )
        for i in range(rows)
    )
    assert client.append_logs(entries, stream="rows").total_records == rows


def test_exports_that_nobody_reads_are_bounded_and_refuse_the_next_until_they_end():
    """A stalled client keeps what was made for it; when all keep too much, the next is told to come again."""
    settings = ["--response-memory-bytes", str(MIB)]
    with live_server.LiveServer(None, *settings) as server, passerelle.connect(server.address) as client:
        append(client, 40_000)
        request = log_service_pb2.ExportLogsRequest(name=client.instance)
        stalled, errors = [], []
        for _ in range(12):
            reader = another_channel(server)
            call = reader.stubs.logs.ExportLogs(request, timeout=60)
            stalled.append((reader, call))
            try:
                assert next(call).HasField("header")  # and then nothing more is read
            except grpc.RpcError as error:
                errors.append(PasserelleError(error))
            time.sleep(0.1)
        deadline = time.monotonic() + 20
        while not errors and time.monotonic() < deadline:
            try:
                list(client.stubs.logs.ExportLogs(request, timeout=30))
            except grpc.RpcError as error:
                errors.append(PasserelleError(error))
        assert errors, "twelve stalled exports and more were all kept"
        assert {error.reason for error in errors} == {"OVERLOADED"}
        assert all(f"limit {MIB} (--response-memory-bytes)" in error.message for error in errors)
        assert all(error.retry_delay > 0 for error in errors)
        for reader, call in stalled:
            call.cancel()
            reader.close()
        exported = sum(len(list(batch.records())) for batch in client.export_logs())
        assert exported == 40_000


def test_the_shipped_loops_get_through_an_overload_with_nothing_lost_or_doubled(tmp_path):
    """More writers than the server takes at a time: they are refused early, wait as told, and all rows arrive."""
    writers, rows = 8, 3_000
    settings = ["--max-calls", "4", "--short-queue", "2", "--short-threads", "1", "--write-queue-rows", "1000"]
    with live_server.LiveServer(None, *settings) as server:

        def load(writer: int) -> tuple[int, int]:
            people = [Row({"external_id": f"{writer}-{i}"}) for i in range(rows)]
            with another_channel(server) as client:
                result = client.import_profiles(
                    people, identities=["external_id"], stream=f"w{writer}", batch_records=500, retry_for=120
                )
            return result.total_records, result.totals["CREATED"]

        def load_by_command_line(writer: int) -> tuple[int, int]:
            file = tmp_path / f"{writer}.csv"
            file.write_text("external_id\n" + "".join(f"{writer}-{i}\n" for i in range(rows)))
            command = [live_server.find_program("passerelle"), "--server", server.address, "--json"]
            command += ["import", file, "--stream", f"w{writer}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            result = json.loads(done.stdout)
            return result["total_records"], result["totals"]["CREATED"]

        with concurrent.futures.ThreadPoolExecutor(2 * writers) as pool:
            results = [pool.submit(load, writer) for writer in range(writers)]
            results += [pool.submit(load_by_command_line, writer) for writer in range(writers, 2 * writers)]
            results = [result.result() for result in results]
        refused = server.log().count('"reason":"OVERLOADED"')
        with passerelle.connect(server.address) as client:
            found = client.pages(
                client.stubs.profiles.ListProfiles,
                profile_service_pb2.ListProfilesRequest(parent=client.instance, page_size=1000),
                "profiles",
            )
            arrived = collections.Counter(profile.identities[0].value for profile in found)
    sent = collections.Counter(f"{writer}-{i}" for writer in range(2 * writers) for i in range(rows))
    lost, doubled = (sent - arrived).total(), (arrived - sent).total()
    print(
        f"received={sent.total()} applied={arrived.total()} lost={lost} doubled={doubled} refused={refused} seed=0"
    )
    assert (lost, doubled) == (0, 0)
    assert results == [(rows, rows)] * (2 * writers)
    assert refused > 0
