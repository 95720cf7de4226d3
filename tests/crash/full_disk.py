"""A server on a really small disk that fills up under mixed ingest: what it refuses, what it goes on doing, and
that writing goes on by itself once there is room."""

import collections
import dataclasses
import random
import threading
import time
from collections.abc import Callable

import grpc
import live_server
from small_disk import MIB, SmallDisk

live_server.use_client()

import passerelle  # noqa: E402
from passerelle import Row  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    audience_pb2,
    audience_service_pb2,
    delivery_pb2,
    destination_pb2,
    destination_service_pb2,
    instance_service_pb2,
    log_entry_pb2,
    log_service_pb2,
    profile_pb2,
    profile_service_pb2,
    source_pb2,
    source_service_pb2,
    stream_service_pb2,
)

BALLAST, LOW, RESERVE = 36 * MIB, 24 * MIB, 4 * MIB
OPTIONS = [
    *("--disk-low-bytes", str(LOW), "--disk-reserve-bytes", str(RESERVE)),
    *("--wal-threshold-bytes", str(4 * MIB), "--write-queue-rows", "4000"),
]
PROFILES, PATCHES, PUSHES, LOGS = 24_000, 9_000, 12_000, 60_000
TEXT_BYTES = 1_000
# Of each of two files, one transaction at most follows the look that found room, and its log is copied into the file.
EARLY_BYTES = LOW - 12 * MIB
PATIENCE_SECONDS = 30
HEALTH_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
Disk = instance_service_pb2.GetUsageResponse.Disk
Destination = destination_pb2.Destination


@dataclasses.dataclass
class Flow:
    """One stream: what it sends, and how far it was acknowledged."""

    name: str
    rows: list
    send: Callable  # (rows, stream=, retry_for=, on_progress=) -> IngestResult
    acknowledged: int = 0
    refusal: passerelle.PasserelleError | None = None
    result: passerelle.IngestResult | None = None

    def run(self, retry_for: float) -> None:
        def progress(offset: int) -> None:
            self.acknowledged = offset

        self.refusal = None
        try:
            self.result = self.send(
                self.rows, stream=self.name, batch_records=500, retry_for=retry_for, on_progress=progress
            )
        except passerelle.PasserelleError as error:
            self.refusal = error


@dataclasses.dataclass
class Tally:
    received: int = 0
    applied: int = 0
    lost: int = 0
    doubled: int = 0
    different: list = dataclasses.field(default_factory=list)

    def compare(self, wanted, found) -> None:
        want, have = collections.Counter(wanted), collections.Counter(found)
        self.received += want.total()
        self.applied += (want & have).total()
        self.lost += (want - have).total()
        self.doubled += (have - want).total()

    def expect(self, what: str, got, wanted) -> None:
        if got != wanted:
            self.different.append(f"{what}: got {got}, wanted {wanted}")

    @property
    def fine(self) -> bool:
        return not (self.lost or self.doubled or self.different)


class FullDisk:
    """Steps in order; each says what it saw."""

    def __init__(self, disk: SmallDisk, seed: int, program: str = "passerelled", say=print):
        self.disk, self.random, self.say = disk, random.Random(seed), say
        self.program = program
        self.tally = Tally()
        self.texts = [self._text() for _ in range(64)]

    def run(self) -> Tally:
        self.disk.fill(BALLAST)
        with self._server() as server:
            with passerelle.connect(server.address) as self.client:
                self._prepare()
                self._fill_up()
                self._check_low()
                self._check_reserve()
                self._check_full()
                self._relieve()
                self._compare("before the restart", counted=False)
            self.tally.expect("exit of the server", server.stop(), 0)
            self._check_log(server)
        with self._server() as server, passerelle.connect(server.address) as self.client:
            self._compare("after the restart", counted=True)
            self.tally.expect("exit of the server", server.stop(), 0)
            self.tally.expect("the doctor at the end", live_server.examine(f"{server.data}/d"), [])
        return self.tally

    def _server(self) -> live_server.LiveServer:
        return live_server.LiveServer(str(self.disk.folder), *OPTIONS, program=self.program)

    def _text(self) -> str:
        return "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz ", k=TEXT_BYTES))

    # ---- what is there at first -------------------------------------------------------------------

    def _prepare(self) -> None:
        client = self.client
        client.create_attribute("note", "STRING")
        client.create_attribute("score", "INT64")
        mapping = destination_pb2.FieldMapping(source_field="note", attribute="note")
        self._create_destination(
            "notes", Destination(sync_type=Destination.SYNC_TYPE_PROFILE_SYNC, mappings=[mapping])
        )
        audience = destination_pb2.DestinationAudience(source_id="crowd", audience="crowd")
        self._create_destination(
            "crowds", Destination(sync_type=Destination.SYNC_TYPE_AUDIENCE_SYNC, audiences=[audience])
        )
        request = log_service_pb2.CreateDeliveryRequest(
            parent=client.instance, delivery_id="d", delivery=delivery_pb2.Delivery(channel="email")
        )
        client.call(client.stubs.logs.CreateDelivery, request)
        request = source_service_pb2.CreateSourceRequest(
            parent=client.instance,
            source_id="nightly",
            source=source_pb2.Source(schema="LOG_KIND_DELIVERY", dataset="logs"),
        )
        client.call(client.stubs.sources.CreateSource, request)
        spare = [Row({"external_id": f"spare-{i}"}) for i in range(10)]
        client.import_profiles(spare, identities=["external_id"], stream="spare")
        synced = [Row({"external_id": f"synced-{i}"}) for i in range(PATCHES)]
        client.import_profiles(synced, identities=["external_id"], stream="synced")
        self.flows = [self._imports(), self._patches(), self._pushes(), self._logs()]

    def _create_destination(self, name: str, destination: Destination) -> None:
        request = destination_service_pb2.CreateDestinationRequest(
            parent=self.client.instance, destination_id=name, destination=destination
        )
        self.client.call(self.client.stubs.destinations.CreateDestination, request)

    def _note(self, number: int) -> str:
        return f"{number} {self.texts[number % len(self.texts)]}"

    def _imports(self) -> Flow:
        rows = [
            Row({"external_id": f"p-{i}"}, {"note": self._note(i), "score": i}) for i in range(PROFILES)
        ]
        return Flow("imports", rows, lambda rows, **run: self.client.import_profiles(
            rows, identities=["external_id"], fields=["note", "score"], **run))

    def _patches(self) -> Flow:
        rows = [Row({"external_id": f"synced-{i}"}, {"note": self._note(i)}) for i in range(PATCHES)]
        return Flow("patches", rows, lambda rows, **run: self.client.sync_profiles(
            "notes", rows, identities=["external_id"], fields=["note"], **run))

    def _pushes(self) -> Flow:
        rows = [Row({"external_id": f"synced-{i % PATCHES}"}, audience="crowd") for i in range(PUSHES)]
        return Flow("pushes", rows, lambda rows, **run: self.client.push_members(
            "crowds", rows, identities=["external_id"], audiences=["crowd"], **run))

    def _logs(self) -> Flow:
        rows = [
            log_entry_pb2.LogEntry(
                kind="LOG_KIND_DELIVERY",
                status="DELIVERY_STATUS_SENT",
                delivery="d",
                broadlog_id=i + 1,
                identity_namespace="external_id",
                identity=f"synced-{i % PATCHES}",
                event_time_us=1_600_000_000_000_000 + i,
            )
            for i in range(LOGS)
        ]
        return Flow("logs", rows, lambda rows, **run: self.client.append_logs(rows, **run))

    # ---- filling up -------------------------------------------------------------------------------

    def _run_flows(self, retry_for: float) -> list[threading.Thread]:
        threads = [threading.Thread(target=flow.run, args=[retry_for]) for flow in self.flows]
        for thread in threads:
            thread.start()
        return threads

    def _fill_up(self) -> None:
        for thread in self._run_flows(retry_for=0):
            thread.join()
        free = self.disk.free()
        refused = [flow for flow in self.flows if flow.refusal is not None]
        self.tally.expect("refused streams", len(refused) >= 1, True)
        for flow in refused:
            self._expect_full(f"refusal of {flow.name}", flow.refusal)
        self.tally.expect("refused early", free > EARLY_BYTES, True)
        at = ", ".join(f"{f.name} at {f.acknowledged:,} of {len(f.rows):,}" for f in self.flows)
        self.say(f"refused with {free // MIB} MiB free: {at}")

    def _expect_full(self, what: str, error: passerelle.PasserelleError | None) -> None:
        told = error and (error.code, error.reason, (error.retry_delay or 0) > 0)
        self.tally.expect(what, told, (grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_FULL", True))

    def _refusal(self, call: Callable) -> passerelle.PasserelleError | None:
        try:
            call()
        except passerelle.PasserelleError as error:
            return error
        return None

    # ---- the states -------------------------------------------------------------------------------

    def _state(self) -> Disk:
        request = instance_service_pb2.GetUsageRequest(name=self.client.instance)
        return self.client.call(self.client.stubs.instances.GetUsage, request).disk

    def _await_state(self, state: int) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while self._state().state != state and time.monotonic() < give_up:
            time.sleep(0.1)
        self.tally.expect("state", Disk.State.Name(self._state().state), Disk.State.Name(state))

    def _check_low(self) -> None:
        self._await_state(Disk.STATE_LOW)
        self._check_reads()
        self._check_relief(0)
        self.tally.expect("an audience", self._refusal(lambda: self._create_audience("low")), None)
        self._expect_full("an import", self._refusal(self._import_one))
        self.say("LOW: reads, deletion, acknowledgement and administration go on")

    def _check_reserve(self) -> None:
        self.disk.leave(RESERVE // 4)
        self._await_state(Disk.STATE_RESERVE)
        self.tally.expect("the reserve", (self.disk.path / "store/reserve").exists(), False)
        self._check_reads()
        self._check_relief(1)
        self._expect_full("an audience", self._refusal(lambda: self._create_audience("reserve")))
        self._expect_full("an import", self._refusal(self._import_one))
        self.say("RESERVE: reads, deletion and acknowledgement go on")

    def _check_full(self) -> None:
        self.disk.leave(0)
        self.tally.expect("bytes free", self.disk.free(), 0)
        self._check_reads()
        refused = self._refusal(lambda: self._delete_profile("spare-2"))
        if refused is not None:
            self._expect_full("a deletion without a byte left", refused)
        self._expect_full("an import", self._refusal(self._import_one))
        self.say(f"no byte left: reads go on, a deletion is {'refused by name' if refused else 'taken'}")

    def _check_reads(self) -> None:
        looked_up = self._refusal(lambda: self._lookup("synced-0"))
        self.tally.expect("a look-up", looked_up, None)
        flow = self.flows[3]
        rows = sum(len(batch.rows) for batch in self.client.export_logs("nightly"))
        self.tally.expect("log rows exported", rows >= flow.acknowledged, True)
        check = self.client.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.tally.expect("health", check(b"", timeout=10), HEALTH_SERVING)

    def _check_relief(self, number: int) -> None:
        deleted = self._refusal(lambda: self._delete_profile(f"spare-{number}"))
        self.tally.expect("a deletion", deleted, None)
        batch = next(iter(self.client.export_logs("nightly", consumer="default", max_batch_rows=100)))
        self.tally.expect("an acknowledgement", self._refusal(batch.acknowledge), None)

    def _lookup(self, external_id: str) -> profile_pb2.Profile:
        identity = profile_pb2.Identity(namespace="external_id", value=external_id)
        request = profile_service_pb2.LookupProfileRequest(parent=self.client.instance, identity=identity)
        return self.client.call(self.client.stubs.profiles.LookupProfile, request)

    def _delete_profile(self, external_id: str) -> None:
        request = profile_service_pb2.DeleteProfileRequest(name=self._lookup(external_id).name)
        self.client.call(self.client.stubs.profiles.DeleteProfile, request)

    def _create_audience(self, name: str) -> None:
        audience = audience_pb2.Audience(kind="KIND_LIST")
        request = audience_service_pb2.CreateAudienceRequest(
            parent=self.client.instance, audience_id=name, audience=audience
        )
        self.client.call(self.client.stubs.audiences.CreateAudience, request)

    def _import_one(self) -> None:
        self.client.import_profiles([Row({"external_id": "one"})], identities=["external_id"])

    # ---- going on ---------------------------------------------------------------------------------

    def _relieve(self) -> None:
        threads = self._run_flows(retry_for=PATIENCE_SECONDS * 2)
        time.sleep(2)
        self.disk.relieve()
        began = time.monotonic()
        for thread in threads:
            thread.join()
        self._await_state(Disk.STATE_OPEN)
        self.tally.expect("the reserve", (self.disk.path / "store/reserve").exists(), True)
        for flow in self.flows:
            self.tally.expect(f"refusal of {flow.name} with room", flow.refusal, None)
            total = flow.result.total_records if flow.result else flow.acknowledged
            self.tally.expect(f"records of {flow.name}", total, len(flow.rows))
        self.say(f"all went on by itself with room again, done after {time.monotonic() - began:.1f} s")

    def _check_log(self, server: live_server.LiveServer) -> None:
        states = [line for line in server.log().splitlines() if '"disk_state"' in line]
        self.tally.expect("lines in the log, at most", len(states) <= 8, True)
        for state in ("LOW", "RESERVE", "OPEN"):
            told = any(f'"{state}"' in line for line in states)
            self.tally.expect(f"a line about {state}", told, True)

    def _compare(self, when: str, counted: bool) -> None:
        tally = self.tally if counted else Tally(different=self.tally.different)
        request = profile_service_pb2.ListProfilesRequest(parent=self.client.instance, page_size=1000)
        notes = []
        for profile in self.client.pages(self.client.stubs.profiles.ListProfiles, request, "profiles"):
            name = profile.identities[0].value
            if not name.startswith("spare-"):
                notes.append((name, profile.attributes["note"].string_value))
        wanted = [(f"p-{i}", self._note(i)) for i in range(PROFILES)]
        wanted += [(f"synced-{i}", self._note(i)) for i in range(PATCHES)]
        tally.compare(wanted, notes)
        exported = [row for batch in self.client.export_logs("nightly") for row in batch.rows]
        tally.compare(range(1, LOGS + 1), (row.broadlog_id for row in exported))
        count = audience_service_pb2.CountMembersRequest(name=self.client.name("audiences", "crowd"))
        members = self.client.call(self.client.stubs.audiences.CountMembers, count).members
        tally.compare(range(min(PUSHES, PATCHES)), range(members))
        for flow in self.flows:
            name = self.client.name("writeStreams", flow.name)
            request = stream_service_pb2.GetWriteStreamRequest(name=name)
            stream = self.client.call(self.client.stubs.streams.GetWriteStream, request)
            tally.expect(f"offset of {flow.name} {when}", stream.next_offset, len(flow.rows))
        self.say(f"{when}: {len(notes):,} profiles, {len(exported):,} log rows, {members:,} members")
        if (tally.lost or tally.doubled) and not counted:
            self.tally.different.append(f"{when}: {tally.lost} lost, {tally.doubled} doubled")
