"""Sixteen exporters that stop reading while rows are appended and read: what they cost in memory and write-ahead log.

As a program: python stalled_exports.py SECONDS prints the figures as one line of JSON."""

import json
import pathlib
import sys
import threading
import time

import live_server

live_server.use_client()

import grpc  # noqa: E402
import passerelle  # noqa: E402
from passerelle.v1 import log_entry_pb2, log_service_pb2  # noqa: E402

STALLED = 16
BATCH_ROWS = 2_000
WRITER_CACHE_BYTES = 64 * 1024 * 1024  # StoreOptions::cache_bytes_per_writer
PATIENCE_SECONDS = 240


def memory_kib(server) -> int:
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


def wal_bytes(server) -> int:
    return max((file.stat().st_size for file in pathlib.Path(server.data).rglob("*-wal")), default=0)


def log_bytes(server) -> int:
    return pathlib.Path(server.data, "d/store/instances/default/logs.db").stat().st_size


def entries(first: int, count: int) -> list:
    return [
        log_entry_pb2.LogEntry(
            kind=log_entry_pb2.LOG_KIND_DELIVERY,
            delivery="spring",
            broadlog_id=first + i + 1,
            status=log_entry_pb2.DELIVERY_STATUS_SENT,
            reason_message="x" * 100,
        )
        for i in range(count)
    ]


class Load:
    """Appends rows and reads single pages, each on a thread, until it is stopped."""

    def __init__(self, server):
        self.server = server
        self.appended = 0
        self.waits: list[float] = []
        self.failures: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(work,)) for work in (self._append, self._read)]
        for thread in self._threads:
            thread.start()

    def _guard(self, work):
        try:
            with passerelle.connect(self.server.address) as client:
                work(client)
        except BaseException as error:  # the test looks at it
            self.failures.append(error)

    def _append(self, client):
        def rows(_offset):
            while not self._stop.is_set():
                yield from entries(self.appended, BATCH_ROWS)
                self.appended += BATCH_ROWS

        result = client.append_logs(rows, stream=f"load-{time.time_ns()}", batch_records=BATCH_ROWS)
        assert result.total_records == self.appended

    def _read(self, client):
        request = log_service_pb2.ListLogsRequest(parent=client.instance, page_size=100)
        while not self._stop.is_set():
            start = time.monotonic()
            client.call(client.stubs.logs.ListLogs, request)
            self.waits.append(time.monotonic() - start)
            time.sleep(0.02)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def fill_caches(self) -> None:
        """Waits until the writer has written more than its cache holds, so that it grows no more by that."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while log_bytes(self.server) <= WRITER_CACHE_BYTES:
            assert not self.failures, self.failures[0]
            assert time.monotonic() < deadline, f"{self.appended:,} rows in {PATIENCE_SECONDS} s: too slow to measure"
            time.sleep(0.1)

    def p99(self) -> float:
        return sorted(self.waits)[int(len(self.waits) * 0.99)]


def stall(server) -> list:
    """Exports from the beginning whose header is read, and nothing else."""
    calls = []
    for number in range(STALLED):
        options = [("grpc.use_local_subchannel_pool", 1), ("stalled", number)]
        channel = grpc.insecure_channel(server.address, options=options)
        with_stubs = passerelle.Client(channel)
        request = log_service_pb2.ExportLogsRequest(name=with_stubs.instance, follow=True)
        call = with_stubs.stubs.logs.ExportLogs(request)
        assert next(call).HasField("header")
        calls.append((with_stubs, call))
    return calls


def watch(server, seconds: float) -> tuple[int, int]:
    """The largest memory, in KiB, and write-ahead log, in bytes, within that time."""
    memory = wal = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        memory, wal = max(memory, memory_kib(server)), max(wal, wal_bytes(server))
        time.sleep(0.1)
    return memory, wal


def measure(seconds: float) -> dict:
    """The load without them, until caches are full, and then with them for so long; then they go on and get every row."""
    with live_server.LiveServer() as server:
        with passerelle.connect(server.address) as client:
            delivery = {"delivery_id": "spring", "delivery": {"channel": "email"}}
            client.call(
                client.stubs.logs.CreateDelivery,
                log_service_pb2.CreateDeliveryRequest(parent=client.instance, **delivery),
            )
        load = Load(server)
        try:
            load.fill_caches()
            before, _ = watch(server, min(seconds / 2, 60))
            calls = stall(server)
            memory, wal = watch(server, seconds)
        finally:
            load.stop()
        figures = {
            "appended": load.appended,
            "memory_before_kib": before,
            "memory_growth_kib": memory - before,
            "wal_bytes": wal,
            "others_p99_ms": round(load.p99() * 1000, 1),
        }
        figures["complete"] = all([read_on(call, load.appended) for _, call in calls[:2]])
        for client, call in calls:
            call.cancel()
            client.close()
        return figures


def read_on(call, rows: int) -> bool:
    """One of them reads on: every row is there, in order."""
    expected = 1
    for message in call:
        for entry in message.rows:
            if entry.broadlog_id != expected:
                return False
            expected += 1
        if expected > rows:
            return True
    return False


if __name__ == "__main__":
    print(json.dumps(measure(float(sys.argv[1]))))
