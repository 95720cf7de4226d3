"""The main job on real input: all three flows through the public API, every row accounted for, and every
step run again to show that nothing doubles."""

import collections
import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from customers import GROUPS, REAL_VISITS, Customer, is_real

import passerelle
from passerelle import Row
from passerelle.v1 import (
    audience_service_pb2,
    delivery_pb2,
    destination_pb2,
    destination_service_pb2,
    instance_pb2,
    instance_service_pb2,
    log_entry_pb2,
    log_service_pb2,
    profile_pb2,
    profile_service_pb2,
    source_pb2,
    source_service_pb2,
)

TYPES = {int: "INT64", str: "STRING", float: "DOUBLE", bool: "BOOL"}
MAILED = GROUPS[:2]
SENT_TIME = datetime.datetime(2008, 3, 20, tzinfo=datetime.timezone.utc)
Destination = destination_pb2.Destination
Mapping = destination_pb2.FieldMapping


def audience_id(group: str) -> str:
    return group.lower().replace(" ", "-")


@dataclasses.dataclass
class Tally:
    """Rows over all steps. `lost`: expected and not found; `doubled`: found more often than expected."""

    received: int = 0
    applied: int = 0
    lost: int = 0
    doubled: int = 0

    def compare(self, expected: Iterable, found: Iterable) -> None:
        want, have = collections.Counter(expected), collections.Counter(found)
        self.lost += (want - have).total()
        self.doubled += (have - want).total()

    def add(self, result: passerelle.IngestResult, sent: int) -> None:
        """A run whose `sent` rows were all new: each must have exactly one outcome."""
        outcomes = result.counts.total()
        self.received += result.received
        refused = ("REJECTED", "SUPPRESSED", "AMBIGUOUS", "NOT_FOUND", "OUT_OF_SCOPE", "STALE")
        self.applied += outcomes - sum(result.counts[name] for name in refused)
        self.lost += max(sent - outcomes, 0)
        self.doubled += max(outcomes - sent, 0)


class MainJob:
    """Steps in order; each says what it saw and fails with an AssertionError that says what it wanted."""

    def __init__(self, client: passerelle.Client, customers: Sequence[Customer], say=print):
        self.client = client
        self.customers = customers
        self.say = say
        self.tally = Tally()
        self.real = is_real(list(customers))

    def run(self) -> Tally:
        for step in (
            self.describe_attributes,
            self.import_customers,
            self.push_audiences,
            self.sync_attribute,
            self.opt_out_outside_scope,
            self.append_logs,
            self.export_logs,
            self.report,
        ):
            step()
        return self.tally

    # ---- profiles -------------------------------------------------------------------------------

    def describe_attributes(self) -> None:
        fields = [f for f in dataclasses.fields(Customer) if f.name != "number"]
        for field in fields:
            self.client.create_attribute(field.name, TYPES[field.type])
        self.client.create_attribute("campaign", "STRING")
        self.client.create_attribute("email_opt_in", "BOOL", instance_pb2.Consent(channel="email"))
        self.fields = [field.name for field in fields]

    def import_customers(self) -> None:
        def row(customer: Customer) -> Row:
            fields = {name: getattr(customer, name) for name in self.fields}
            return Row({"external_id": str(customer.number)}, fields, record_key=str(customer.number))

        def run(stream: str) -> passerelle.IngestResult:
            return self.client.import_profiles(
                [row(c) for c in self.customers],
                identities=["external_id"],
                fields=self.fields,
                stream=stream,
            )

        total = len(self.customers)
        self._three_times("import", run, {"CREATED": total}, {"UNCHANGED": total})
        found = [profile.identities[0].value for profile in self._profiles()]
        self.tally.compare((str(c.number) for c in self.customers), found)

    def _profiles(self) -> Iterable[profile_pb2.Profile]:
        request = profile_service_pb2.ListProfilesRequest(parent=self.client.instance, page_size=1000)
        return self.client.pages(self.client.stubs.profiles.ListProfiles, request, "profiles")

    def _profile_count(self) -> int:
        request = instance_service_pb2.GetUsageRequest(name=self.client.instance)
        usage = self.client.call(self.client.stubs.instances.GetUsage, request)
        return next(measure.used for measure in usage.measures if measure.name == "profiles")

    # ---- audiences ------------------------------------------------------------------------------

    def push_audiences(self) -> None:
        audiences = [
            destination_pb2.DestinationAudience(source_id=group, audience=audience_id(group))
            for group in GROUPS
        ]
        self._create_destination(
            "groups",
            Destination(sync_type=Destination.SYNC_TYPE_AUDIENCE_SYNC, audiences=audiences),
        )
        rows = [Row({"external_id": str(c.number)}, audience=c.treatment) for c in self.customers]

        def run(stream: str) -> passerelle.IngestResult:
            return self.client.push_members(
                "groups", rows, identities=["external_id"], audiences=GROUPS, stream=stream
            )

        total = len(self.customers)
        self._three_times("push", run, {"REALIZED": total}, {"UNCHANGED": total})
        for group in GROUPS:
            self._check_audience(group)

    def _check_audience(self, group: str) -> None:
        want = [str(c.number) for c in self.customers if c.treatment == group]
        request = audience_service_pb2.CountMembersRequest(
            name=self.client.name("audiences", audience_id(group)),
            reaches=[audience_service_pb2.Reach(channel="email")],
        )
        count = self.client.call(self.client.stubs.audiences.CountMembers, request)
        expect(f"members of {group}", count.members, len(want))
        expect(f"reachable members of {group}", count.reaches[0].reachable, len(want))
        members = self.client.stream_members(audience_id(group), "email", attributes=["treatment"])
        found = []
        for member in members:
            expect("treatment of a member", member.attributes["treatment"], group)
            found.append(member.identities["external_id"])
        expect("members streamed", members.trailer.streamed, len(want))
        self.tally.compare(want, found)
        self.say(f"  {group}: {len(want):,} members, streamed and compared one by one")

    def _create_destination(self, name: str, destination: Destination) -> None:
        request = destination_service_pb2.CreateDestinationRequest(
            parent=self.client.instance, destination_id=name, destination=destination
        )
        self.client.call(self.client.stubs.destinations.CreateDestination, request)

    # ---- profile sync ---------------------------------------------------------------------------

    def sync_attribute(self) -> None:
        total = len(self.customers)
        strangers = total // 64
        scope = [destination_pb2.DestinationAudience(source_id="mens", audience=audience_id(MAILED[0]))]
        mappings = [
            Mapping(source_field="campaign", attribute="campaign"),
            Mapping(source_field="opt_in", attribute="email_opt_in"),
        ]
        kind = Destination.SYNC_TYPE_PROFILE_SYNC
        self._create_destination(
            "attributes", Destination(sync_type=kind, audiences=scope, mappings=mappings)
        )
        numbers = [*range(1, total - strangers + 1), *range(total + 1, total + strangers + 1)]
        rows = [Row({"external_id": str(n)}, {"campaign": "spring 2008"}) for n in numbers]

        def run(stream: str) -> passerelle.IngestResult:
            return self.client.sync_profiles(
                "attributes", rows, identities=["external_id"], fields=["campaign"], stream=stream
            )

        inside = sum(c.treatment == MAILED[0] for c in self.customers[: total - strangers])
        outside = total - strangers - inside
        if self.real:
            expect("patches in scope, out of scope, unknown", (inside, outside, strangers), (20_968, 42_032, 1_000))
        others = {"OUT_OF_SCOPE": outside, "NOT_FOUND": strangers}
        self._three_times("sync", run, {"UPDATED": inside, **others}, {"UNCHANGED": inside, **others})
        expect("profiles after the sync", self._profile_count(), total)

    def opt_out_outside_scope(self) -> None:
        outsider = next(c for c in self.customers if c.treatment == MAILED[1])
        row = Row({"external_id": str(outsider.number)}, {"campaign": "autumn", "opt_in": False})
        result = self.client.sync_profiles(
            "attributes", [row], identities=["external_id"], fields=["campaign", "opt_in"]
        )
        expect("an opt-out outside the scope", dict(result.counts), {"UPDATED": 1})
        expect("its fields out of scope", list(result.rows[0].out_of_scope_fields), ["campaign"])
        self.tally.add(result, 1)
        identity = profile_pb2.Identity(namespace="external_id", value=str(outsider.number))
        request = profile_service_pb2.LookupProfileRequest(
            parent=self.client.instance, identity=identity, commit_token=result.commit_token
        )
        profile = self.client.call(self.client.stubs.profiles.LookupProfile, request)
        expect("the consent", profile.attributes["email_opt_in"].bool_value, False)
        expect("the campaign left alone", "campaign" in profile.attributes, False)
        self.say("  an opt-out of a customer outside the scope was applied, and nothing else of its row")

    # ---- logs -----------------------------------------------------------------------------------

    def append_logs(self) -> None:
        for group in MAILED:
            delivery = delivery_pb2.Delivery(
                display_name=group, channel="email", audiences=[audience_id(group)]
            )
            request = log_service_pb2.CreateDeliveryRequest(
                parent=self.client.instance, delivery_id=audience_id(group), delivery=delivery
            )
            self.client.call(self.client.stubs.logs.CreateDelivery, request)
        mailed = [c for c in self.customers if c.treatment in MAILED]
        self.sent = [self._log_row(c) for c in mailed]
        self.clicks = [self._log_row(c, click=True) for c in mailed if c.visit]
        if self.real:
            expect("messages", len(self.sent), 42_694)
            expect("clicks", len(self.clicks), sum(REAL_VISITS[group] for group in MAILED))
        for name, rows in (("sent", self.sent), ("clicks", self.clicks)):

            def run(stream: str, rows=rows) -> passerelle.IngestResult:
                return self.client.append_logs(rows, stream=stream)

            self._three_times(name, run, {"APPENDED": len(rows)}, {"DUPLICATE": len(rows)})

    @staticmethod
    def _log_row(customer: Customer, click: bool = False) -> log_entry_pb2.LogEntry:
        moment = SENT_TIME + datetime.timedelta(seconds=customer.number)
        row = log_entry_pb2.LogEntry(
            delivery=audience_id(customer.treatment),
            broadlog_id=customer.number,
            identity_namespace="external_id",
            identity=str(customer.number),
        )
        if click:
            row.kind, row.tracking_kind = "LOG_KIND_TRACKING", "TRACKING_KIND_CLICK"
            row.tracking_log_id = customer.number
            row.url = "https://shop.example/spring"
            moment += datetime.timedelta(days=1)
        else:
            row.kind, row.status = "LOG_KIND_DELIVERY", "DELIVERY_STATUS_SENT"
        row.event_time_us = int(moment.timestamp() * 1_000_000)
        return row

    def export_logs(self) -> None:
        for name, kind, appended in (
            ("broadlog", "LOG_KIND_DELIVERY", self.sent),
            ("tracking", "LOG_KIND_TRACKING", self.clicks),
        ):
            request = source_service_pb2.CreateSourceRequest(
                parent=self.client.instance,
                source_id=name,
                source=source_pb2.Source(schema=kind, dataset=f"cdp-{name}"),
            )
            self.client.call(self.client.stubs.sources.CreateSource, request)
            exported = []
            for batch in self.client.export_logs(name, consumer="default"):
                exported += batch.rows
                batch.acknowledge()
            sequences = [row.sequence for row in exported]
            expect(f"order of {name}", sequences, sorted(set(sequences)))
            self.tally.compare(map(_as_appended, appended), map(_as_appended, exported))
            again = sum(len(b.rows) for b in self.client.export_logs(name, consumer="default"))
            expect(f"rows of {name} exported again", again, 0)
            self.say(f"  {name}: {len(exported):,} rows exported and compared; again: {again}")

    def report(self) -> None:
        for group in MAILED:
            request = log_service_pb2.GetDeliveryReportRequest(
                name=self.client.name("deliveries", audience_id(group))
            )
            report = self.client.call(self.client.stubs.logs.GetDeliveryReport, request)
            sent = sum(c.treatment == group for c in self.customers)
            visits = sum(c.treatment == group and c.visit for c in self.customers)
            expect(f"sent, {group}", (report.processed, report.sent, report.failed), (sent, sent, 0))
            expect(f"clicks, {group}", (report.distinct_clicks, report.total_clicks), (visits, visits))
            expect(f"opens, {group}", (report.distinct_opens, report.total_opens), (visits, 0))
            expect(f"click rate, {group}", round(report.click_rate, 9), round(visits / sent, 9))
            if self.real:
                want = "18.3 %" if group == MAILED[0] else "15.1 %"
                expect(f"click rate, {group}", f"{report.click_rate:.1%}".replace("%", " %"), want)
            self.say(
                f"  {group}: {report.sent:,} sent, {report.distinct_clicks:,} clicked,"
                f" click rate {report.click_rate:.1%}"
            )

    # ---- every step three times -----------------------------------------------------------------

    def _three_times(self, name: str, run, first: dict, again: dict) -> None:
        """Once; again under the same stream name: nothing is received; again under a new one: `again`."""
        result = run(name)
        expect(f"outcomes of {name}", dict(result.counts), first)
        total = sum(first.values())
        self.tally.add(result, total)
        repeated = run(name)
        expect(f"rows of {name} received again", repeated.received, 0)
        expect(f"records of {name}", repeated.total_records, total)
        anew = run(f"{name}-again")
        expect(f"outcomes of {name} under a new stream", dict(anew.counts), again)
        self.tally.add(anew, total)
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in first.items())
        self.say(f"{name}: {total:,} rows: {outcomes}; again: 0 received")


def _as_appended(row: log_entry_pb2.LogEntry) -> bytes:
    """A row without what the server adds."""
    same = log_entry_pb2.LogEntry.FromString(row.SerializeToString())
    for field in ("sequence", "append_time_us", "profile", "profile_unknown"):
        same.ClearField(field)
    return same.SerializeToString(deterministic=True)


def expect(what: str, got: Any, wanted: Any) -> None:
    if got != wanted:
        raise AssertionError(f"{what}: got {got}, wanted {wanted}")
