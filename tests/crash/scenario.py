"""Everything the server does that has a fault point, once, while it may die at one of them, or while a call to its
disk fails.

A supervisor starts the server again, without the fault; the shipped loops go on by themselves, single
calls are made again until they are answered. In the end everything is compared, as in tests/crash/run.
"""

import pathlib
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import checks
import passerelle
import traffic
from crash_server import CrashServer, StartError
from ledger import Findings, Stream
from passerelle.v1 import audience_pb2, audience_service_pb2, instance_pb2, instance_service_pb2, stream_service_pb2

PATIENCE_SECONDS = 20.0
ROWS, BATCH = 1_200, 150
SIGKILLED = -9


class Scenario:
    def __init__(self, folder: pathlib.Path, fault: str = "", io_fault: str = "", seed: int = 1):
        self.findings = Findings()
        self.deaths: list[int] = []
        self.log = folder / "points"
        environment = {"PASSERELLE_FAULT_LOG": str(self.log), "PASSERELLE_IO_ROOT": str(folder / "d")}
        self.server = CrashServer(str(folder), "passerelled_faults", environment=environment)
        self._dies = bool(fault)
        self.server.set_environment(PASSERELLE_FAULT=fault, PASSERELLE_IO_FAULT=io_fault)
        self.flows = {flow.name: flow(seed) for flow in traffic.FLOWS}
        self.streams: list[Stream] = []
        self._choice = random.Random(seed)
        self._ended = threading.Event()

    def reached(self) -> set[str]:
        return set(self.log.read_text().split())

    def fired(self) -> bool:
        """Whether the fault of the disk was met."""
        return self.log.exists() and "fired" in self.reached()

    def run(self) -> None:
        self._start()
        supervisor = threading.Thread(target=self._supervise, daemon=True)
        supervisor.start()
        try:
            with passerelle.connect(self.server.door) as client:
                self._patiently(lambda: traffic.prepare(client))
                self._patiently(lambda: self._send(client))
                self._make_and_delete(client)
                self._await_death(client)
                self._compare(client)
        finally:
            self._ended.set()
            supervisor.join()
            if self.server.running:
                self.server.stop()
        self.findings.differs("the doctor at the end", self.server.examine(), [])

    def _start(self) -> None:
        try:
            self.server.start()
        except StartError:
            self._start_again()
        self.server.open_door()

    def _start_again(self) -> None:
        self.deaths.append(self.server.process.returncode)
        self.findings.differs("the doctor after the death", self.server.examine(), [])
        self.server.set_environment(PASSERELLE_FAULT="", PASSERELLE_IO_FAULT="")
        self.server.start()

    def _supervise(self) -> None:
        while not self._ended.wait(0.02):
            if not self.server.running:
                self._start_again()
                self.server.open_door()

    def _patiently(self, step: Callable[[], Any]) -> Any:
        """A step that may be done again, until the server was there for all of it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return step()
            except passerelle.PasserelleError as error:
                if not error.retryable or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def _send(self, client: passerelle.Client) -> None:
        self.streams.clear()
        for flow in self.flows.values():
            stream = Stream(flow, 0, flow.total(0, ROWS))
            self.streams.append(stream)
            flow.run(
                client,
                0,
                stream.source,
                batch_records=BATCH,
                retry_for=PATIENCE_SECONDS,
                on_progress=stream.note_acknowledged,
                on_row=lambda row: None,
            )
            stream.sent = stream.acknowledged = stream.total
            stream.finished = True

    def _make_and_delete(self, client: passerelle.Client) -> None:
        """An instance, and a stream in each file."""
        make = instance_service_pb2.CreateInstanceRequest(instance_id="other", instance=instance_pb2.Instance())
        self._patiently(lambda: traffic.create(client, client.stubs.instances.CreateInstance, make))
        remove = instance_service_pb2.DeleteInstanceRequest(name="instances/other")
        self._patiently(lambda: self._delete(client, client.stubs.instances.DeleteInstance, remove))
        for flow in (traffic.Import(2), traffic.Append(2)):
            name = client.name("writeStreams", flow.stream(9))
            self._patiently(lambda flow=flow: flow.run(client, 9, [], retry_for=PATIENCE_SECONDS))
            gone = stream_service_pb2.DeleteWriteStreamRequest(name=name)
            self._patiently(lambda gone=gone: self._delete(client, client.stubs.streams.DeleteWriteStream, gone))
        listed = self._patiently(
            lambda: client.call(client.stubs.instances.ListInstances, instance_service_pb2.ListInstancesRequest())
        )
        self.findings.differs("instances", [found.name for found in listed.instances], ["instances/default"])

    def _await_death(self, client: passerelle.Client) -> None:
        """Fills the log on, where reads were in the way of a checkpoint and so too few were made."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        make = audience_service_pb2.CreateAudienceRequest(
            parent=client.instance, audience_id="filler", audience=audience_pb2.Audience(kind="KIND_LIST")
        )
        remove = audience_service_pb2.DeleteAudienceRequest(name=client.name("audiences", "filler"))
        while self._dies and not self.deaths and time.monotonic() < deadline:
            self._patiently(lambda: traffic.create(client, client.stubs.audiences.CreateAudience, make))
            self._patiently(lambda: self._delete(client, client.stubs.audiences.DeleteAudience, remove))

    def _delete(self, client: passerelle.Client, method: Any, request: Any) -> None:
        try:
            client.call(method, request)
        except passerelle.PasserelleError as error:
            if error.reason != "RESOURCE_NOT_FOUND":
                raise

    def _compare(self, client: passerelle.Client) -> None:
        """A name that was freed can be used again, and nothing was lost or doubled."""
        self._patiently(lambda: traffic.Import(2).run(client, 9, [], retry_for=PATIENCE_SECONDS))
        totals = self._patiently(lambda: checks.check_streams(client, self.streams, self.findings))
        self._patiently(lambda: checks.check_sums(client, totals, (0, 0), self.findings))
        checks.check_outcomes(client, self.streams, self.findings)
        checks.check_profiles(client, self.flows, {}, self.findings)
        checks.check_members(client, self.flows, self.findings)
        checks.check_reports(client, self.flows["append"], self.findings)
        checks.check_log(client, self.flows["append"], self.findings)
