"""Kills the server at random moments of mixed ingest and export; see --help."""

import argparse
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid

from crash_server import CrashServer, StartError, live_server, percentile

live_server.use_client()

import grpc  # noqa: E402
import passerelle  # noqa: E402
import checks  # noqa: E402
import traffic  # noqa: E402
from google.protobuf import struct_pb2  # noqa: E402
from ledger import Findings, Stream, conclude, figures, outcome_counts  # noqa: E402
from passerelle.v1 import profile_pb2, profile_service_pb2  # noqa: E402

RETRY_SECONDS = 60.0
ROWS_PER_SECOND = 1_500  # of each flow, so that long runs can be compared in memory
END_SECONDS = 90
EXAMINE_EVERY = 10  # kills
HERE = pathlib.Path(__file__).resolve().parent


class FlowWriter(threading.Thread):
    """Writes stream after stream of one flow through the shipped loop, for as long as it is let."""

    def __init__(self, run: "Run", flow: traffic.Flow):
        super().__init__(name=flow.name, daemon=True)
        self._run = run
        self._choice = random.Random(f"{run.seed} {flow.name}")
        self.flow = flow
        self.streams: list[Stream] = []

    def run(self) -> None:
        with passerelle.connect(self._run.server.door) as client:
            while not self._run.ending.is_set():
                number = len(self.streams)
                total = self.flow.total(number, self._choice.randint(200, 4_000))
                self.streams.append(Stream(self.flow, number, total))
                try:
                    self._write(client, self.streams[-1])
                except Exception as error:  # whatever it is, it is the finding
                    self._run.findings.differs(f"the client's {self.streams[-1].name}", repr(error), "finished")
                    return

    def _write(self, client: passerelle.Client, stream: Stream) -> None:
        batch = self._choice.randint(50, 400)

        def on_progress(next_offset: int) -> None:
            stream.note_acknowledged(next_offset)
            time.sleep(batch / ROWS_PER_SECOND)

        result = self.flow.run(
            client,
            stream.number,
            stream.source,
            batch_records=batch,
            retry_for=RETRY_SECONDS,
            on_progress=on_progress,
            on_row=lambda row: None,
        )
        self._run.findings.count(f"{stream.name}: total records", result.total_records, stream.total)
        self._run.findings.count(f"{stream.name}: totals told at the end", result.totals.total(), stream.total)
        stream.note_acknowledged(result.total_records)
        stream.finished = True


class UnaryWriter(threading.Thread):
    """Imports small batches, one call each, and repeats a call with its request_id until it is answered."""

    ROWS = 20

    def __init__(self, run: "Run"):
        super().__init__(name="unary", daemon=True)
        self._run = run
        self.answered = 0  # calls
        self.repeated = 0
        self.tried = 0

    def profiles(self) -> dict[str, dict]:
        rows = ((call, i) for call in range(self.answered) for i in range(self.ROWS))
        return {f"u{call}-{i}": {"city": f"unary {call}"} for call, i in rows}

    def created(self) -> tuple[int, int]:
        return self.answered * self.ROWS, self.tried * self.ROWS

    def run(self) -> None:
        with passerelle.connect(self._run.server.door) as client:
            while not self._run.ending.is_set():
                rows = [self._row(i) for i in range(self.ROWS)]
                request = profile_service_pb2.BatchImportProfilesRequest(
                    parent=client.instance, rows=rows, request_id=str(uuid.UUID(int=self.answered + 1, version=4))
                )
                self.tried = self.answered + 1
                result = self._call(client, request)
                if result is None:
                    return
                counts = dict(outcome_counts(result.counts))
                self._run.findings.differs(f"unary call {self.answered}", counts, {"CREATED": self.ROWS})
                self.repeated += result.repeated_request
                self.answered += 1
                time.sleep(0.02)

    def _row(self, index: int) -> profile_pb2.ProfileRow:
        city = struct_pb2.Value(string_value=f"unary {self.answered}")
        return profile_pb2.ProfileRow(
            identities={"external_id": f"u{self.answered}-{index}"}, fields={"city": city}
        )

    def _call(self, client: passerelle.Client, request: object) -> object | None:
        deadline = time.monotonic() + RETRY_SECONDS
        while time.monotonic() < deadline:
            try:
                return client.call(client.stubs.profiles.BatchImportProfiles, request)
            except passerelle.PasserelleError as error:
                if not error.retryable:
                    self._run.findings.differs("a unary call", str(error), "answered")
                    return None
            time.sleep(0.05)
        self._run.findings.differs("a unary call", f"no answer in {RETRY_SECONDS:.0f} s", "answered")
        return None


class MembersReader(threading.Thread):
    """Keeps a copy of an audience up to date by incremental streams."""

    def __init__(self, run: "Run", audience: str):
        super().__init__(name="members", daemon=True)
        self._run = run
        self._audience = audience
        self._since = ""
        self.members: dict[str, int | None] = {}
        self.rounds = 0

    def run(self) -> None:
        with passerelle.connect(self._run.server.door) as client:
            while not self._run.ending.is_set():
                try:
                    self.read(client)
                except Exception as error:  # whatever it is, it is the finding
                    self._run.findings.differs("a members stream", repr(error), "whole")
                    return
                time.sleep(0.2)

    def read(self, client: passerelle.Client) -> None:
        stream = client.stream_members(
            self._audience, "push", attributes=["seq"], since=self._since, retry_for=RETRY_SECONDS
        )
        for member in stream:
            key = member.identities["external_id"]
            if member.change == "EXITED":
                self.members.pop(key, None)
            else:
                self.members[key] = member.attributes.get("seq")
        self._since = stream.end_token
        self.rounds += 1


class Consumer:
    """An export consumer process."""

    def __init__(self, run: "Run", name: str, *source: str):
        self.path = pathlib.Path(run.folder, f"{name}.jsonl")
        self.kills = 0
        self._run = run
        self._source = source
        self.start()

    def start(self) -> None:
        command = [sys.executable, HERE / "export_consumer.py", self._run.server.door, self.path]
        with open(self._run.folder / "consumers.log", "ab") as log:
            self.process = subprocess.Popen(
                [*map(str, command), f"{self._run.seed} {self.kills}", *self._source], stderr=log
            )

    def kill(self) -> None:
        if self.process.poll() is not None:
            last = (self._run.folder / "consumers.log").read_text().strip().rpartition("\n")[2]
            self._run.findings.differs(f"consumer '{self.path.stem}'", last, "running")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def rows(self) -> int:
        return sum(len(line.get("rows", ())) for line in checks.export_consumer.read_lines(self.path))


class Run:
    def __init__(self, options: argparse.Namespace, folder: str):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.seed = options.seed
        self.choice = random.Random(options.seed)
        self.findings = Findings()
        self.ending = threading.Event()
        environment = {"PASSERELLE_PLANT": options.plant} if options.plant else {}
        program = "passerelled_faults" if options.plant else "passerelled"
        self.server = CrashServer(folder, program, environment=environment)
        self.flows = {flow.name: flow(self.seed) for flow in traffic.FLOWS}
        self.writers = [FlowWriter(self, flow) for flow in self.flows.values()]
        self.unary = UnaryWriter(self)
        self.reader = MembersReader(self, "vip")
        self.consumers: list[Consumer] = []
        self.killed_starts = 0
        self.heads: list = []  # of the audit trail, when it was looked at last

    @property
    def streams(self) -> list[Stream]:
        return [stream for writer in self.writers for stream in list(writer.streams)]

    def begin(self) -> None:
        self.server.start()
        with passerelle.connect(self.server.address) as client:
            traffic.prepare(client)
        self.server.open_door()
        self.consumers = [Consumer(self, "everything"), Consumer(self, "sends", "sends")]
        for thread in (*self.writers, self.unary, self.reader):
            thread.start()

    def kill_once(self, number: int) -> None:
        """Kill, start again, look, go on."""
        time.sleep(self.choice.uniform(0.05, 0.7))
        self.server.close_door()
        consumer = self.consumers[number % 2]
        consumer_first = self.choice.random() < 0.5
        if consumer_first:
            consumer.kill()
        self.server.kill()
        if not consumer_first:
            consumer.kill()
        if number % EXAMINE_EVERY == 0:
            self.findings.differs("the doctor after a kill", self.server.examine(), [])
        if self.options.double:
            self.kill_recovery()
        self.server.start()
        self.look()
        self.server.open_door()
        consumer.start()

    def kill_recovery(self) -> None:
        usual = percentile(self.server.ready_seconds, 50)
        self.server.launch()
        time.sleep(self.choice.uniform(0, 1.2 * usual))
        self.server.kill()
        self.killed_starts += 1

    def look(self) -> None:
        """While nobody else writes."""
        streams = self.streams
        with passerelle.connect(self.server.address) as client:
            totals = checks.check_streams(client, streams, self.findings)
            checks.check_sums(client, totals, self.unary.created(), self.findings)
            checks.check_sample(client, streams, self.findings)
            for stream in [s for s in streams if not s.finished and s.acknowledged]:
                checks.late_retry(client, stream, self.findings, self.choice)
            checks.check_streams(client, streams, self.findings)
            self.heads = checks.check_trail(client, self.heads, self.findings)

    def end(self) -> tuple[int, int]:
        """Lets everything finish, then compares everything; returns rows received and applied."""
        self.ending.set()
        deadline = time.monotonic() + END_SECONDS
        for thread in (*self.writers, self.unary, self.reader):
            thread.join(max(0.0, deadline - time.monotonic()))
            self.findings.differs(f"{thread.name}: ended in time", thread.is_alive(), False)
        with passerelle.connect(self.server.address) as client:
            received, applied = checks.check_outcomes(client, self.streams, self.findings)
            totals = checks.check_streams(client, self.streams, self.findings)
            checks.check_sums(client, totals, self.unary.created(), self.findings)
            checks.check_trail_counts(client, totals, self.findings)
            self.heads = checks.check_trail(client, self.heads, self.findings)
            checks.check_profiles(client, self.flows, self.unary.profiles(), self.findings)
            checks.check_members(client, self.flows, self.findings)
            checks.check_reports(client, self.flows["append"], self.findings)
            checks.check_log(client, self.flows["append"], self.findings)
            self.reader.read(client)
            self.compare_copy()
        self.end_consumers()
        unary = self.unary.answered * self.unary.ROWS
        return received + unary, applied + unary

    def compare_copy(self) -> None:
        sync = self.flows["sync"].attributes
        wanted = ((key, sync.get(key, {}).get("seq")) for key in self.flows["push"].members["vip"])
        self.findings.compare("the copy of vip kept by incrementals", self.reader.members.items(), wanted)

    def end_consumers(self) -> None:
        append = self.flows["append"]
        deadline = time.monotonic() + END_SECONDS
        for consumer, wanted in zip(self.consumers, (append.appended, append.sends), strict=True):
            while consumer.rows() < len(wanted) and time.monotonic() < deadline and not self.findings:
                time.sleep(0.2)
            time.sleep(0.2)  # rows too many would come now
            consumer.kill()
            checks.check_consumer(consumer.path, wanted, self.findings, f"consumer '{consumer.path.stem}'")

    def stop(self) -> None:
        self.findings.differs("exit code of an orderly end", self.server.stop(), 0)
        self.findings.differs("the doctor at the end", self.server.examine(), [])
        file = self.folder / "d/store/instances/default/profiles.db"
        checks.check_consents(file, self.findings, self.flows["append"])

    def clear(self) -> None:
        for consumer in self.consumers:
            if consumer.process.poll() is None:
                consumer.process.kill()
                consumer.process.wait()
        if self.server.running:
            self.server.kill()


def drive(run: Run) -> tuple[int, int]:
    run.begin()
    for number in range(run.options.kills):
        run.kill_once(number)
        if run.findings:
            break
    received = applied = 0
    if not (run.findings and run.options.plant):
        received, applied = run.end()
        run.stop()
    return received, applied


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/crash/run", description=__doc__)
    parser.add_argument("--kills", type=int, default=40, help="how often the server is killed")
    parser.add_argument("--double", action="store_true", help="kill it again while it starts, each time")
    parser.add_argument("--plant", default="", help="a bug to build in, which must be found (storage/fault_point.h)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--keep", action="store_true", help="keep the folder when something was found")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="crash-")
    run = Run(options, folder)
    received = applied = 0
    try:
        received, applied = drive(run)
    except (StartError, passerelle.PasserelleError, grpc.RpcError) as error:
        run.findings.differs("the run", repr(error), "an end")
    finally:
        run.clear()
    ready = run.server.ready_seconds
    print(
        f"kills={options.kills} killed_starts={run.killed_starts} consumer_kills={sum(c.kills for c in run.consumers)}"
        f" streams={len(run.streams)} incrementals={run.reader.rounds} unary={run.unary.answered}"
        f" repeated={run.unary.repeated}"
        f" serving_p50_ms={percentile(ready, 50) * 1_000:.0f} serving_p99_ms={percentile(ready, 99) * 1_000:.0f}"
    )
    if run.findings and (options.keep or not options.plant):
        print(f"kept for looking at: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return conclude(run.findings, options.plant, figures(run.findings, received, applied, options.seed))


if __name__ == "__main__":
    sys.exit(main())
