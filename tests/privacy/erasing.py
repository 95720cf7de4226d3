"""Erases a person and looks for them: in every file, in every answer, in the log; after a restart, after deaths in the
middle, after a restore."""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import grpc
import live_server
import person

import passerelle
from passerelle import PasserelleError
from passerelle.v1 import (
    activation_service_pb2,
    audience_service_pb2,
    log_service_pb2,
    maintenance_service_pb2,
    maintenance_service_pb2_grpc,
    privacy_pb2,
    privacy_service_pb2,
    profile_pb2,
    profile_service_pb2,
    stream_service_pb2,
    suppression_service_pb2,
)

PATIENCE_SECONDS = 60
STREAMS = ("people", "vip-rows", "regulars-rows", "waiting-rows", "towns", "log-rows")
AUDIENCES = ("vip", "regulars", "waiting")
LISTS = {"ListQuarantinedAddresses": "addresses", "ListDenylistEntries": "denylist_entries",
         "ListSuppressions": "suppressions"}
DELIVERIES = ("spring", "summer")
# What the harness itself puts where nothing must be, and what a server with a bug leaves behind.
OWN_PLANTS = ("file", "answer", "log", "archive")
SERVER_PLANTS = ("erase-keeps-log-rows", "erase-keeps-outcomes", "erase-keeps-write-ahead-log", "erase-keeps-no-tombstones")
# Where the server dies while it erases, or collects; "": as soon as it has answered.
ERASE_FAULTS = ("erase-before-journal", "erase-after-journal", "erase-after-ledger", "erase-after-logs",
                "erase-logs-emptied", "erase-before-receipt")
ACCESS_FAULTS = ("archive-chunk-written",)
DEATHS = ("", *ERASE_FAULTS)


@dataclasses.dataclass
class Place:
    """Somewhere that was searched."""

    name: str
    unit: str
    searched: int = 0
    hits: list = dataclasses.field(default_factory=list)


class Search:
    def __init__(self):
        self.marks = person.marks()
        self.places: dict[str, Place] = {}

    def look(self, place: str, unit: str, what: str, data: bytes, size: int) -> int:
        found = self.places.setdefault(place, Place(place, unit))
        found.searched += size
        lowered = data.lower()
        hits = [told for told, mark in self.marks.items() if mark in (data if told.endswith("bytes") else lowered)]
        found.hits += [f"{what}: {told[:40]}" for told in hits]
        return len(hits)

    def hits(self) -> int:
        return sum(len(place.hits) for place in self.places.values())

    def forget_hits(self) -> None:
        for place in self.places.values():
            place.hits.clear()


class Answers:
    """Everything that can be read over the wire."""

    def __init__(self, client: passerelle.Client, planter: person.Planter, profile: str):
        self.client, self.planter, self.profile = client, planter, profile

    def _pages(self, stub: str, method: str, request, items: str) -> list:
        return list(self.client.pages(getattr(getattr(self.client.stubs, stub), method), request, items))

    def profiles(self) -> list:
        request = profile_service_pb2.ListProfilesRequest(parent=self.client.instance, page_size=1000)
        return self._pages("profiles", "ListProfiles", request, "profiles")

    def members(self, audience: str) -> list:
        request = audience_service_pb2.ListMembersRequest(
            parent=self.client.name("audiences", audience), reach={"channel": "post"}, page_size=1000,
            attributes=["city", "notes"])
        return self._pages("audiences", "ListMembers", request, "members")

    def log_rows(self) -> list:
        request = log_service_pb2.ListLogsRequest(parent=self.client.instance, page_size=1000)
        return self._pages("logs", "ListLogs", request, "rows")

    def outcomes(self, stream: str) -> list:
        request = stream_service_pb2.ListRowOutcomesRequest(parent=self.client.name("writeStreams", stream), page_size=1000)
        return self._pages("streams", "ListRowOutcomes", request, "rows")

    def reports(self) -> dict[str, bytes]:
        told = {}
        for delivery in DELIVERIES:
            request = log_service_pb2.GetDeliveryReportRequest(name=self.client.name("deliveries", delivery))
            report = self.client.call(self.client.stubs.logs.GetDeliveryReport, request)
            report.sequence = 0  # of the moment, not of the delivery
            told[delivery] = report.SerializeToString(deterministic=True)
        return told

    def listed(self, method: str) -> list:
        request = getattr(suppression_service_pb2, f"{method}Request")(parent=self.client.instance)
        return self._pages("suppressions", method, request, LISTS[method])

    def requests(self) -> list:
        request = privacy_service_pb2.ListPrivacyRequestsRequest(parent=self.client.instance)
        return self._pages("privacy", "ListPrivacyRequests", request, "privacy_requests")

    def others(self) -> dict[str, bytes]:
        """What is told of everybody else, each piece by its name."""
        def text(message) -> bytes:
            return message.SerializeToString(deterministic=True)

        told = {item.name: text(item) for item in self.profiles() if item.name != self.profile}
        for audience in AUDIENCES:
            told |= {f"{audience} {item.profile}": text(item) for item in self.members(audience) if item.profile != self.profile}
        told |= {f"log row {row.sequence}": text(row) for row in self.log_rows()
                 if row.broadlog_id not in self.planter.messages and row.broadlog_id < 900_000}
        for stream in STREAMS:
            told |= {f"{stream} {row.offset}": text(row) for row in self.outcomes(stream) if row.record_key.startswith("crowd")}
        told |= {f"quarantine {item.identity.value}": text(item) for item in self.listed("ListQuarantinedAddresses")
                 if item.identity.value.startswith("crowd")}
        told |= {f"denied {item.profile}": text(item) for item in self.listed("ListDenylistEntries")
                 if item.profile != self.profile}
        return told

    def all(self):
        """Each answer and the call it is of; refusals are answers too."""
        yield from (("ListProfiles", item) for item in self.profiles())
        for audience in AUDIENCES:
            yield from (("ListMembers", item) for item in self.members(audience))
            yield from self._stream("StreamMembers", self.client.stubs.activation.StreamMembers,
                                    activation_service_pb2.StreamMembersRequest(
                                        audience=self.client.name("audiences", audience), reach={"channel": "post"},
                                        attributes=["city", "notes"], identity_namespaces=list(person.identities())))
        yield from (("ListLogs", row) for row in self.log_rows())
        yield from self._stream("ExportLogs", self.client.stubs.logs.ExportLogs,
                                log_service_pb2.ExportLogsRequest(name=self.client.instance))
        for stream in STREAMS:
            yield from (("ListRowOutcomes", row) for row in self.outcomes(stream))
        for method in LISTS:
            yield from ((method, item) for item in self.listed(method))
        yield from (("ListPrivacyRequests", item) for item in self.requests())
        yield from self._of_the_profile()
        yield from (("GetDeliveryReport", report) for report in self.reports().values())

    def _stream(self, told: str, method, request):
        for message in method(request, timeout=PATIENCE_SECONDS):
            yield told, message

    def _of_the_profile(self):
        request = profile_service_pb2.GetProfileRequest(name=self.profile)
        yield self._answer("GetProfile", self.client.stubs.profiles.GetProfile, request)
        request = profile_service_pb2.ExplainProfileRequest(parent=self.client.instance, profile=self.profile)
        yield self._answer("ExplainProfile", self.client.stubs.profiles.ExplainProfile, request)
        for namespace, value in [*person.identities().items(), ("email", person.LATER_EMAIL)]:
            identity = profile_pb2.Identity(namespace=namespace, value=value)
            request = profile_service_pb2.LookupProfileRequest(parent=self.client.instance, identity=identity)
            yield self._answer("LookupProfile", self.client.stubs.profiles.LookupProfile, request)

    def _answer(self, told: str, method, request):
        try:
            return told, self.client.call(method, request)
        except PasserelleError as error:
            return told, f"{error} {error.reason}".encode()


class World:
    """One server with the person in it."""

    def __init__(self, search: Search, crowd: int, planted: str = "", *options: str):
        self.search, self.planted = search, planted
        self.wrong: list[str] = []
        self.folder = tempfile.mkdtemp(prefix="passerelle-erased-")
        self.data = pathlib.Path(self.folder, "d")
        self.backups = pathlib.Path(self.folder, "backups")
        self.crowd = person.Crowd(crowd)
        self.options = ("--log-level", "debug", "--backup-directory", str(self.backups),
                        "--disk-reserve-bytes", "1048576", *options)
        self.server = self.client = self.planter = None
        self.profile = ""

    def __enter__(self) -> "World":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.end(kill=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, fault: str = "") -> None:
        """A server that dies at `fault`, if one is named."""
        plant = self.planted if self.planted in SERVER_PLANTS else ""
        os.environ |= {"PASSERELLE_PLANT": plant, "PASSERELLE_FAULT": f"{fault}:1" if fault else ""}
        program = "passerelled_faults" if plant or fault else "passerelled"
        self.server = live_server.LiveServer(self.folder, *self.options, program=program)
        self.client = passerelle.connect(self.server.address)
        if self.planter is None:
            self.planter = person.Planter(self.client, self.crowd)
        self.planter.client = self.client

    def end(self, kill: bool = False) -> None:
        if self.server is None:
            return
        self.client.close()
        if kill:
            self.server.kill()
        elif self.server.stop() != 0:
            self.wrong.append("the server did not end in order")
        self.server.__exit__()
        self.server = None

    def ask_and_die(self, kind: str, name: str, fault: str) -> None:
        """The server dies at `fault` and is started again; its answer may not come."""
        self.end()
        self.start(fault)
        try:
            self.planter.ask(kind, name)
        except PasserelleError as error:
            self.check(bool(fault) and error.reason != "RESOURCE_ALREADY_EXISTS", f"{kind}: {error}")
        if fault:
            code = self.server.process.wait(timeout=PATIENCE_SECONDS)
            self.check(code == -signal.SIGKILL, f"it ended with {code} instead of dying at {fault}")
        self.end(kill=True)
        self.start()

    def answers(self) -> Answers:
        return Answers(self.client, self.planter, self.profile)

    def check(self, holds: bool, told: str) -> None:
        if not holds:
            self.wrong.append(told)

    # ---- privacy requests ----

    def plant(self) -> None:
        self.planter.plant()
        self.profile = self.planter.profile()

    def get(self, name: str) -> privacy_pb2.PrivacyRequest:
        request = privacy_service_pb2.GetPrivacyRequestRequest(name=self.client.name("privacyRequests", name))
        return self.client.call(self.client.stubs.privacy.GetPrivacyRequest, request)

    def wait(self, name: str) -> privacy_pb2.PrivacyRequest:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            request = self.get(name)
            if request.state != privacy_pb2.PrivacyRequest.STATE_RUNNING or time.monotonic() > give_up:
                break
            time.sleep(0.02)
        state = privacy_pb2.PrivacyRequest.State.Name(request.state)
        self.check(state == "STATE_SUCCEEDED", f"{name}: {state} {request.failure}")
        return request

    def archive(self, name: str) -> bytes:
        request = privacy_service_pb2.DownloadArchiveRequest(name=self.client.name("privacyRequests", name))
        return b"".join(part.data for part in self.client.stubs.privacy.DownloadArchive(request, timeout=PATIENCE_SECONDS))

    def ask_for_all(self, name: str) -> None:
        self.planter.ask("ACCESS", name)
        self.check_archive(name)

    def check_archive(self, name: str) -> None:
        """It holds every value that was told, and nothing of others."""
        self.wait(name)
        archive = self.archive(name)
        if self.planted == "archive":
            archive = archive.replace(person.CITY.encode(), b"")
        lines = [json.loads(line) for line in archive.splitlines()]
        held = json.dumps(lines[1:], ensure_ascii=False)
        missing = [value for value in person.HELD if value not in held]
        self.check(not missing, f"the archive lacks {missing}")
        self.check("crowd" not in held, "the archive holds something of others")
        self.check(all(set(line) == {"table", "row"} for line in lines[1:]), "a line of the archive is of another shape")

    # ---- looking for them ----

    def look_everywhere(self) -> int:
        """How many hits there are this time."""
        before = self.search.hits()
        for path in sorted(pathlib.Path(self.folder).rglob("*")):
            if path.is_file() and self.backups not in path.parents:
                data = path.read_bytes()
                if self.planted == "log" and path.name == "server.log" or self.planted == "file" and path.name == "logs.db":
                    data += person.EMAIL.upper().encode()
                place = "the server's log" if path.name == "server.log" else f"files named {path.name}"
                self.search.look(place, "bytes", path.name, data, len(data))
        for told, answer in self.answers().all():
            data = answer if isinstance(answer, bytes) else answer.SerializeToString()
            if self.planted == "answer" and told == "ListLogs":
                data += person.PHONE.encode()
            self.search.look("answers of calls that read", "answers", told, data, 1)
        return self.search.hits() - before

    def look_until_clean(self, since: float) -> None:
        """What the background has not come to yet may still be there, for a minute."""
        while True:
            before = {name: len(place.hits) for name, place in self.search.places.items()}
            if self.look_everywhere() == 0:
                return
            if time.monotonic() > since + PATIENCE_SECONDS or self.planted:
                return
            for name, place in self.search.places.items():
                del place.hits[before.get(name, 0) :]
            time.sleep(0.1)

    def check_comes_back_never(self) -> int:
        """All ways back in are closed; how many rows tried."""
        tried = 0
        for kind, counts in self.planter.come_back().items():
            tried += sum(counts.values())
            self.check(set(counts) == {"SUPPRESSED"}, f"{kind} of the erased: {counts}")
        return tried

    # ---- backups ----

    def back_up(self, name: str) -> None:
        stub = maintenance_service_pb2_grpc.MaintenanceServiceStub(self.client.channel)
        for _ in stub.Backup(maintenance_service_pb2.BackupRequest(backup_id=name), timeout=PATIENCE_SECONDS):
            pass

    def restore(self) -> None:
        """Puts the backup `before` in the place of the data; key and journal stay where they are."""
        shutil.rmtree(self.data)
        command = [live_server.find_program("passerelled"), "restore", "--from", self.backups / "before", "--data", self.data]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        self.check(done.returncode == 0 and ".erasures" in done.stdout, f"restore: {done.stdout}{done.stderr}")

    def refusal(self) -> str:
        """Why the server does not start."""
        command = [live_server.find_program("passerelled"), "--data", self.data, "--listen", "127.0.0.1:0",
                   "--insecure-loopback", *self.options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        self.check(done.returncode == 1 and not done.stdout, "it starts without its erasure journal")
        return done.stderr

    def is_known(self) -> bool:
        """The first thing that is asked of a server."""
        lookup = profile_service_pb2.LookupProfileRequest(parent=self.client.instance, identity=self.planter.erased_by[0])
        try:
            self.client.stubs.profiles.LookupProfile(lookup, timeout=PATIENCE_SECONDS)
        except grpc.RpcError as error:
            self.check(error.code() == grpc.StatusCode.NOT_FOUND, f"LookupProfile: {error.code()}")
            return False
        return True
