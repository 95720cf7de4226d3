"""The bidi ingests spoken by hand, message by message, and the unary twin of each."""

import queue

import grpc
import live_server
import pytest

live_server.use_client()

from passerelle.errors import PasserelleError  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    audience_sync_service_pb2,
    destination_pb2,
    destination_service_pb2,
    log_entry_pb2,
    log_service_pb2,
    profile_service_pb2,
    profile_sync_service_pb2,
    stream_service_pb2,
)

KINDS = ["import", "sync", "push", "append"]


def prepare(client):
    client.create_attribute("city", "STRING")
    Destination = destination_pb2.Destination
    mappings = [destination_pb2.FieldMapping(source_field="town", attribute="city")]
    for name, kind, fields in [
        ("crm", Destination.SYNC_TYPE_PROFILE_SYNC, {"mappings": mappings}),
        (
            "vips",
            Destination.SYNC_TYPE_AUDIENCE_SYNC,
            {
                "audiences": [destination_pb2.DestinationAudience(source_id="vip", audience="vip")],
                "on_unknown": Destination.ON_UNKNOWN_CREATE,
            },
        ),
    ]:
        client.call(
            client.stubs.destinations.CreateDestination,
            destination_service_pb2.CreateDestinationRequest(
                parent=client.instance,
                destination_id=name,
                destination=Destination(sync_type=kind, **fields),
            ),
        )
    client.call(
        client.stubs.logs.CreateDelivery,
        log_service_pb2.CreateDeliveryRequest(
            parent=client.instance, delivery_id="spring", delivery={"channel": "email"}
        ),
    )


class Call:
    """One bidi call of one kind, message by message."""

    def __init__(self, client, kind: str):
        self.kind = kind
        self.client = client
        stubs = client.stubs
        self.method, self.message = {
            "import": (stubs.profiles.ImportProfiles, profile_service_pb2.ImportProfilesRequest),
            "sync": (stubs.profile_sync.SyncProfiles, profile_sync_service_pb2.SyncProfilesRequest),
            "push": (stubs.audience_sync.PushMembers, audience_sync_service_pb2.PushMembersRequest),
            "append": (stubs.logs.AppendLogs, log_service_pb2.AppendLogsRequest),
        }[kind]
        self.out: queue.SimpleQueue = queue.SimpleQueue()
        self.responses = self.method(iter(self.out.get, None), timeout=30)

    def open(self, stream: str, **options):
        message = self.message()
        message.open.stream.stream = stream
        for name, value in options.items():
            setattr(message.open.stream, name, value)
        if self.kind in ("import", "append"):
            message.open.parent = self.client.instance
        else:
            name = "crm" if self.kind == "sync" else "vips"
            message.open.destination = self.client.name("destinations", name)
        if self.kind != "append":
            message.open.identity_namespaces.append("external_id")
        if self.kind == "sync":
            message.open.fields.append("town")
        if self.kind == "push":
            message.open.audiences.append("vip")
        self.out.put(message)
        return next(self.responses).opened

    def batch(self, offset: int, count: int, salt: str = ""):
        """Records are told by their offsets, so that re-cut batches hold the same ones."""
        message = self.message()
        message.batch.offset = offset
        for record in range(offset, offset + count):
            self._add(message.batch, record, salt)
        if self.kind != "append":
            message.batch.records = count
        self.out.put(message)

    def _add(self, batch, record: int, salt: str):
        if self.kind == "append":
            row = batch.rows.add()
            row.kind = log_entry_pb2.LOG_KIND_DELIVERY
            row.delivery = b"spring"
            row.broadlog_id = record + 1
            row.status = log_entry_pb2.DELIVERY_STATUS_SENT
            row.event_time_us = 1_700_000_000_000_000 + record
            row.reason_message = salt.encode()
            return
        if not batch.identities:
            batch.identities.add()
        batch.identities[0].texts.append(f"r{record}{salt}".encode())
        if self.kind == "sync":
            if not batch.columns:
                batch.columns.add()
            batch.columns[0].texts.append(b"Lyon")

    def finish(self, total: int):
        message = self.message()
        message.finish.total_records = total
        self.out.put(message)
        return next(self.responses).finished

    def ack(self):
        return next(self.responses).ack

    def send(self, offset: int, count: int, salt: str = ""):
        self.batch(offset, count, salt)
        return self.ack()

    def refusal(self) -> tuple[str, str, PasserelleError]:
        """Status and reason that the call ends with."""
        with pytest.raises(grpc.RpcError) as caught:
            while True:
                next(self.responses)
        error = PasserelleError(caught.value)
        return error.code.name, error.reason, error

    def close(self):
        self.responses.cancel()
        self.out.put(None)


def state_of(client, name):
    return client.call(
        client.stubs.streams.GetWriteStream,
        stream_service_pb2.GetWriteStreamRequest(name=client.name("writeStreams", name)),
    )


def expect_total(client, name, total):
    state = state_of(client, name)
    assert state.next_offset == total
    assert sum(count.rows for count in state.totals) == total


def unary(client, kind, request_id, salt=""):
    person = {"identities": {"external_id": f"u{salt}"}}
    stubs = client.stubs
    method, request = {
        "import": (
            stubs.profiles.BatchImportProfiles,
            profile_service_pb2.BatchImportProfilesRequest(parent=client.instance, rows=[person]),
        ),
        "sync": (
            stubs.profile_sync.BatchUpdateProfiles,
            profile_sync_service_pb2.BatchUpdateProfilesRequest(
                destination=client.name("destinations", "crm"), rows=[person]
            ),
        ),
        "push": (
            stubs.audience_sync.BatchPushMembers,
            audience_sync_service_pb2.BatchPushMembersRequest(
                destination=client.name("destinations", "vips"),
                rows=[{"profile": person, "audience": "vip"}],
            ),
        ),
        "append": (
            stubs.logs.BatchAppendLogs,
            log_service_pb2.BatchAppendLogsRequest(
                parent=client.instance,
                rows=[
                    {
                        "kind": log_entry_pb2.LOG_KIND_DELIVERY,
                        "delivery": "spring",
                        "broadlog_id": 900_000 + len(salt),
                        "status": log_entry_pb2.DELIVERY_STATUS_SENT,
                        "event_time_us": 1_700_000_000_000_000,
                    }
                ],
            ),
        ),
    }[kind]
    request.request_id = request_id
    return client.call(method, request)
