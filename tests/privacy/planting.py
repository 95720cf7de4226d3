"""Requests that hold personal data wherever they can hold text, and the places that must not hold it."""

import contextlib
import dataclasses
import pathlib
import sqlite3
import time

import cells
import guarded_server
import grpc
from google.protobuf import message_factory
from guarded_server import bearer
from passerelle.v1 import (
    access_service_pb2,
    audience_pb2,
    audience_service_pb2,
    audience_service_pb2_grpc,
    audit_service_pb2,
    audit_service_pb2_grpc,
    delivery_pb2,
    destination_pb2,
    destination_service_pb2,
    destination_service_pb2_grpc,
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    log_service_pb2,
    log_service_pb2_grpc,
    privacy_pb2,
    privacy_service_pb2,
    privacy_service_pb2_grpc,
    source_pb2,
    source_service_pb2,
    source_service_pb2_grpc,
)

# What a person is known by. Each holds what no name of a resource can hold.
CANARIES = ("canary.lovelace@example.org", "+33 6 55 44 33 22", "Canary Lovelace-Byron")
MARKS = [canary.encode() for canary in CANARIES]
# What a caller calls its call has the form of an id, and may tell of somebody all the same: it is not for the trail.
CALL_ID = "canary.lovelace-example.org"
TRAIL_MARKS = [*MARKS, CALL_ID.encode()]
INSTANCE = "instances/default"
HAS_TRAIL = "SELECT count(*) FROM sqlite_schema WHERE name = 'audit'"
NAMES = {
    "audience": f"{INSTANCE}/audiences/vip",
    "destination": f"{INSTANCE}/destinations/crm",
    "source": f"{INSTANCE}/sources/nightly",
    "consumer": f"{INSTANCE}/sources/nightly/consumers/daily",
    "delivery": f"{INSTANCE}/deliveries/spring",
    "attribute": f"{INSTANCE}/attributes/city",
    "profile": f"{INSTANCE}/profiles/1",
    "stream": f"{INSTANCE}/writeStreams/none",
    "privacy request": f"{INSTANCE}/privacyRequests/copy",
    "credential": "credentials/somebody",
    "role": "roles/none",
    "instance": INSTANCE,
}


@dataclasses.dataclass
class Place:
    name: str
    unit: str
    searched: int = 0
    hits: list = dataclasses.field(default_factory=list)

    def search(self, what: str, text: bytes, marks: list[bytes], size: int = 1) -> None:
        self.searched += size
        for mark in marks:
            if mark in text:
                self.hits.append(f"{what}: {mark.decode(errors='replace')[:24]}")


def text_paths(descriptor, depth: int = 4, before: tuple = ()) -> list[tuple]:
    """The fields that hold text, as paths of fields."""
    paths = []
    for field in descriptor.fields:
        path = (*before, field)
        if field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            paths.append(path)
        elif field.message_type is not None and depth > 1 and field.message_type not in [p.message_type for p in before]:
            paths += text_paths(field.message_type, depth - 1, path)
    return paths


def plant(message, path: tuple, text: str) -> None:
    field, rest = path[0], path[1:]
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    if is_map:
        plant_in_map(getattr(message, field.name), field, rest, text)
    elif rest and field.is_repeated:
        items = getattr(message, field.name)
        plant(items[0] if items else items.add(), rest, text)
    elif rest:
        plant(getattr(message, field.name), rest, text)
        getattr(message, field.name).SetInParent()
    else:
        value = text.encode() if field.type == field.TYPE_BYTES else text
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


def plant_in_map(items, field, rest: tuple, text: str) -> None:
    entry = field.message_type.fields_by_name
    if entry["key"].type != field.TYPE_STRING:
        return
    key = text if rest[0].name == "key" else "city"
    if entry["value"].message_type is not None:
        items[key].SetInParent() if not rest[1:] else plant(items[key], rest[1:], text)
    else:
        items[key] = text.encode() if entry["value"].type == field.TYPE_BYTES else text


def with_kind(message):
    """What does not say what is asked for gets no further than that."""
    if "privacy_request" in message.DESCRIPTOR.fields_by_name:
        message.privacy_request.kind = privacy_pb2.PrivacyRequest.KIND_ACCESS
    return message


class Search:
    def __init__(self, planted: str = ""):
        self.planted = planted
        self.places = {
            "errors": Place("error texts, details and trailers", "answers"),
            "log": Place("the server's log", "bytes"),
            "trail": Place("the audit trail, listed and in the files", "entries"),
            "files": Place("secrets in the data directory and the backup", "bytes"),
        }
        self.secrets: list[str] = []
        self.methods = self.calls = self.refused = 0

    def run(self) -> None:
        with guarded_server.GuardedServer(None, "--log-level", "debug") as server:
            with server.access() as self.admin:
                self._use_keys(server)
                self._prepare()
                methods = [method for method in cells.all_methods() if method.name not in ("DeleteInstance",)]
                self.methods = len(methods)
                for method in methods:
                    self._call_with_everything(method)
                self._call_with_metadata(methods)
                self._erase()
                self._search_trail()
            assert server.stop() == 0
            self._search_files(server)

    def _use_keys(self, server) -> None:
        self.secrets.append(server.admin_key())
        self.secrets.append(self.admin.create("somebody", ["analyst"]))
        rotate = access_service_pb2.RotateCredentialRequest(name="credentials/somebody")
        self.secrets.append(self.admin.call("RotateCredential", rotate).key)
        instances = instance_service_pb2_grpc.InstanceServiceStub(self.admin.channel)
        for key in self.secrets:
            try:
                instances.ListInstances(instance_service_pb2.ListInstancesRequest(), metadata=bearer(key), timeout=60)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAUTHENTICATED

    def _prepare(self) -> None:
        """One of each resource, so that requests get further than its absence."""
        channel, metadata = self.admin.channel, self.admin.metadata

        def make(stub, method, request):
            getattr(stub(channel), method)(request, metadata=metadata, timeout=60)

        attribute = instance_pb2.Attribute(type="ATTRIBUTE_TYPE_STRING")
        make(instance_service_pb2_grpc.InstanceServiceStub, "CreateAttribute",
             instance_service_pb2.CreateAttributeRequest(parent=INSTANCE, attribute_id="city", attribute=attribute))
        make(audience_service_pb2_grpc.AudienceServiceStub, "CreateAudience",
             audience_service_pb2.CreateAudienceRequest(
                 parent=INSTANCE, audience_id="vip", audience=audience_pb2.Audience(kind="KIND_LIST")))
        mapping = destination_pb2.FieldMapping(source_field="city", attribute="city")
        destination = destination_pb2.Destination(sync_type="SYNC_TYPE_PROFILE_SYNC", mappings=[mapping])
        make(destination_service_pb2_grpc.DestinationServiceStub, "CreateDestination",
             destination_service_pb2.CreateDestinationRequest(
                 parent=INSTANCE, destination_id="crm", destination=destination))
        make(log_service_pb2_grpc.LogServiceStub, "CreateDelivery",
             log_service_pb2.CreateDeliveryRequest(
                 parent=INSTANCE, delivery_id="spring", delivery=delivery_pb2.Delivery(channel="email")))
        source = source_pb2.Source(schema="LOG_KIND_DELIVERY", dataset="logs")
        make(source_service_pb2_grpc.SourceServiceStub, "CreateSource",
             source_service_pb2.CreateSourceRequest(parent=INSTANCE, source_id="nightly", source=source))

        self._ask("ACCESS", "copy")

    def _ask(self, kind: str, name: str) -> None:
        """What is done in the background is logged too."""
        identities = [{"namespace": "email", "value": CANARIES[0]}, {"namespace": "phone", "value": CANARIES[1]}]
        request = privacy_service_pb2.CreatePrivacyRequestRequest(
            parent=INSTANCE, privacy_request_id=name,
            privacy_request=privacy_pb2.PrivacyRequest(kind=f"KIND_{kind}", identities=identities))
        stub = privacy_service_pb2_grpc.PrivacyServiceStub(self.admin.channel)
        get = privacy_service_pb2.GetPrivacyRequestRequest(name=f"{INSTANCE}/privacyRequests/{name}")
        answer = stub.CreatePrivacyRequest(request, metadata=self.admin.metadata, timeout=60)
        give_up = time.monotonic() + 60
        while answer.state == privacy_pb2.PrivacyRequest.STATE_RUNNING and time.monotonic() < give_up:
            time.sleep(0.05)
            answer = stub.GetPrivacyRequest(get, metadata=self.admin.metadata, timeout=60)
        assert answer.state == privacy_pb2.PrivacyRequest.STATE_SUCCEEDED, answer.state
        self.places["errors"].search(name, answer.SerializeToString(), MARKS)

    def _erase(self) -> None:
        """Last, because whoever is erased is refused from then on."""
        self._ask("ERASE", "gone")

    def _requests(self, method: cells.Method):
        """Requests with personal data in one field, then in all, each beside names that lead somewhere."""
        described = method.descriptor.input_type
        make = message_factory.GetMessageClass(described)
        paths = text_paths(described)
        for base in (make(), *self._named(make)):
            for number, path in enumerate(paths):
                message = make()
                message.CopyFrom(base)
                plant(message, path, CANARIES[number % len(CANARIES)])
                yield with_kind(message)
            everything = make()
            for number, path in enumerate(paths):
                plant(everything, path, CANARIES[number % len(CANARIES)])
            everything.MergeFrom(base)
            yield with_kind(everything)

    def _named(self, make) -> list:
        """Requests whose names are those of each kind of resource."""
        made = []
        for name in NAMES.values():
            message = make()
            if cells.fill_with(message, name, depth=3):
                made.append(message)
        return made

    def _call_with_everything(self, method: cells.Method) -> None:
        for message in self._requests(method):
            self._call(method, message.SerializeToString(), [*self.admin.metadata, ("x-call-id", CALL_ID)])

    def _call_with_metadata(self, methods: list) -> None:
        """What a caller puts into headers is nobody's business either."""
        method = next(method for method in methods if method.name == "GetInstance")
        request, _ = method.request("default")
        for canary in CANARIES:
            for metadata in (bearer(canary), [("x-call-id", canary)], [("authorization", canary)]):
                self._call(method, request, metadata)

    def _call(self, method: cells.Method, request: bytes, metadata) -> None:
        kind = ("stream" if method.streams_in else "unary") + "_" + ("stream" if method.streams_out else "unary")
        invoke = getattr(self.admin.channel, kind)(method.path)
        asked = iter([request]) if method.streams_in else request
        self.calls += 1
        try:
            answer = invoke(asked, metadata=metadata, timeout=2 if method.streams_out else 60)
            for number, _ in enumerate(answer if method.streams_out else []):
                if number > 3:
                    answer.cancel()
        except grpc.RpcError as error:
            self.refused += 1
            told = [error.details() or "", *(str(value) for _, value in error.trailing_metadata() or [])]
            text = "\n".join(told).encode() + b"".join(
                value for _, value in error.trailing_metadata() or [] if isinstance(value, bytes)
            )
            if self.planted == "error-text" and self.refused == 1:
                text += MARKS[0]
            self.places["errors"].search(method.path, text, MARKS)

    def _search_trail(self) -> None:
        """Every call above has left what it leaves there."""
        stub = audit_service_pb2_grpc.AuditServiceStub(self.admin.channel)
        request = audit_service_pb2.ListAuditEntriesRequest(page_size=1_000)
        while True:
            page = stub.ListAuditEntries(request, metadata=self.admin.metadata, timeout=60)
            for entry in page.entries:
                text = entry.SerializeToString()
                if self.planted == "trail" and entry.number == 1:
                    text += MARKS[2]
                self.places["trail"].search(f"{entry.chain} {entry.number}", text, TRAIL_MARKS)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return

    def _search_rows(self, path: pathlib.Path) -> None:
        """The rows themselves, whatever a list leaves out."""
        with contextlib.closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as file:
            rows = file.execute("SELECT * FROM audit").fetchall() if file.execute(HAS_TRAIL).fetchone()[0] else []
        for row in rows:
            text = b"\0".join(str(value).encode() for value in row)
            self.places["trail"].search(path.name, text, TRAIL_MARKS)

    def _search_files(self, server) -> None:
        log = server.log().encode()
        marks = [key.rpartition(".")[2].encode() for key in self.secrets]
        if self.planted == "log":
            log += MARKS[1]
        self.places["log"].search("log", log, [*MARKS, *marks], len(log))
        for path in pathlib.Path(server.data, "d").rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                if self.planted == "secret" and path.name == "control.db":
                    data += marks[1]
                self.places["files"].search(path.name, data, marks, len(data))
            if path.suffix == ".db":
                self._search_rows(path)

