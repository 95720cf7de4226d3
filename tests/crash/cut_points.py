"""Breaks connections of the shipped clients at message boundaries and random bytes; see --help."""

import argparse
import dataclasses
import itertools
import json
import pathlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator

from crash_server import CrashServer, StartError, live_server, percentile

live_server.use_client()

import checks  # noqa: E402
import grpc  # noqa: E402
import passerelle  # noqa: E402
import traffic  # noqa: E402
from cut_clients import Clients, ClientProcess, Job, write_rows  # noqa: E402
from fault_proxy import DOWN, UP, Fault, FaultProxy  # noqa: E402
from ledger import Findings, Stream, conclude, figures  # noqa: E402

ROWS, BATCH = 480, 60
EXPORT_BATCH = 150
ANSWER_SECONDS = 30.0  # each resume is bounded
ACTIONS = ("kill", "kill", "kill", "cut", "half-close", "stall", "stall-cut")
KINDS = ("import", "sync", "push", "replace", "append", "export", "members")


@dataclasses.dataclass(frozen=True)
class Point:
    language: str
    kind: str
    direction: str
    unit: str
    number: int
    action: str

    def __str__(self) -> str:
        where = f"{self.unit} {self.number} {self.direction}"
        return f"{self.language} {self.kind}, {self.action} after {where}"


class Cuts:
    def __init__(self, options: argparse.Namespace, folder: str):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.seed = options.seed
        self.choice = random.Random(options.seed)
        self.findings = Findings()
        environment = {"PASSERELLE_PLANT": options.plant} if options.plant else {}
        program = "passerelled_faults" if options.plant else "passerelled"
        self.server = CrashServer(folder, program, environment=environment)
        self.flows = {flow.name: flow(self.seed) for flow in traffic.FLOWS}
        self.streams: list[Stream] = []
        self.reached = 0
        self.client_kills = 0
        self.seconds: list[float] = []
        self._files = itertools.count()

    def begin(self) -> None:
        self.server.start()
        self.client = passerelle.connect(self.server.address)
        traffic.prepare(self.client)
        self.proxy = FaultProxy(self.server.address)
        self.clients = Clients(self.folder)

    # ---- one job --------------------------------------------------------------------------------

    def new_job(self, kind: str) -> Job:
        file = self.folder / f"job-{next(self._files)}"
        if kind == "export":
            return Job(kind, "", file, EXPORT_BATCH)
        if kind == "members":
            return Job(kind, "vip", file, EXPORT_BATCH)
        flow = self.flows[kind]
        number = sum(stream.flow is flow for stream in self.streams)
        total = flow.total(number, ROWS)
        self.streams.append(Stream(flow, number, total, sent=total))
        write_rows(file, flow, number, total)
        return Job(kind, flow.stream(number), file, max(BATCH, total // 8), flow, number, total)

    def finish_job(self, language: str, job: Job, what: str) -> None:
        """Starts a client that is left in peace and wants the job done."""
        began = time.monotonic()
        process = self.clients.start(language, job, self.proxy.address)
        self.judge(process.answer(ANSWER_SECONDS), job, what)
        self.seconds.append(time.monotonic() - began)
        process.end()

    def judge(self, answer: dict, job: Job, what: str) -> None:
        if self.findings.differs(f"{what}: the loop", answer["ok"] or answer["error"], True):
            return
        if job.flow:
            self.findings.count(f"{what}: total records", answer["total"], job.total)

    # ---- where to break -------------------------------------------------------------------------

    def measure(self, language: str, kind: str) -> dict:
        """Does a job undisturbed; returns how many messages and bytes went each way."""
        self.proxy.arm(None)
        self.finish_job(language, self.new_job(kind), f"{language} {kind} undisturbed")
        return self.proxy.most

    def points(self) -> Iterator[Point]:
        """Every message boundary of every client, kind and direction in random order, a random byte after
        each; then anew with other actions."""
        boundaries = []
        sizes = {}
        for language, kind in itertools.product(Clients.LANGUAGES, KINDS):
            sizes[language, kind] = most = self.measure(language, kind)
            for direction in (UP, DOWN):
                last = most[direction]["message"]
                boundaries += [(language, kind, direction, n) for n in range(1, last + 1)]
        while True:
            self.choice.shuffle(boundaries)
            for language, kind, direction, number in boundaries:
                action = self.choice.choice(ACTIONS)
                yield Point(language, kind, direction, "message", number, action)
                byte = self.choice.randint(0, sizes[language, kind][direction]["byte"])
                yield Point(language, kind, direction, "byte", byte, self.choice.choice(ACTIONS))

    # ---- one point ------------------------------------------------------------------------------

    def break_at(self, point: Point) -> None:
        job = self.new_job(point.kind)
        processes: list[ClientProcess] = []
        seconds = self.choice.uniform(0.05, 1.0)
        action = "call" if point.action == "kill" else point.action
        fault = Fault(point.direction, point.unit, point.number, action, seconds, lambda: processes[0].kill())
        wanted = self.read_log() if point.kind == "export" else []
        self.proxy.arm(fault)
        began = time.monotonic()
        processes.append(self.clients.start(point.language, job, self.proxy.address))
        answer = processes[0].answer(ANSWER_SECONDS)
        processes[0].end()
        self.seconds.append(time.monotonic() - began)
        self.reached += fault.fired.is_set()
        if answer is None:
            self.client_kills += 1
            self.resume(job, str(point))
        else:
            self.judge(answer, job, str(point))
        self.compare(job, wanted, str(point))

    def resume(self, job: Job, what: str) -> None:
        """Another process, perhaps of the other client, goes on under the same name with other batches."""
        language = self.choice.choice(Clients.LANGUAGES)
        if job.flow and self.choice.random() < 0.5:
            checks.late_retry(self.client, self.streams[-1], self.findings, self.choice)
        if job.kind == "export":
            lines = checks.export_consumer.read_lines(job.file)
            checks.export_consumer.repair(job.file)
            job.name = lines[-1]["cursor"] if lines else ""
        job.batch = self.choice.randint(20, 2 * BATCH)
        self.finish_job(language, job, f"{what}, resumed by {language}")

    def compare(self, job: Job, wanted: list, what: str) -> None:
        if job.flow:
            self.streams[-1].finished = True
            self.streams[-1].acknowledged = job.total
        elif job.kind == "export":
            lines = checks.export_consumer.read_lines(job.file)
            rows = [(n, bytes.fromhex(row)) for line in lines for n, row in line["rows"]]
            checks.check_rows(what, rows, wanted, self.findings)
        else:
            found = job.file.read_text().split()
            members = self.client.stream_members(job.name, "push")
            self.findings.compare(what, found, [m.identities["external_id"] for m in members])

    def read_log(self) -> list[bytes]:
        return [traffic.content(row) for batch in self.client.export_logs() for row in batch.rows]

    # ---- at the end -----------------------------------------------------------------------------

    def end(self) -> tuple[int, int]:
        received, applied = checks.check_outcomes(self.client, self.streams, self.findings)
        totals = checks.check_streams(self.client, self.streams, self.findings)
        checks.check_sums(self.client, totals, (0, 0), self.findings)
        checks.check_profiles(self.client, self.flows, {}, self.findings)
        checks.check_members(self.client, self.flows, self.findings)
        checks.check_reports(self.client, self.flows["append"], self.findings)
        checks.check_log(self.client, self.flows["append"], self.findings)
        self.findings.differs("exit code of an orderly end", self.server.stop(), 0)
        self.findings.differs("the doctor at the end", self.server.examine(), [])
        return received, applied

    def clear(self) -> None:
        self.clients.close()
        self.client.close()
        self.proxy.close()
        if self.server.running:
            self.server.kill()


def drive(cuts: Cuts) -> tuple[int, int]:
    points = cuts.points()
    for _ in range(cuts.options.points):
        point = next(points)
        if cuts.options.verbose:
            print(json.dumps(dataclasses.asdict(point)), flush=True)
        cuts.break_at(point)
        if cuts.findings:
            break
    if cuts.findings and cuts.options.plant:
        return 0, 0
    return cuts.end()


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/crash/cuts", description=__doc__)
    parser.add_argument("--points", type=int, default=60, help="how many places to break connections at")
    parser.add_argument("--plant", default="", help="a bug to build in, which must be found (storage/fault_point.h)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--verbose", action="store_true", help="say each point")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cuts-")
    cuts = Cuts(options, folder)
    received = applied = 0
    try:
        cuts.begin()
        received, applied = drive(cuts)
    except (StartError, passerelle.PasserelleError, grpc.RpcError) as error:
        cuts.findings.differs("the run", repr(error), "an end")
    finally:
        cuts.clear()
    print(
        f"points={options.points} reached={cuts.reached} client_kills={cuts.client_kills}"
        f" streams={len(cuts.streams)} seconds_p50={percentile(cuts.seconds, 50):.2f}"
        f" seconds_max={percentile(cuts.seconds, 100):.2f}"
    )
    if cuts.findings and not options.plant:
        print(f"kept for looking at: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return conclude(cuts.findings, options.plant, figures(cuts.findings, received, applied, options.seed))


if __name__ == "__main__":
    sys.exit(main())
