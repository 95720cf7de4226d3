"""The loop nobody should write alone: a durable ingest that goes on wherever it was broken off."""

import collections
import contextlib
import dataclasses
import itertools
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import grpc

from .columns import ABSENT_VALUE, encode, to_bytes, to_microseconds
from .errors import EndedEarly, PasserelleError, name_of
from .patience import RETRY_FOR, Patience, Stop
from .v1 import audience_pb2, ingest_pb2, instance_pb2, log_entry_pb2, outcome_pb2

BATCH_RECORDS = 2_000
# Batches are cut to about this size, so that no message is over the server's limit (4 MiB unless set otherwise).
BATCH_BYTES = 1024 * 1024
WINDOW_BATCHES = 4
_END = object()
TEXT = instance_pb2.ATTRIBUTE_TYPE_STRING
MOMENT = instance_pb2.ATTRIBUTE_TYPE_TIMESTAMP


@dataclasses.dataclass(slots=True)
class Row:
    """One record. A field that is not in `fields` is left alone; None is null."""

    identities: Mapping[str, str]
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    event_time: Any = None
    record_key: str | bytes = b""
    # Of a push: the audience's source_id (may be left out when the stream has one), and since when.
    audience: str = ""
    exited: bool = False
    qualification_time: Any = None


# Rows by offset: a sequence, a function that gives an iterator from an offset on, or any iterable (its
# first rows are skipped when the stream already has them).
Source = Sequence | Callable[[int], Iterable] | Iterable


@dataclasses.dataclass
class IngestResult:
    """What became of one call. The sum of `counts` is `received`."""

    total_records: int = 0
    received: int = 0
    already_known: int = 0
    reconnects: int = 0
    counts: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    totals: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    rows: list = dataclasses.field(default_factory=list)
    commit_token: str = ""


def outcome_name(outcome: int) -> str:
    """Without its prefix; one that is newer than this client is its number."""
    return name_of(outcome_pb2.Outcome, outcome, "OUTCOME_")


class _Rows:
    """Rows from an offset on, with those not acknowledged yet kept for sending again."""

    def __init__(self, source: Source):
        self._source = source
        self._rows: Iterator | None = None
        self._kept: collections.deque = collections.deque()
        self._start = 0  # offset of the first kept row
        self._next = 0  # offset of the next row to give

    def seek(self, offset: int) -> None:
        """Gives rows from `offset` on next."""
        if self._rows is None:
            self._rows = iter(self._begin(offset))
        self.forget(offset)
        self._next = offset

    @property
    def next(self) -> int:
        """The offset of the row that is given next."""
        return self._next

    def _begin(self, offset: int) -> Iterable:
        self._start = offset
        if callable(self._source):
            return self._source(offset)
        if isinstance(self._source, Sequence):
            self._start = min(offset, len(self._source))
            return itertools.islice(self._source, offset, None)
        rows = iter(self._source)
        self._start = sum(1 for _ in itertools.islice(rows, offset))
        return rows

    @property
    def durable(self) -> int:
        """The offset before which the server has every row, as far as it was told."""
        return self._start

    @property
    def end(self) -> int:
        """The offset after the last row read so far."""
        return self._start + len(self._kept)

    def take(self, limit: int) -> tuple[int, list]:
        """The offset of the next rows, and at most `limit` of them."""
        first = self._next
        while self.end < first + limit and (row := next(self._rows, _END)) is not _END:
            self._kept.append(row)
        index = first - self._start
        rows = list(itertools.islice(self._kept, index, index + limit)) if index >= 0 else []
        self._next = first + len(rows)
        return first, rows

    def go_back(self, offset: int) -> None:
        """Gives rows that were just taken again, from `offset` on."""
        self._next = offset

    def forget(self, offset: int) -> None:
        """Rows before `offset` are durable."""
        while self._start < offset and self._kept:
            self._kept.popleft()
            self._start += 1


class _Broken(Exception):
    """A call of the loop's own failed, as opposed to one that the source of the rows or a callback makes: what those
    raise goes to the caller, because a source that failed has no more rows to give, and must not look as if it had ended."""

    def __init__(self, error: grpc.RpcError):
        super().__init__(error)
        self.error = error


class _Call:
    """One bidi call: messages out through a queue, messages in one by one."""

    def __init__(self, method: Callable):
        self._out: queue.SimpleQueue = queue.SimpleQueue()
        self.responses = method(iter(self._out.get, None))

    def send(self, message: Any) -> None:
        self._out.put(message)

    def receive(self) -> Any:
        try:
            message = next(self.responses, None)
        except grpc.RpcError as error:
            raise _Broken(error) from error
        if message is None:
            raise _Broken(EndedEarly())
        return message

    def acknowledgement(self) -> Any:
        """The next one; what a newer server tells besides is passed over."""
        while not (message := self.receive()).HasField("ack"):
            pass
        return message.ack

    def end(self) -> None:
        """After the last message. All is durable, whatever the call's status says; but a call that is cancelled now would
        look like a failure over there."""
        self._out.put(None)
        with contextlib.suppress(grpc.RpcError):
            next(self.responses, None)

    def close(self) -> None:
        self._out.put(None)
        self.responses.cancel()


class Ingest:
    """One ingest: the method, its messages, its rows."""

    def __init__(
        self, method: Callable, request: type, open_message: Any, encode_batch: Callable, remapped: Callable = lambda: None
    ):
        """`remapped` is called before the stream is opened again because its destination changed."""
        self._method = method
        self._request = request
        self._open = open_message
        self._encode = encode_batch
        self._remapped = remapped

    def run(
        self,
        source: Source,
        *,
        batch_records: int = BATCH_RECORDS,
        retry_for: float = RETRY_FOR,
        on_progress: Callable[[int], None] | None = None,
        on_row: Callable[[Any], None] | None = None,
        stop: Stop | None = None,
    ) -> IngestResult:
        """Sends all rows and returns when they are durable and accounted for, or `stop` is set (CANCELLED).

        A named stream reconnects by itself while the server is away or busy, for up to `retry_for`
        seconds without progress; also when its destination was changed: rows from there on go by the
        new mapping. Listed rows go to `on_row` or, without it, into the result.
        """
        rows, result, stop = _Rows(source), IngestResult(), stop or Stop()
        patience = Patience(retry_for, stop)
        while True:
            before = rows.durable
            try:
                call = _Call(self._method)
                with stop.watch(call.responses.cancel):
                    return self._run_once(call, rows, result, batch_records, on_progress, on_row)
            except _Broken as broken:
                if rows.durable > before:
                    patience.progressed()
                patience.wait(broken.error, repeatable=bool(self._open.stream.stream))
                if PasserelleError(broken.error).reason == "MAPPING_CHANGED":
                    self._remapped()
            result.reconnects += 1

    def _run_once(self, call, rows, result, batch_records, on_progress, on_row) -> IngestResult:
        try:
            call.send(self._request(open=self._open))
            opened = call.receive().opened
            rows.seek(opened.next_offset)
            limit = min(batch_records, opened.max_batch_records or batch_records)
            in_flight: collections.deque = collections.deque()  # end offsets of batches not acked
            while True:
                batch, limit = self._next_batch(rows, limit)
                if batch is not None:
                    call.send(batch)
                    in_flight.append(rows.next)
                while in_flight and (batch is None or len(in_flight) >= WINDOW_BATCHES):
                    ack = call.acknowledgement()
                    while in_flight and in_flight[0] <= ack.next_offset:
                        in_flight.popleft()
                    rows.forget(ack.next_offset)
                    _add(result, ack, on_row)
                    if on_progress:
                        on_progress(ack.next_offset)
                if batch is None:
                    return self._finish(call, rows, result)
        finally:
            call.close()

    def _next_batch(self, rows: _Rows, limit: int) -> tuple[Any, int]:
        """The message with the next rows, None at their end; and how many of such rows a message holds at most."""
        while True:
            first, records = rows.take(limit)
            if not records:
                return None, limit
            batch = self._request(batch=self._encode(first, records))
            size = batch.ByteSize()
            if size <= BATCH_BYTES or len(records) == 1:
                return batch, limit
            limit = max(1, len(records) * BATCH_BYTES // size * 3 // 4)
            rows.go_back(first)

    def _finish(self, call: _Call, rows: _Rows, result: IngestResult) -> IngestResult:
        finish = ingest_pb2.IngestFinish(total_records=rows.end)
        call.send(self._request(finish=finish))
        while not (message := call.receive()).HasField("finished"):
            pass
        finished = message.finished
        call.end()
        result.total_records = finished.total_records
        result.commit_token = finished.commit_token or result.commit_token
        result.totals = collections.Counter(
            {outcome_name(count.outcome): count.rows for count in finished.totals if count.rows}
        )
        return result


def _add(result: IngestResult, ack: Any, on_row: Callable | None) -> None:
    result.received += ack.received
    result.already_known += ack.already_known
    result.commit_token = ack.commit_token or result.commit_token
    for count in ack.counts:
        if count.rows:
            result.counts[outcome_name(count.outcome)] += count.rows
    for row in ack.rows:
        on_row(row) if on_row else result.rows.append(row)


def _record_columns(batch: Any, rows: Sequence[Row], namespaces: Sequence[str], types: Mapping[str, int]):
    offset = batch.offset
    for index, row in enumerate(rows):
        unknown = row.identities.keys() - set(namespaces) or row.fields.keys() - types.keys()
        if unknown:
            raise ValueError(f"record {offset + index}: {sorted(unknown)[0]!r} was not opened")
    for namespace in namespaces:
        values = [row.identities.get(namespace, ABSENT_VALUE) for row in rows]
        batch.identities.append(encode(values, TEXT, f"identity {namespace}", offset))
    for field, attribute_type in types.items():
        values = [row.fields.get(field, ABSENT_VALUE) for row in rows]
        batch.columns.append(encode(values, attribute_type, field, offset))
    _optional(batch.event_times, [row.event_time for row in rows], MOMENT, "event_time", offset)
    _optional(batch.record_keys, [row.record_key or None for row in rows], TEXT, "record_key", offset)


def _optional(column: Any, values: Sequence[Any], attribute_type: int, what: str, offset: int) -> None:
    if any(value is not None for value in values):
        absent = [ABSENT_VALUE if value is None else value for value in values]
        column.CopyFrom(encode(absent, attribute_type, what, offset))


def record_encoder(batch_type: type, namespaces: Sequence[str], types: Mapping[str, int]) -> Callable:
    """Encodes rows of an import or a sync."""

    def encode_batch(offset: int, rows: Sequence[Row]) -> Any:
        batch = batch_type(offset=offset, records=len(rows))
        _record_columns(batch, rows, namespaces, types)
        return batch

    return encode_batch


def push_encoder(
    batch_type: type, namespaces: Sequence[str], types: Mapping[str, int], audiences: Sequence[str]
) -> Callable:
    """Encodes rows of a push or a replace."""
    index = {audience: i for i, audience in enumerate(audiences)} | {"": 0}

    def encode_batch(offset: int, rows: Sequence[Row]) -> Any:
        batch = batch_type(offset=offset, records=len(rows))
        _record_columns(batch, rows, namespaces, types)
        if len(audiences) > 1:
            batch.audience_indexes.extend(index[row.audience] for row in rows)
        if any(row.exited for row in rows):
            batch.statuses.extend(
                audience_pb2.MEMBERSHIP_STATUS_EXITED
                if row.exited
                else audience_pb2.MEMBERSHIP_STATUS_REALIZED
                for row in rows
            )
        moments = [row.qualification_time for row in rows]
        _optional(batch.qualification_times, moments, MOMENT, "qualification_time", offset)
        return batch

    return encode_batch


def log_encoder(batch_type: type) -> Callable:
    """Encodes log rows. A LogEntry and a RawLogEntry are the same on the wire."""

    def encode_batch(offset: int, rows: Sequence[Any]) -> Any:
        raw = log_entry_pb2.RawLogEntry
        rows = [row if isinstance(row, raw) else raw.FromString(row.SerializeToString()) for row in rows]
        return batch_type(offset=offset, rows=rows)

    return encode_batch


__all__ = ["Ingest", "IngestResult", "Row", "to_bytes", "to_microseconds"]
