"""What the crash proofs send, and what must have become of it.

Every row is a function of (seed, stream, offset), so that rows are made again instead of kept. A flow
sends the rows of one kind of ingest; its `apply` tells the outcome of each, in order, and keeps the
state that follows from them.
"""

import collections
import zlib
from collections.abc import Iterator
from typing import Any

from passerelle import PasserelleError, Row, ingest
from passerelle.v1 import (
    audience_sync_service_pb2,
    delivery_pb2,
    destination_pb2,
    destination_service_pb2,
    ingest_pb2,
    instance_pb2,
    log_entry_pb2,
    log_service_pb2,
    profile_service_pb2,
    profile_sync_service_pb2,
    source_pb2,
    source_service_pb2,
)

BASE = 1_500  # profiles that syncs, pushes and log rows meet
BAD_TEXT = b"\xff"
FIRST_EVENT_US = 1_700_000_000_000_000
TEXT, NUMBER = instance_pb2.ATTRIBUTE_TYPE_STRING, instance_pb2.ATTRIBUTE_TYPE_INT64
LISTS = ("vip", "club")
DELIVERIES = ("d0", "d1")
CHANNELS = ("email", "sms")
Destination = destination_pb2.Destination
Entry = log_entry_pb2.LogEntry

Outcomes = collections.Counter


def dice(*parts: Any) -> int:
    return zlib.crc32(repr(parts).encode())


def base_id(number: int) -> str:
    return f"b{number % BASE}"


class Flow:
    """One kind of ingest. Streams are numbered; one follows the other."""

    name = ""

    def __init__(self, seed: int):
        self.seed = seed

    def stream(self, number: int) -> str:
        return f"{self.name}-{number}"

    def total(self, number: int, wanted: int) -> int:
        """How many rows stream `number` has."""
        return wanted

    def row(self, number: int, offset: int) -> Any:
        raise NotImplementedError

    def rows(self, number: int, first: int, end: int) -> Iterator[Any]:
        return (self.row(number, offset) for offset in range(first, end))

    def run(self, client: Any, number: int, source: Any, **options: Any) -> Any:
        """Through the shipped loop."""
        raise NotImplementedError

    def wire(self, client: Any, number: int) -> tuple[Any, type, Any, Any]:
        """Method, request type, open message, batch encoder: for calls without the loop."""
        raise NotImplementedError

    def apply(self, number: int, total: int) -> list[str]:
        """The outcome of each row of the whole stream; to be called in the order of the streams."""
        raise NotImplementedError


class Import(Flow):
    name = "import"
    types = {"city": TEXT, "score": NUMBER}

    def __init__(self, seed: int):
        super().__init__(seed)
        self.profiles: dict[str, dict] = {}

    def row(self, number: int, offset: int) -> Row:
        roll = dice(self.seed, self.name, number, offset)
        key = f"i{number}-{offset}"
        if roll % 50 == 7:
            return Row({"external_id": key}, {"city": BAD_TEXT, "score": offset}, record_key=key)
        owner = offset if roll % 5 or not offset else (roll // 50) % offset
        fields = {"city": f"city {roll % 9}", "score": offset}
        return Row({"external_id": f"i{number}-{owner}"}, fields, record_key=key)

    def run(self, client, number, source, **options):
        names = {"identities": ["external_id"], "fields": list(self.types)}
        return client.import_profiles(source, stream=self.stream(number), **names, **options)

    def wire(self, client, number):
        request = profile_service_pb2.ImportProfilesRequest
        opening = request.Open(
            parent=client.instance,
            stream=ingest_pb2.StreamOptions(stream=self.stream(number)),
            identity_namespaces=["external_id"],
            fields=list(self.types),
        )
        encode = ingest.record_encoder(request.Batch, ["external_id"], self.types)
        return client.stubs.profiles.ImportProfiles, request, opening, encode

    def apply(self, number, total):
        return [self._apply(row) for row in self.rows(number, 0, total)]

    def _apply(self, row: Row) -> str:
        if row.fields["city"] == BAD_TEXT:
            return "REJECTED"
        key = row.identities["external_id"]
        outcome = "UPDATED" if key in self.profiles else "CREATED"
        self.profiles[key] = dict(row.fields)
        return outcome


class Sync(Flow):
    name = "sync"
    types = {"seq": NUMBER, "note": TEXT}

    def __init__(self, seed: int):
        super().__init__(seed)
        self.attributes: dict[str, dict] = {}

    def row(self, number: int, offset: int) -> Row:
        roll = dice(self.seed, self.name, number, offset)
        key = f"x{offset}" if roll % 40 == 3 else base_id(roll // 40)
        note = BAD_TEXT if roll % 60 == 5 else f"note {roll % 9}"
        return Row({"external_id": key}, {"seq": number * 1_000_000 + offset, "note": note})

    def run(self, client, number, source, **options):
        names = {"identities": ["external_id"], "fields": list(self.types)}
        return client.sync_profiles("sync", source, stream=self.stream(number), **names, **options)

    def wire(self, client, number):
        request = profile_sync_service_pb2.SyncProfilesRequest
        opening = request.Open(
            destination=client.name("destinations", "sync"),
            stream=ingest_pb2.StreamOptions(stream=self.stream(number)),
            identity_namespaces=["external_id"],
            fields=list(self.types),
        )
        encode = ingest.record_encoder(request.Batch, ["external_id"], self.types)
        return client.stubs.profile_sync.SyncProfiles, request, opening, encode

    def apply(self, number, total):
        return [self._apply(row) for row in self.rows(number, 0, total)]

    def _apply(self, row: Row) -> str:
        if row.fields["note"] == BAD_TEXT:
            return "REJECTED"
        key = row.identities["external_id"]
        if key.startswith("x"):
            return "NOT_FOUND"
        self.attributes[key] = dict(row.fields)
        return "UPDATED"


class Push(Flow):
    name = "push"
    destination = "lists"
    audiences = LISTS
    replace = False

    def __init__(self, seed: int):
        super().__init__(seed)
        self.members: dict[str, set[str]] = {audience: set() for audience in self.audiences}

    def row(self, number: int, offset: int) -> Row:
        roll = dice(self.seed, self.name, number, offset)
        key = f"x{offset}" if roll % 40 == 3 else base_id(roll // 40)
        audience = self.audiences[(roll // 7) % len(self.audiences)]
        return Row({"external_id": key}, audience=audience, exited=(roll // 11) % 3 == 0)

    def run(self, client, number, source, **options):
        return client.push_members(
            self.destination,
            source,
            identities=["external_id"],
            audiences=self.audiences,
            stream=self.stream(number),
            replace=self.replace,
            **options,
        )

    def wire(self, client, number):
        request = audience_sync_service_pb2.PushMembersRequest
        opening = request.Open(
            destination=client.name("destinations", self.destination),
            stream=ingest_pb2.StreamOptions(stream=self.stream(number)),
            identity_namespaces=["external_id"],
            audiences=self.audiences,
        )
        if self.replace:
            opening.replace.SetInParent()
        encode = ingest.push_encoder(request.Batch, ["external_id"], {}, self.audiences)
        return client.stubs.audience_sync.PushMembers, request, opening, encode

    def apply(self, number, total):
        return [self._apply(row) for row in self.rows(number, 0, total)]

    def _apply(self, row: Row) -> str:
        key, members = row.identities["external_id"], self.members[row.audience]
        if key.startswith("x"):
            return "NOT_FOUND"
        if row.exited == (key not in members):
            return "UNCHANGED"
        members.remove(key) if row.exited else members.add(key)
        return "EXITED" if row.exited else "REALIZED"


class Replace(Push):
    name = "replace"
    destination = "whole"
    audiences = ("whole",)
    replace = True

    def _keys(self, number: int) -> list[str]:
        return [base_id(i) for i in range(BASE) if dice(self.seed, "whole", number, i) % 3]

    def total(self, number: int, wanted: int) -> int:
        return len(self._keys(number))

    def rows(self, number: int, first: int, end: int) -> Iterator[Row]:
        return (Row({"external_id": key}) for key in self._keys(number)[first:end])

    def apply(self, number, total):
        keys, present = self._keys(number), self.members["whole"]
        self.members["whole"] = set(keys)
        return ["UNCHANGED" if key in present else "REALIZED" for key in keys]


class Append(Flow):
    name = "append"

    def __init__(self, seed: int):
        super().__init__(seed)
        self.keys: set[tuple] = set()
        self.appended: list[bytes] = []  # in order, as `content` tells them
        self.sends: list[bytes] = []  # those of kind delivery
        self.opted_out: dict[str, set[str]] = {channel: set() for channel in CHANNELS}
        self.messages: dict[str, dict] = {d: collections.defaultdict(list) for d in DELIVERIES}
        self.log_rows: Outcomes = Outcomes()

    def row(self, number: int, offset: int) -> Entry:
        roll = dice(self.seed, self.name, number, offset)
        again = roll % 25 == 4 and offset > 0
        return self._plain(number, (roll // 25) % offset if again else offset)

    def _plain(self, number: int, offset: int) -> Entry:
        roll = dice(self.seed, "plain", number, offset)
        tracks = roll % 3 == 0 and offset > 0
        message = number * 1_000_000 + ((roll // 7) % offset if tracks else offset) + 1
        row = Entry(
            delivery="nowhere" if roll % 60 == 5 else DELIVERIES[message % 2],
            broadlog_id=message,
            event_time_us=FIRST_EVENT_US + number * 1_000_000_000 + offset * 1_000,
            identity_namespace="external_id",
            identity=base_id(message),
        )
        if tracks:
            row.kind, row.tracking_log_id = "LOG_KIND_TRACKING", number * 1_000_000 + offset + 1
            kinds = ("OPEN", "CLICK", "CLICK", "OPEN", "OPT_OUT", "WEB", "OPEN", "CLICK")
            row.tracking_kind = f"TRACKING_KIND_{kinds[(roll // 11) % len(kinds)]}"
            row.url = f"https://shop.example/{roll % 5}"
        else:
            row.kind = "LOG_KIND_DELIVERY"
            states = ("SENT", "SENT", "SENT", "PENDING", "FAILED")
            row.status = f"DELIVERY_STATUS_{states[(roll // 11) % len(states)]}"
            if row.status == log_entry_pb2.DELIVERY_STATUS_FAILED:
                row.failure_type, row.failure_reason = "FAILURE_TYPE_HARD", 1 + roll % 5
        return row

    def run(self, client, number, source, **options):
        return client.append_logs(source, stream=self.stream(number), **options)

    def wire(self, client, number):
        request = log_service_pb2.AppendLogsRequest
        stream = ingest_pb2.StreamOptions(stream=self.stream(number))
        opening = request.Open(parent=client.instance, stream=stream)
        return client.stubs.logs.AppendLogs, request, opening, ingest.log_encoder(request.Batch)

    def apply(self, number, total):
        return [self._apply(row) for row in self.rows(number, 0, total)]

    def _apply(self, row: Entry) -> str:
        if row.delivery not in DELIVERIES:
            return "REJECTED"
        key = (row.kind, row.broadlog_id, row.tracking_log_id, row.event_time_us)
        if key in self.keys:
            return "DUPLICATE"
        self.keys.add(key)
        self.appended.append(content(row))
        self.log_rows[row.delivery] += 1
        message = self.messages[row.delivery][row.broadlog_id]
        if row.kind == log_entry_pb2.LOG_KIND_DELIVERY:
            self.sends.append(content(row))
            message.append(row.status)
        else:
            message.append(-row.tracking_kind)
            if row.tracking_kind == log_entry_pb2.TRACKING_KIND_OPT_OUT:
                self.opted_out[CHANNELS[DELIVERIES.index(row.delivery)]].add(row.identity)
        return "APPENDED"

    def report(self, delivery: str) -> dict[str, int]:
        """The counts of its report. Of the statuses of a message, here there is only ever one."""
        messages = self.messages[delivery].values()
        tracking = [-event for events in messages for event in events if event < 0]
        states = [event for events in messages for event in events if event > 0]
        click, opened, out = 1, 2, 3
        return {
            "sent": states.count(log_entry_pb2.DELIVERY_STATUS_SENT),
            "failed": states.count(log_entry_pb2.DELIVERY_STATUS_FAILED),
            "pending": states.count(log_entry_pb2.DELIVERY_STATUS_PENDING),
            "distinct_opens": sum(any(event < 0 for event in events) for events in messages),
            "total_opens": tracking.count(opened),
            "distinct_clicks": sum(-click in events for events in messages),
            "total_clicks": tracking.count(click),
            "distinct_opt_outs": sum(-out in events for events in messages),
            "total_opt_outs": tracking.count(out),
            "log_rows": self.log_rows[delivery],
        }


def content(row: Entry) -> bytes:
    """A log row without what the server adds."""
    same = Entry.FromString(row.SerializeToString())
    for field in ("sequence", "append_time_us", "profile", "profile_unknown"):
        same.ClearField(field)
    return same.SerializeToString(deterministic=True)


FLOWS = (Import, Sync, Push, Replace, Append)


def create(client: Any, method: Any, request: Any) -> None:
    """Something that may be there already, because an earlier try was not answered."""
    try:
        client.call(method, request)
    except PasserelleError as error:
        if error.reason != "RESOURCE_ALREADY_EXISTS":
            raise


def prepare(client: Any) -> None:
    """Attributes, destinations, deliveries, a source and the profiles that the flows meet. May be called
    again where it was broken off."""
    for attribute, kind in (("city", "STRING"), ("score", "INT64"), ("seq", "INT64"), ("note", "STRING")):
        client.create_attribute(attribute, kind)
    for channel in (*CHANNELS, "push"):
        client.create_attribute(f"{channel}_opt_in", "BOOL", instance_pb2.Consent(channel=channel))
    lists = [destination_pb2.DestinationAudience(source_id=a, audience=a) for a in LISTS]
    whole = [destination_pb2.DestinationAudience(source_id="whole", audience="whole")]
    mappings = [destination_pb2.FieldMapping(source_field=f, attribute=f) for f in Sync.types]
    for name, fields in (
        ("lists", {"sync_type": Destination.SYNC_TYPE_AUDIENCE_SYNC, "audiences": lists}),
        ("whole", {"sync_type": Destination.SYNC_TYPE_AUDIENCE_SYNC, "audiences": whole}),
        ("sync", {"sync_type": Destination.SYNC_TYPE_PROFILE_SYNC, "mappings": mappings}),
    ):
        request = destination_service_pb2.CreateDestinationRequest(
            parent=client.instance, destination_id=name, destination=Destination(**fields)
        )
        create(client, client.stubs.destinations.CreateDestination, request)
    for name, channel in zip(DELIVERIES, CHANNELS, strict=True):
        request = log_service_pb2.CreateDeliveryRequest(
            parent=client.instance, delivery_id=name, delivery=delivery_pb2.Delivery(channel=channel)
        )
        create(client, client.stubs.logs.CreateDelivery, request)
    source = source_pb2.Source(schema="LOG_KIND_DELIVERY", dataset="sends")
    request = source_service_pb2.CreateSourceRequest(
        parent=client.instance, source_id="sends", source=source
    )
    create(client, client.stubs.sources.CreateSource, request)
    people = [Row({"external_id": base_id(i)}) for i in range(BASE)]
    client.import_profiles(people, identities=["external_id"], stream="base")
