"""The client: a channel, one stub for each service, and the loops over them."""

import os
import pathlib
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import grpc

from . import export, ingest, members
from .columns import to_microseconds
from .errors import PasserelleError, typed
from .patience import RETRY_FOR, Patience, Stop, Stopped, patiently
from .security import Security, open_channel
from .v1 import (
    activation_service_pb2,
    access_service_pb2_grpc,
    activation_service_pb2_grpc,
    audience_service_pb2,
    audience_service_pb2_grpc,
    audience_sync_service_pb2,
    audience_sync_service_pb2_grpc,
    audit_service_pb2_grpc,
    destination_service_pb2,
    destination_service_pb2_grpc,
    ingest_pb2,
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    log_service_pb2,
    log_service_pb2_grpc,
    maintenance_service_pb2_grpc,
    privacy_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
    profile_sync_service_pb2,
    profile_sync_service_pb2_grpc,
    source_service_pb2,
    source_service_pb2_grpc,
    stream_service_pb2_grpc,
    suppression_service_pb2_grpc,
)

DEFAULT_ADDRESS = "127.0.0.1:7701"
MESSAGE_BYTES = 16 * 1024 * 1024
# A connection that went silent is given up after both; the server takes pings 10 s apart and more.
KEEPALIVE_MS, KEEPALIVE_TIMEOUT_MS = 30_000, 20_000


def _service_config() -> str:
    """Which calls may be repeated when the server was away: the one file that all clients share. In the source tree it is
    beside the clients; setup.py puts a copy into the package."""
    here = pathlib.Path(__file__).resolve().parent
    places = (here / "service_config.json", here.parents[1] / "service_config.json")
    return next(place for place in places if place.exists()).read_text()


def connect(
    address: str | None = None,
    instance: str = "default",
    *,
    key: str | None = None,
    key_file: str | os.PathLike | None = None,
    ca: str | os.PathLike | None = None,
    cert: str | os.PathLike | None = None,
    cert_key: str | os.PathLike | None = None,
    server_name: str | None = None,
) -> "Client":
    """A client of the server at `address`, for example 127.0.0.1:7701 or unix:/run/passerelle.sock.

    Without an address, it is PASSERELLE_ADDRESS (or else 127.0.0.1:7701), and what the other arguments do not say is
    read from PASSERELLE_API_KEY, PASSERELLE_API_KEY_FILE, PASSERELLE_CA_FILE, PASSERELLE_CLIENT_CERT and PASSERELLE_CLIENT_KEY. With
    an address nothing is read from the environment: a key is not sent to a server that it was not meant for.

    `key` (psk.ID.SECRET) or `key_file` is the API key, sent with every call: over TLS, or in plaintext to this machine;
    otherwise ValueError, and nothing is sent. TLS is spoken if `ca` (PEM file of the roots to trust, or "system"),
    `cert` or `cert_key` (PEM files of a client certificate and its key) is given. `server_name` is the name that the
    server's certificate must have, if not the address's.
    """
    security = Security(key, key_file, ca, cert, cert_key, server_name)
    if address is None:
        address = os.environ.get("PASSERELLE_ADDRESS") or DEFAULT_ADDRESS
        security = security.or_from_environment()
    options = [
        ("grpc.service_config", _service_config()),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        # Otherwise a minute, which holds for keepalive's pings too.
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        # A server that comes back is found within a second, not after the default's two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    ]
    return Client(open_channel(address, security, options), instance)


def _once(method: Callable, request: Any, timeout: float | None, stop: Stop | None) -> Any:
    if stop is None:
        return method(request, timeout=timeout)
    if stop.is_set():
        raise PasserelleError(Stopped())
    future = method.future(request, timeout=timeout)
    with stop.watch(future.cancel):
        try:
            return future.result()
        except grpc.FutureCancelledError:
            raise PasserelleError(future) from None


class Client:
    """Thread-safe. Calls raise PasserelleError. Use as a context manager, or close()."""

    def __init__(self, channel: grpc.Channel, instance: str = "default"):
        self.channel = channel
        self.instance = f"instances/{instance}"
        self.stubs = types.SimpleNamespace(
            access=access_service_pb2_grpc.AccessServiceStub(channel),
            activation=activation_service_pb2_grpc.ActivationServiceStub(channel),
            audiences=audience_service_pb2_grpc.AudienceServiceStub(channel),
            audience_sync=audience_sync_service_pb2_grpc.AudienceSyncServiceStub(channel),
            audit=audit_service_pb2_grpc.AuditServiceStub(channel),
            destinations=destination_service_pb2_grpc.DestinationServiceStub(channel),
            instances=instance_service_pb2_grpc.InstanceServiceStub(channel),
            logs=log_service_pb2_grpc.LogServiceStub(channel),
            maintenance=maintenance_service_pb2_grpc.MaintenanceServiceStub(channel),
            privacy=privacy_service_pb2_grpc.PrivacyServiceStub(channel),
            profiles=profile_service_pb2_grpc.ProfileServiceStub(channel),
            profile_sync=profile_sync_service_pb2_grpc.ProfileSyncServiceStub(channel),
            sources=source_service_pb2_grpc.SourceServiceStub(channel),
            streams=stream_service_pb2_grpc.StreamServiceStub(channel),
            suppressions=suppression_service_pb2_grpc.SuppressionServiceStub(channel),
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.channel.close()

    def name(self, *parts: str) -> str:
        """A resource name in this client's instance: name("audiences", "vip")."""
        return "/".join([self.instance, *parts])

    @typed
    def call(self, method: Callable, request: Any, timeout: float | None = 30.0, stop: Stop | None = None) -> Any:
        """One unary call: client.call(client.stubs.audiences.GetAudience, request).

        A call that the server was too busy to begin is made again when it says, within `timeout`."""
        if timeout is None:
            return _once(method, request, None, stop)
        deadline, patience = time.monotonic() + timeout, Patience(timeout, stop)
        while True:
            try:
                return _once(method, request, max(deadline - time.monotonic(), 0.001), stop)
            except grpc.RpcError as error:
                failure = PasserelleError(error)
                if failure.reason != "OVERLOADED":
                    raise
                patience.wait(failure, deadline=deadline)

    def pages(self, method: Callable, request: Any, items: str, stop: Stop | None = None) -> Iterator[Any]:
        """All items of a list: pages(stubs.audiences.ListAudiences, request, "audiences")."""
        request = type(request).FromString(request.SerializeToString())
        while True:
            response = self.call(method, request, stop=stop)
            yield from getattr(response, items)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    # ---- in -------------------------------------------------------------------------------------

    def import_profiles(
        self,
        rows: ingest.Source,
        *,
        identities: Sequence[str],
        fields: Sequence[str] = (),
        stream: str = "",
        **run: Any,
    ) -> ingest.IngestResult:
        """Creates or updates profiles. `fields` are attribute ids; `run` as Ingest.run."""
        request = profile_service_pb2.ImportProfilesRequest
        opening = request.Open(
            parent=self.instance,
            stream=ingest_pb2.StreamOptions(stream=stream),
            identity_namespaces=identities,
            fields=fields,
        )
        types_ = self._attribute_types(fields, run)
        encoder = ingest.record_encoder(request.Batch, identities, types_)
        return ingest.Ingest(self.stubs.profiles.ImportProfiles, request, opening, encoder).run(rows, **run)

    def sync_profiles(
        self,
        destination: str,
        rows: ingest.Source,
        *,
        identities: Sequence[str],
        fields: Sequence[str],
        stream: str = "",
        **run: Any,
    ) -> ingest.IngestResult:
        """Updates profiles through a PROFILE_SYNC destination. `fields` are its source fields."""
        request = profile_sync_service_pb2.SyncProfilesRequest
        opening = request.Open(
            destination=self.name("destinations", destination),
            stream=ingest_pb2.StreamOptions(stream=stream),
            identity_namespaces=identities,
            fields=fields,
        )
        types_, remapped = self._mapping(destination, fields, run)
        encoder = ingest.record_encoder(request.Batch, identities, types_)
        method = self.stubs.profile_sync.SyncProfiles
        return ingest.Ingest(method, request, opening, encoder, remapped).run(rows, **run)

    def push_members(
        self,
        destination: str,
        rows: ingest.Source,
        *,
        identities: Sequence[str],
        audiences: Sequence[str],
        fields: Sequence[str] = (),
        stream: str = "",
        replace: bool = False,
        as_of: Any = None,
        max_refused_percent: float | None = None,
        **run: Any,
    ) -> ingest.IngestResult:
        """Pushes memberships through an AUDIENCE_SYNC destination; with `replace` the rows are the
        whole of its one audience, published at the end."""
        request = audience_sync_service_pb2.PushMembersRequest
        opening = request.Open(
            destination=self.name("destinations", destination),
            stream=ingest_pb2.StreamOptions(stream=stream),
            identity_namespaces=identities,
            fields=fields,
            audiences=audiences,
        )
        if replace:
            opening.replace.SetInParent()
            if as_of is not None:
                opening.replace.as_of.FromMicroseconds(to_microseconds(as_of))
            if max_refused_percent is not None:
                opening.replace.max_refused_percent = max_refused_percent
        types_, remapped = self._mapping(destination, fields, run)
        encoder = ingest.push_encoder(request.Batch, identities, types_, audiences)
        method = self.stubs.audience_sync.PushMembers
        return ingest.Ingest(method, request, opening, encoder, remapped).run(rows, **run)

    def append_logs(self, rows: ingest.Source, *, stream: str = "", **run: Any) -> ingest.IngestResult:
        """Appends log rows: LogEntry messages, or RawLogEntry where texts may not be UTF-8."""
        request = log_service_pb2.AppendLogsRequest
        opening = request.Open(
            parent=self.instance, stream=ingest_pb2.StreamOptions(stream=stream)
        )
        encoder = ingest.log_encoder(request.Batch)
        return ingest.Ingest(self.stubs.logs.AppendLogs, request, opening, encoder).run(rows, **run)

    # ---- out ------------------------------------------------------------------------------------

    def export_logs(
        self,
        source: str = "",
        *,
        consumer: str = "",
        cursor: str = "",
        follow: bool = False,
        fields: Iterable[str] = (),
        log_filter: log_service_pb2.LogFilter | None = None,
        max_batch_rows: int = 0,
        retry_for: float = RETRY_FOR,
        stop: Stop | None = None,
    ) -> Iterator[export.LogBatch]:
        """Log rows from a cursor or a consumer's position on, in batches; reconnects by itself. When `stop` is set it
        ends with CANCELLED."""
        stop = stop or Stop()
        request = log_service_pb2.ExportLogsRequest(
            name=self.name("sources", source) if source else self.instance,
            consumer=consumer,
            cursor=cursor,
            follow=follow,
            fields=fields,
            filter=log_filter,
            max_batch_rows=max_batch_rows,
        )

        def acknowledge(position: str) -> Any:
            return patiently(lambda: self.acknowledge(source, consumer, position), retry_for, stop)

        def is_behind() -> bool:
            get = source_service_pb2.GetConsumerRequest(name=self.name("sources", source, "consumers", consumer))
            return patiently(lambda: self.call(self.stubs.sources.GetConsumer, get), retry_for, stop).lag > 0

        acknowledgements = export.Acknowledgements(acknowledge if consumer else None, is_behind)
        return export.export_logs(self.stubs.logs, request, acknowledgements, retry_for, stop)

    def acknowledge(self, source: str, consumer: str, cursor: str) -> Any:
        """Stores a consumer's position, durably."""
        name = self.name("sources", source, "consumers", consumer)
        request = source_service_pb2.AcknowledgeRequest(name=name, cursor=cursor)
        return self.call(self.stubs.sources.Acknowledge, request)

    def stream_members(
        self,
        audience: str,
        channel: str,
        *,
        purpose: str = "",
        attributes: Sequence[str] = (),
        identities: Sequence[str] = (),
        mandatory: Sequence[str] = (),
        since: str = "",
        retry_for: float = RETRY_FOR,
        stop: Stop | None = None,
    ) -> members.MemberStream:
        """Members that can be reached on the channel: all, or what changed since an end_token."""
        request = activation_service_pb2.StreamMembersRequest(
            audience=self.name("audiences", audience),
            reach=audience_service_pb2.Reach(channel=channel, purpose=purpose),
            attributes=attributes,
            identity_namespaces=identities,
            mandatory_attributes=mandatory,
            since_token=since,
        )
        stop = stop or Stop()
        types_ = self._attribute_types(attributes, {"retry_for": retry_for, "stop": stop})
        return members.MemberStream(self.stubs.activation, request, types_, retry_for, stop)

    # ---- schema ---------------------------------------------------------------------------------

    def create_attribute(self, attribute: str, kind: str, consent: instance_pb2.Consent | None = None) -> Any:
        """Creates an attribute of a kind such as STRING, INT64, BOOL; one that is there already is left as
        it is."""
        request = instance_service_pb2.CreateAttributeRequest(
            parent=self.instance,
            attribute_id=attribute,
            attribute=instance_pb2.Attribute(type=f"ATTRIBUTE_TYPE_{kind}", consent=consent),
        )
        try:
            return self.call(self.stubs.instances.CreateAttribute, request)
        except PasserelleError as error:
            if error.reason != "RESOURCE_ALREADY_EXISTS":
                raise
        name = self.name("attributes", attribute)
        get = instance_service_pb2.GetAttributeRequest(name=name)
        return self.call(self.stubs.instances.GetAttribute, get)

    def attribute_types(self, stop: Stop | None = None) -> dict[str, int]:
        """The type of every attribute, by id."""
        request = instance_service_pb2.ListAttributesRequest(parent=self.instance, page_size=1000)
        items = self.pages(self.stubs.instances.ListAttributes, request, "attributes", stop)
        return {item.name.rsplit("/", 1)[1]: item.type for item in items}

    def _attribute_types(self, attributes: Sequence[str], run: Mapping[str, Any]) -> Mapping[str, int]:
        # An attribute the server does not know is sent as text: its answer names it.
        known = _patiently(self.attribute_types, run) if attributes else {}
        return {a: known.get(a, instance_pb2.ATTRIBUTE_TYPE_STRING) for a in attributes}

    def _mapping(
        self, destination: str, fields: Sequence[str], run: Mapping[str, Any]
    ) -> tuple[dict[str, int], Callable[[], None]]:
        """The types of a destination's source fields, and what reads them anew."""
        types_ = dict(self._mapped_types(destination, fields, run))
        return types_, lambda: types_.update(self._mapped_types(destination, fields, run))

    def _mapped_types(self, destination: str, fields: Sequence[str], run: Mapping[str, Any]) -> Mapping[str, int]:
        if not fields:
            return {}
        known = _patiently(self.attribute_types, run)
        request = destination_service_pb2.GetDestinationRequest(name=self.name("destinations", destination))
        found = _patiently(lambda stop: self.call(self.stubs.destinations.GetDestination, request, stop=stop), run)
        attribute = {mapping.source_field: mapping.attribute for mapping in found.mappings}
        text = instance_pb2.ATTRIBUTE_TYPE_STRING
        return {field: known.get(attribute.get(field, ""), text) for field in fields}


def _patiently(read: Callable[[Stop | None], Any], run: Mapping[str, Any]) -> Any:
    """As patient as the loop that is run with these options, and stopped with it."""
    stop = run.get("stop")
    return patiently(lambda: read(stop), run.get("retry_for", RETRY_FOR), stop)
