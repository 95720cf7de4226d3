"""The Python client when the other side, or the caller's own, fails at the worst moment."""

import pathlib
import subprocess
import sys
import threading
from concurrent import futures

import grpc
import live_server
import pytest

live_server.use_client()

import passerelle  # noqa: E402
from passerelle import Row  # noqa: E402
from passerelle.security import Security  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    activation_service_pb2,
    activation_service_pb2_grpc,
    destination_pb2,
    destination_service_pb2,
    ingest_pb2,
    instance_service_pb2_grpc,
    outcome_pb2,
    profile_service_pb2,
    profile_service_pb2_grpc,
)

PATIENCE = 60


class Gone(grpc.RpcError):
    """What a call of the caller's own may end with."""

    def code(self):
        return grpc.StatusCode.UNAVAILABLE

    def details(self):
        return "the caller's own"

    def trailing_metadata(self):
        return ()


@pytest.fixture(scope="module")
def live():
    with live_server.LiveServer() as running, passerelle.connect(running.address) as client:
        yield client


@pytest.fixture
def serve():
    """Serves services of this test's own, and gives a client of them."""
    started = []

    def start(add, service):
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        add(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        client = passerelle.connect(f"127.0.0.1:{port}")
        started.append((server, client))
        return client

    yield start
    for server, client in started:
        client.close()
        server.stop(grace=None).wait()


def people(count):
    return [Row({"external_id": f"p-{i}"}) for i in range(count)]


def answer(**parts):
    return profile_service_pb2.ImportProfilesResponse(**parts)


def finished(rows):
    count = outcome_pb2.OutcomeCount(outcome="OUTCOME_CREATED", rows=rows)
    return answer(finished=ingest_pb2.IngestFinished(total_records=rows, totals=[count]))


def test_a_row_that_is_none_is_not_the_end_of_the_rows(live):
    one, two = people(2)
    with pytest.raises(AttributeError, match="identities"):
        live.import_profiles([one, None, two], identities=["external_id"], stream="none-in-between")


def test_rows_whose_source_fails_have_not_ended(live):
    def rows():
        yield from people(3)
        raise Gone

    with pytest.raises(Gone):
        live.import_profiles(rows(), identities=["external_id"], stream="source-fails", batch_records=1)
    result = live.import_profiles(people(5), identities=["external_id"], stream="source-fails")
    assert result.total_records == 5 and dict(result.totals) == {"CREATED": 5}


def test_a_sync_whose_fields_are_mapped_to_another_type_goes_on(live):
    live.create_attribute("city", "STRING")
    live.create_attribute("age", "INT64")
    crm = live.name("destinations", "crm")
    text = destination_pb2.Destination(
        sync_type="SYNC_TYPE_PROFILE_SYNC", mappings=[{"source_field": "field", "attribute": "city"}]
    )
    create = destination_service_pb2.CreateDestinationRequest(
        parent=live.instance, destination_id="crm", destination=text
    )
    live.call(live.stubs.destinations.CreateDestination, create)
    number = destination_pb2.Destination(name=crm, mappings=[{"source_field": "field", "attribute": "age"}])
    remap = destination_service_pb2.UpdateDestinationRequest(
        destination=number, update_mask={"paths": ["mappings"]}
    )

    def rows():
        for i in range(6):
            if i == 3:  # the rows before are sent
                live.call(live.stubs.destinations.UpdateDestination, remap)
            yield Row({"external_id": str(i)}, {"field": str(i)})

    result = live.sync_profiles(
        "crm", rows(), identities=["external_id"], fields=["field"], stream="mapped", batch_records=1
    )
    assert (result.total_records, result.reconnects) == (6, 1)
    assert result.totals == {"NOT_FOUND": 6}


def test_what_a_callback_raises_goes_to_the_caller(live):
    def fail(_):
        raise Gone

    with pytest.raises(Gone):
        live.import_profiles(people(3), identities=["external_id"], stream="callback-fails", on_progress=fail)


def test_an_ingest_that_is_over_is_not_cancelled(serve):
    seen = []

    class Profiles(profile_service_pb2_grpc.ProfileServiceServicer):
        def ImportProfiles(self, requests, context):  # noqa: N802
            next(requests)
            yield answer(opened=ingest_pb2.StreamOpened(max_batch_records=10))
            next(requests)
            yield finished(0)
            seen.extend(requests)
            seen.append(context.is_active())

    client = serve(profile_service_pb2_grpc.add_ProfileServiceServicer_to_server, Profiles())
    assert client.import_profiles([], identities=["external_id"]).total_records == 0
    assert seen == [True]


def test_an_ingest_whose_acknowledgements_are_lost_gets_on_all_the_same(serve):
    count = 12
    calls = []

    class Profiles(profile_service_pb2_grpc.ProfileServiceServicer):
        def ImportProfiles(self, requests, context):  # noqa: N802
            """Stores one row a call, and breaks before it says so."""
            stored = len(calls)
            calls.append(next(requests))
            yield answer(opened=ingest_pb2.StreamOpened(max_batch_records=1, next_offset=stored))
            if stored < count:
                assert next(requests).batch.offset == stored
                context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            next(requests)
            yield finished(count)

    client = serve(profile_service_pb2_grpc.add_ProfileServiceServicer_to_server, Profiles())
    result = client.import_profiles(people(count), identities=["external_id"], stream="s", retry_for=0.2)
    assert (result.total_records, result.reconnects) == (count, count)


def test_members_that_never_get_further_than_the_header_are_given_up(serve):
    calls = []

    class Activation(activation_service_pb2_grpc.ActivationServiceServicer):
        def StreamMembers(self, request, context):  # noqa: N802
            calls.append(request)
            header = activation_service_pb2.StreamMembersResponse.Header(members=5)
            yield activation_service_pb2.StreamMembersResponse(header=header, resume_token="here")
            context.abort(grpc.StatusCode.UNAVAILABLE if len(calls) < 100 else grpc.StatusCode.INTERNAL, "gone")

    client = serve(activation_service_pb2_grpc.add_ActivationServiceServicer_to_server, Activation())
    with pytest.raises(passerelle.PasserelleError) as failure:
        list(client.stream_members("vip", "email", retry_for=0.3))
    assert failure.value.code is grpc.StatusCode.UNAVAILABLE and len(calls) > 1


def test_a_stop_ends_what_a_loop_asks_before_it_begins(serve):
    asked, go_on = threading.Event(), threading.Event()

    class Instances(instance_service_pb2_grpc.InstanceServiceServicer):
        def ListAttributes(self, request, context):  # noqa: N802
            asked.set()
            go_on.wait(PATIENCE)
            context.abort(grpc.StatusCode.INTERNAL, "too late")

    client = serve(instance_service_pb2_grpc.add_InstanceServiceServicer_to_server, Instances())
    stop = passerelle.Stop()
    stopper = threading.Thread(target=lambda: asked.wait(PATIENCE) and stop.set())
    stopper.start()
    try:
        with pytest.raises(passerelle.PasserelleError) as failure:
            client.import_profiles(people(1), identities=["external_id"], fields=["city"], stream="s", stop=stop)
    finally:
        go_on.set()
        stopper.join()
    assert failure.value.code is grpc.StatusCode.CANCELLED


def test_a_client_certificate_and_its_key_are_one_thing(monkeypatch):
    monkeypatch.setenv("PASSERELLE_CLIENT_CERT", "theirs.pem")
    monkeypatch.setenv("PASSERELLE_CLIENT_KEY", "theirs.key")
    both = Security().or_from_environment()
    assert (both.cert, both.cert_key) == ("theirs.pem", "theirs.key")
    mine = Security(cert="mine.pem", cert_key="mine.key").or_from_environment()
    assert (mine.cert, mine.cert_key) == ("mine.pem", "mine.key")
    assert Security(cert="mine.pem").or_from_environment().cert_key is None


def test_a_server_that_nobody_closes_ends_with_its_program(monkeypatch):
    monkeypatch.setenv("PASSERELLE_BIN", str(live_server.find_program("passerelled").parent))
    program = "import passerelle.testing as t\ns = t.Server()\nprint(s._process.pid, s._folder)"
    package = str(live_server.ROOT / "client" / "python")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=package, capture_output=True, text=True, timeout=180, check=True
    )
    pid, folder = done.stdout.split()
    assert not pathlib.Path(folder).exists() and not pathlib.Path("/proc", pid).exists()
