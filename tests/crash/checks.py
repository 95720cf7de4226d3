"""Looks at a server and compares it with the ledger: after each kill, and in full at the end."""

import collections
import pathlib
import queue
import random
import sqlite3
import time
from typing import Any

import export_consumer
import grpc
import passerelle
import traffic
from ledger import Findings, Stream, outcome_counts
from passerelle.v1 import (
    audience_service_pb2,
    audit_service_pb2,
    instance_service_pb2,
    log_service_pb2,
    profile_pb2,
    profile_service_pb2,
    stream_service_pb2,
)

CALL_SECONDS = 20
SETTLE_SECONDS = 20


class RawCall:
    """An ingest call without the shipped loop: for what no orderly client does."""

    def __init__(self, client: Any, stream: Stream):
        method, self._request, opening, self._encode = stream.flow.wire(client, stream.number)
        self._stream = stream
        self._out: queue.SimpleQueue = queue.SimpleQueue()
        self._responses = method(iter(self._out.get, None), timeout=CALL_SECONDS)
        self._out.put(self._request(open=opening))
        self.opened = next(self._responses).opened

    def send(self, first: int, end: int, rows: list | None = None) -> Any:
        """Sends rows [first, end) as one batch and returns the acknowledgement; grpc.RpcError."""
        rows = rows or list(self._stream.flow.rows(self._stream.number, first, end))
        self._stream.note_sent(end)
        self._out.put(self._request(batch=self._encode(first, rows)))
        return next(self._responses).ack

    def close(self) -> None:
        self._out.put(None)
        self._responses.cancel()


def refusal_of(call: RawCall, first: int, end: int, rows: list | None = None) -> str:
    try:
        call.send(first, end, rows)
    except grpc.RpcError as error:
        return passerelle.PasserelleError(error).reason
    return "accepted"


def late_retry(client: Any, stream: Stream, findings: Findings, choice: random.Random) -> None:
    """A batch sent again with the next rows behind it, by a writer that was not told it was accepted:
    only what is new is received. An older writer is fenced, and other content is refused."""
    zombie = RawCall(client, stream)
    call = RawCall(client, stream)
    try:
        offset = call.opened.next_offset
        if call.opened.finished:
            return
        first = max(0, offset - choice.randint(1, 60))
        end = min(stream.total, offset + choice.randint(0, 60))
        what = f"{stream.name}: rows {first} to {end} sent again at {offset}"
        if end > first:
            ack = call.send(first, end)
            findings.count(f"{what}: already known", ack.already_known, offset - first)
            findings.count(f"{what}: received", ack.received, end - offset)
            findings.count(f"{what}: next offset", ack.next_offset, end)
            stream.note_acknowledged(ack.next_offset)
        if end > offset > 0:
            other = list(stream.flow.rows(stream.number, 0, 2))[-1:]
            if refusal_of(zombie, end - 1, end) != "EPOCH_FENCED":
                findings.differs(f"{what}: an older writer", "accepted", "EPOCH_FENCED")
            if end > 2 and other != list(stream.flow.rows(stream.number, end - 1, end)):
                reason = refusal_of(call, end - 1, end, other)
                findings.differs(f"{what}: other content", reason, "CONTENT_MISMATCH")
    finally:
        call.close()
        zombie.close()


def list_streams(client: Any) -> dict[str, Any]:
    request = stream_service_pb2.ListWriteStreamsRequest(parent=client.instance, page_size=1_000)
    listed = client.pages(client.stubs.streams.ListWriteStreams, request, "write_streams")
    return {found.name.rsplit("/", 1)[1]: found for found in listed}


def count_members(client: Any, audience: str) -> int:
    request = audience_service_pb2.CountMembersRequest(name=client.name("audiences", audience))
    return client.call(client.stubs.audiences.CountMembers, request).members


def get_report(client: Any, delivery: str) -> Any:
    request = log_service_pb2.GetDeliveryReportRequest(name=client.name("deliveries", delivery))
    return client.call(client.stubs.logs.GetDeliveryReport, request)


def count_profiles(client: Any) -> int:
    request = instance_service_pb2.GetUsageRequest(name=client.instance)
    usage = client.call(client.stubs.instances.GetUsage, request)
    return next(measure.used for measure in usage.measures if measure.name == "profiles")


def check_streams(client: Any, streams: list[Stream], findings: Findings) -> dict[str, collections.Counter]:
    """Nothing acknowledged is gone, every row has one outcome; returns the outcomes by flow."""
    found = list_streams(client)
    totals: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for stream in streams:
        present = found.get(stream.name)
        next_offset = present.next_offset if present else 0
        outcomes = outcome_counts(present.totals) if present else collections.Counter()
        findings.count(f"{stream.name}: acknowledged rows", min(next_offset, stream.acknowledged), stream.acknowledged)
        findings.count(f"{stream.name}: sum of outcomes", outcomes.total(), next_offset)
        findings.count(f"{stream.name}: rows never sent", max(next_offset - stream.sent, 0), 0)
        if stream.finished:
            findings.count(f"{stream.name}: rows of the finished stream", next_offset, stream.total)
        totals[stream.flow.name] += outcomes
    return totals


def check_sums(client: Any, totals: dict[str, collections.Counter], created: tuple[int, int], findings: Findings) -> None:
    """What the outcomes say is what is stored. `created` by calls of their own: at least, at most."""
    least, most = created
    profiles = count_profiles(client) - traffic.BASE - totals["import"]["CREATED"]
    findings.count("profiles", profiles, min(max(profiles, least), most))
    rows = sum(get_report(client, delivery).log_rows for delivery in traffic.DELIVERIES)
    findings.count("log rows", rows, totals["append"]["APPENDED"])
    members = sum(count_members(client, audience) for audience in traffic.LISTS)
    findings.count("members", members, totals["push"]["REALIZED"] - totals["push"]["EXITED"])


def check_sample(client: Any, streams: list[Stream], findings: Findings) -> None:
    """The newest rows that an import acknowledged can be read."""
    for stream in [s for s in streams if s.flow.name == "import" and s.acknowledged][-1:]:
        end = stream.acknowledged
        for row in stream.flow.rows(stream.number, max(0, end - 5), end):
            if row.fields["city"] != traffic.BAD_TEXT:
                findings.count("a profile just acknowledged", has_profile(client, row.identities["external_id"]), 1)


def has_profile(client: Any, external_id: str) -> int:
    identity = profile_pb2.Identity(namespace="external_id", value=external_id)
    request = profile_service_pb2.LookupProfileRequest(parent=client.instance, identity=identity)
    try:
        client.call(client.stubs.profiles.LookupProfile, request)
    except passerelle.PasserelleError as error:
        if error.code is not grpc.StatusCode.NOT_FOUND:
            raise
        return 0
    return 1


def check_trail(client: Any, heads: list, findings: Findings) -> list:
    """The audit trail is as it was written and still has what it had, by its ends of before; returns its ends now."""
    request = audit_service_pb2.VerifyAuditTrailRequest(known_heads=heads)
    told, summary = [], None
    for message in client.stubs.audit.VerifyAuditTrail(request, timeout=CALL_SECONDS * 6):
        if message.HasField("finding"):
            told.append(f"{message.finding.chain} {message.finding.number}: {message.finding.text}")
        if message.HasField("summary"):
            summary = message.summary
    findings.differs("findings in the audit trail", told, [])
    findings.differs("the audit trail was read to its end", summary is not None, True)
    return list(summary.heads) if summary else heads


# ---- at the end: everything ----------------------------------------------------------------------


def check_outcomes(client: Any, streams: list[Stream], findings: Findings) -> tuple[int, int]:
    """Each stream's totals and its ledger, row by row; returns the rows received and applied."""
    found = list_streams(client)
    received = applied = 0
    for stream in streams:
        expected = stream.flow.apply(stream.number, stream.total)
        totals = outcome_counts(found[stream.name].totals) if stream.name in found else {}
        findings.differs(f"{stream.name}: outcomes", dict(totals), dict(collections.Counter(expected)))
        wanted = [(i, o) for i, o in enumerate(expected) if o in ("REJECTED", "NOT_FOUND")]
        findings.compare(f"{stream.name}: ledger", list_outcomes(client, stream.name), wanted)
        received += sum(totals.values())
        applied += sum(rows for outcome, rows in totals.items() if outcome not in ("REJECTED", "NOT_FOUND"))
    return received, applied


# By which call the rows of a flow come.
TOLD_AS = {
    "ProfileService/ImportProfiles": ("import", "base"),
    "ProfileSyncService/SyncProfiles": ("sync",),
    "AudienceSyncService/PushMembers": ("push", "replace"),
    "LogService/AppendLogs": ("append",),
}


def check_trail_counts(client: Any, totals: dict[str, collections.Counter], findings: Findings) -> None:
    """The audit trail tells of every row that a stream took, once, with its outcome."""
    totals = {**totals, "base": outcome_counts(list_streams(client)["base"].totals)}  # see traffic.prepare
    for method, flows in TOLD_AS.items():
        told: collections.Counter = collections.Counter()
        request = audit_service_pb2.ListAuditEntriesRequest(parent=client.instance, method=method, page_size=1_000)
        for entry in client.pages(client.stubs.audit.ListAuditEntries, request, "entries"):
            told += outcome_counts(entry.counts)
        wanted: collections.Counter = sum((totals[flow] for flow in flows), collections.Counter())
        findings.differs(f"rows that the audit trail tells of {method}", dict(told), dict(wanted))


def list_outcomes(client: Any, stream: str) -> list[tuple[int, str]]:
    request = stream_service_pb2.ListRowOutcomesRequest(parent=client.name("writeStreams", stream), page_size=1_000)
    names = passerelle.ingest.outcome_name
    rows = client.pages(client.stubs.streams.ListRowOutcomes, request, "rows")
    return [(row.offset, names(row.outcome)) for row in rows]


def check_profiles(client: Any, flows: dict[str, Any], unary: dict[str, dict], findings: Findings) -> None:
    """Every profile once, with exactly these values. Opt-outs are applied in the background, a moment after their rows."""
    wanted: dict[str, dict] = {traffic.base_id(i): {} for i in range(traffic.BASE)}
    for key, fields in flows["sync"].attributes.items():
        wanted[key].update(fields)
    for channel, keys in flows["append"].opted_out.items():
        for key in keys:
            wanted[key][f"{channel}_opt_in"] = False
    wanted.update(flows["import"].profiles)
    wanted.update(unary)
    as_pairs = [(key, repr(sorted(fields.items()))) for key, fields in wanted.items()]
    deadline = time.monotonic() + SETTLE_SECONDS
    while sorted(found := list_profiles(client)) != sorted(as_pairs) and time.monotonic() < deadline:
        time.sleep(0.2)
    findings.compare("profiles and their values", found, as_pairs)


def list_profiles(client: Any) -> list[tuple[str, str]]:
    """Every profile's first identity with its values."""
    request = profile_service_pb2.ListProfilesRequest(parent=client.instance, page_size=1_000)
    found = []
    for profile in client.pages(client.stubs.profiles.ListProfiles, request, "profiles"):
        values = {name: read_value(value) for name, value in profile.attributes.items()}
        found.append((profile.identities[0].value, repr(sorted(values.items()))))
    return found


def read_value(value: Any) -> Any:
    """Whole numbers come as numbers or, where a double cannot hold them, as decimal texts."""
    present = getattr(value, value.WhichOneof("kind"))
    return int(present) if isinstance(present, float) else present


def check_members(client: Any, flows: dict[str, Any], findings: Findings) -> None:
    sets = {**flows["push"].members, **flows["replace"].members}
    for audience, wanted in sets.items():
        found = [m.identities["external_id"] for m in client.stream_members(audience, "push")]
        findings.compare(f"members of {audience}", found, wanted)
        findings.count(f"count of {audience}", count_members(client, audience), len(wanted))


def check_reports(client: Any, append: Any, findings: Findings) -> None:
    for delivery in traffic.DELIVERIES:
        report = get_report(client, delivery)
        for measure, wanted in append.report(delivery).items():
            findings.count(f"report of {delivery}: {measure}", getattr(report, measure), wanted)


def check_log(client: Any, append: Any, findings: Findings) -> None:
    """The log itself, from the beginning: every row once, in the order it was sent."""
    rows = [row for batch in client.export_logs() for row in batch.rows]
    check_rows("the log", [(row.sequence, traffic.content(row)) for row in rows], append.appended, findings)


def check_rows(what: str, rows: list[tuple[int, bytes]], wanted: list[bytes], findings: Findings) -> None:
    sequences = [sequence for sequence, _ in rows]
    ascending = all(a < b for a, b in zip(sequences, sequences[1:]))
    findings.differs(f"{what}: sequences strictly ascending", ascending, True)
    findings.compare(what, [row for _, row in rows], wanted)
    findings.differs(f"{what}: in the order sent", [row for _, row in rows] == wanted, True)


def check_consumer(path: pathlib.Path, wanted: list[bytes], findings: Findings, what: str) -> None:
    """What a consumer that was killed now and then has taken: every row once after its cursor. One that
    starts where it last acknowledged may be given unacknowledged rows again, the same ones."""
    taken: dict[int, bytes] = {}
    order: list[int] = []
    acknowledged = last = 0
    for line in export_consumer.read_lines(path):
        acknowledged = line.get("acknowledged", acknowledged)
        if "started" in line:
            last = acknowledged if acknowledged else last
        for sequence, row in line.get("rows", ()):
            findings.differs(f"{what}: sequence above the last", sequence > last, True)
            if sequence in taken:
                findings.differs(f"{what}: row {sequence} given again", row, taken[sequence].hex())
            else:
                order.append(sequence)
            taken[sequence] = bytes.fromhex(row)
            last = sequence
    check_rows(what, [(sequence, taken[sequence]) for sequence in order], wanted, findings)


def check_consents(data: pathlib.Path, findings: Findings, append: Any) -> None:
    """Read from the stopped store's own file: each opt-out changed its profile exactly once."""
    with sqlite3.connect(f"file:{data}?mode=ro", uri=True) as file:
        for channel, keys in append.opted_out.items():
            (number,) = file.execute("SELECT number FROM attribute WHERE id = ?", (f"{channel}_opt_in",)).fetchone()
            masks = [mask for (mask,) in file.execute("SELECT mask FROM change WHERE kind = 2")]
            at, bit = divmod(number - 1, 8)
            changes = sum(len(mask) > at and mask[at] >> bit & 1 for mask in masks)
            findings.count(f"changes of {channel}_opt_in", changes, len(keys))
    file.close()
