"""Nobody who must not be reached is in an output produced after the change: 100,000 profiles, of whom some opt
out, are suppressed, bounce or are denied; some of them only come after that. Prints the figures.

    python tests/e2e/left_out.py [PROFILES]
"""

import hashlib
import itertools
import sys

import live_server

live_server.use_client()

import passerelle  # noqa: E402
from passerelle import Row  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    audience_service_pb2,
    delivery_pb2,
    destination_pb2,
    destination_service_pb2,
    instance_pb2,
    instance_service_pb2,
    log_entry_pb2,
    log_service_pb2,
    profile_service_pb2,
    suppression_pb2,
    suppression_service_pb2,
)

BATCH = 10_000
DENIED = 1_000  # each is a call of its own
# What happens to profile n, by n modulo 20; the others are reached.
GROUPS = {1: "opted_out", 2: "suppressed", 3: "suppressed_hash", 4: "suppressed_export", 5: "quarantined"}


def address(n):
    return f"person{n}@example.com"


def group_of(n, profiles):
    if n % 20 == 6:
        return "denied" if n < profiles * 9 // 10 and n // 20 < DENIED else ""
    return GROUPS.get(n % 20, "")


class World:
    def __init__(self, client, other, profiles):
        self.client, self.other, self.profiles = client, other, profiles
        self.early = range(profiles * 9 // 10)
        self.late = range(profiles * 9 // 10, profiles)
        self.leaked, self.rows, self.outputs, self.exited = 0, 0, 0, 0
        self.token = ""

    def members(self, name, numbers=None):
        return [n for n in (range(self.profiles) if numbers is None else numbers) if group_of(n, self.profiles) == name]

    # ---- the instance and its people ----

    def prepare(self):
        consent = instance_pb2.Consent(channel="email")
        self.client.create_attribute("email_ok", "BOOL", consent)
        fields = destination_pb2.Destination(
            sync_type=destination_pb2.Destination.SYNC_TYPE_AUDIENCE_SYNC,
            audiences=[destination_pb2.DestinationAudience(source_id="all")],
        )
        request = destination_service_pb2.CreateDestinationRequest(
            parent=self.client.instance, destination_id="crm", destination=fields
        )
        self.client.call(self.client.stubs.destinations.CreateDestination, request)
        delivery = log_service_pb2.CreateDeliveryRequest(
            parent=self.client.instance, delivery_id="summer", delivery=delivery_pb2.Delivery(channel="email")
        )
        self.client.call(self.client.stubs.logs.CreateDelivery, delivery)

    def add(self, numbers, late=False):
        def person(n):
            opted_out = late and group_of(n, self.profiles) == "opted_out"
            return Row(
                identities={"external_id": str(n), "email": address(n)}, fields={"email_ok": False if opted_out else True}
            )

        rows = [person(n) for n in numbers]
        self.client.import_profiles(rows, identities=["external_id", "email"], fields=["email_ok"])
        rows = [Row(identities={"external_id": str(n)}, audience="all") for n in numbers]
        self.client.push_members("crm", rows, identities=["external_id"], audiences=["all"])

    # ---- what keeps people out ----

    def suppress(self, client, rows):
        for first in range(0, len(rows), BATCH):
            request = suppression_service_pb2.ImportSuppressionsRequest(
                parent=client.instance, rows=rows[first : first + BATCH], more_follows=True
            )
            answer = client.call(client.stubs.suppressions.ImportSuppressions, request)
            assert [count.rows for count in answer.counts] == [len(request.rows)], answer.counts
        wait = suppression_service_pb2.ImportSuppressionsRequest(parent=client.instance)
        client.call(client.stubs.suppressions.ImportSuppressions, wait, timeout=300)

    def suppress_all(self):
        row = suppression_service_pb2.SuppressionRow
        for name, namespace, value_of in (
            ("suppressed", "email", lambda text: text.upper()),
            ("suppressed_hash", "email_sha256", lambda text: hashlib.sha256(text.encode()).hexdigest()),
        ):
            values = [value_of(address(n)) for n in self.members(name)]
            identities = [{"namespace": namespace, "value": value} for value in values]
            self.suppress(self.client, [row(identity=identity, channel="email") for identity in identities])
        identities = [{"namespace": "email", "value": address(n)} for n in self.members("suppressed_export")]
        self.suppress(self.other, [row(identity=identity) for identity in identities])
        request = suppression_service_pb2.ListSuppressionsRequest(parent=self.other.instance, page_size=1000)
        exported = self.other.pages(self.other.stubs.suppressions.ListSuppressions, request, "suppressions")
        rows = [row(address_hash=entry.address_hash, create_time=entry.create_time) for entry in exported]
        assert len(rows) == len(identities)
        self.suppress(self.client, rows)

    def bounce(self):
        rows = [
            log_entry_pb2.LogEntry(
                kind="LOG_KIND_DELIVERY", delivery="summer", broadlog_id=n + 1, status="DELIVERY_STATUS_FAILED",
                failure_type="FAILURE_TYPE_HARD", failure_reason=1, identity_namespace="email", identity=address(n),
            )
            for n in self.members("quarantined")
        ]
        self.token = self.client.append_logs(rows).commit_token

    def opt_out(self):
        rows = [Row(identities={"external_id": str(n)}, fields={"email_ok": False}) for n in self.members("opted_out", self.early)]
        self.client.import_profiles(rows, identities=["external_id"], fields=["email_ok"])

    def deny(self):
        for n in self.members("denied"):
            lookup = profile_service_pb2.LookupProfileRequest(
                parent=self.client.instance, identity={"namespace": "external_id", "value": str(n)}
            )
            name = self.client.call(self.client.stubs.profiles.LookupProfile, lookup).name
            entry = suppression_pb2.DenylistEntry(profile=name, channel="email")
            request = suppression_service_pb2.CreateDenylistEntryRequest(
                parent=self.client.instance, denylist_entry=entry
            )
            self.client.call(self.client.stubs.suppressions.CreateDenylistEntry, request)

    # ---- outputs after that ----

    def look_at(self, people):
        self.outputs += 1
        for external_id in people:
            self.rows += 1
            self.leaked += group_of(int(external_id), self.profiles) != ""

    def stream(self, since=""):
        stream = self.client.stream_members("all", "email", since=since, identities=["external_id", "email"])
        shown, exited = [], []
        for member in stream:
            (exited if member.change == "EXITED" else shown).append(member)
        self.look_at(member.identities["external_id"] for member in shown)
        # Nobody leaves here but those who must not be reached: by the name that tells whom to drop, and no address.
        self.leaked += sum(1 for member in exited if set(member.identities) != {"external_id"})
        told = sum(count.members for count in stream.trailer.exited_out_of_reach)
        assert told == len(exited) and (exited or not since or self.exited), (told, len(exited))
        self.exited += len(exited)
        return stream

    def list_some(self):
        request = audience_service_pb2.ListMembersRequest(
            parent=self.client.name("audiences", "all"), reach={"channel": "email"}, page_size=1000
        )
        listed = self.client.pages(self.client.stubs.audiences.ListMembers, request, "members")
        self.look_at(member.identities["external_id"] for member in itertools.islice(listed, 20_000))

    def excluded(self):
        request = audience_service_pb2.CountMembersRequest(
            name=self.client.name("audiences", "all"), reaches=[{"channel": "email"}], commit_token=self.token
        )
        counted = self.client.call(self.client.stubs.audiences.CountMembers, request)
        reason = audience_service_pb2.ExclusionReason.Name
        told = {reason(part.reason).removeprefix("EXCLUSION_REASON_"): part.members for part in counted.reaches[0].excluded}
        return counted.members, told


def run(client, other, profiles):
    world = World(client, other, profiles)
    world.prepare()
    world.add(world.early)
    before = world.client.stream_members("all", "email")
    assert sum(1 for _ in before) == len(world.early)
    world.opt_out()
    world.suppress_all()
    world.bounce()
    world.deny()
    members, told = world.excluded()  # waits for the log to be carried over
    world.stream(since=before.end_token)
    world.stream()
    between = world.stream()
    world.add(world.late, late=True)
    world.stream(since=between.end_token)
    world.stream()
    world.list_some()
    members, told = world.excluded()
    suppressed = sum(len(world.members(name)) for name in GROUPS.values() if name.startswith("suppressed"))
    wanted = {
        "OPTED_OUT": len(world.members("opted_out")),
        "SUPPRESSED": suppressed,
        "QUARANTINED": len(world.members("quarantined")),
        "DENYLISTED": len(world.members("denied")),
    }
    figures = " ".join(f"{name.lower()}={count}" for name, count in told.items())
    print(f"received={members} {figures} outputs={world.outputs} rows={world.rows} leaked={world.leaked}")
    return 0 if world.leaked == 0 and told == wanted and members == profiles else 1


def main():
    profiles = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with live_server.LiveServer() as server, passerelle.connect(server.address) as client:
        create = instance_service_pb2.CreateInstanceRequest(instance_id="other", instance=instance_pb2.Instance())
        client.call(client.stubs.instances.CreateInstance, create)
        with passerelle.connect(server.address, instance="other") as other:
            return run(client, other, profiles)


if __name__ == "__main__":
    sys.exit(main())
