"""passerelled as a process: what SIGTERM does to health, to open streams, to what was acknowledged, and its exit code."""

import queue
import time

import live_server
import pytest

live_server.use_client()

import grpc  # noqa: E402
from google.rpc import error_details_pb2  # noqa: E402
from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from grpc_status import rpc_status  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    ingest_pb2,
    log_service_pb2,
    log_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
)

INSTANCE = "instances/default"


def reason_of(error):
    """The reason in the ErrorInfo of a failed call."""
    for detail in rpc_status.from_call(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


class Import:
    """One call of ImportProfiles, message by message."""

    def __init__(self, channel, stream):
        self.requests = queue.Queue()
        self.call = profile_service_pb2_grpc.ProfileServiceStub(channel).ImportProfiles(iter(self.requests.get, None))
        self.send(
            open=profile_service_pb2.ImportProfilesRequest.Open(
                parent=INSTANCE,
                stream=ingest_pb2.StreamOptions(stream=stream),
                identity_namespaces=["external_id"],
            )
        )
        self.opened = next(self.call).opened

    def send(self, **message):
        self.requests.put(profile_service_pb2.ImportProfilesRequest(**message))

    def batch(self, offset, ids):
        column = ingest_pb2.Column(texts=[identity.encode() for identity in ids])
        self.send(
            batch=profile_service_pb2.ImportProfilesRequest.Batch(offset=offset, records=len(ids), identities=[column])
        )


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


def test_sigterm_ends_streams_after_their_last_ack_and_exits_0(folder):
    server = live_server.LiveServer(folder)
    with server, grpc.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        stream = Import(channel, "nightly")
        stream.batch(0, ["1", "2", "3"])
        assert next(stream.call).ack.next_offset == 3
        follow = log_service_pb2_grpc.LogServiceStub(channel).ExportLogs(
            log_service_pb2.ExportLogsRequest(name=INSTANCE, follow=True)
        )
        assert next(follow).HasField("header")
        acked = 3
        for first in range(3, 3 + 40 * 500, 500):  # some of these are on their way when the signal comes
            stream.batch(first, [str(first + i) for i in range(500)])
        server.process.terminate()
        with pytest.raises(grpc.RpcError) as ended:
            for message in stream.call:
                assert message.ack.next_offset > acked
                acked = message.ack.next_offset
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
        assert reason_of(ended.value) == "SERVER_DRAINING"
        with pytest.raises(grpc.RpcError) as ended:
            for _ in follow:
                pass
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
        assert reason_of(ended.value) == "SERVER_DRAINING"
        stream.requests.put(None)
        assert server.process.wait(timeout=60) == 0
    again = live_server.LiveServer(folder)
    with again, grpc.insecure_channel(again.address) as channel:
        stream = Import(channel, "nightly")
        assert stream.opened.next_offset == acked, "the last ack told everything that was accepted"
        stream.send(finish=ingest_pb2.IngestFinish(total_records=acked))
        assert [message.finished.total_records for message in stream.call] == [acked]
        stream.requests.put(None)
        assert again.stop() == 0


def test_health_tells_that_the_server_drains_while_a_call_goes_on(folder):
    server = live_server.LiveServer(folder, "--drain-seconds", "20")
    with server, grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        server.process.terminate()
        begun = time.monotonic()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        assert server.process.wait(timeout=60) == 0
        assert time.monotonic() - begun < 15, "nothing was left to wait for"
