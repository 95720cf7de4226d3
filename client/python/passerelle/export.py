"""Resumable export of log rows."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from .columns import from_microseconds
from .errors import EndedEarly, name_of
from .patience import Patience, Stop
from .v1 import log_entry_pb2, log_service_pb2

_ENUMS = {
    "kind": (log_entry_pb2.LogKind, "LOG_KIND_"),
    "status": (log_entry_pb2.DeliveryStatus, "DELIVERY_STATUS_"),
    "failure_type": (log_entry_pb2.FailureType, "FAILURE_TYPE_"),
    "tracking_kind": (log_entry_pb2.TrackingKind, "TRACKING_KIND_"),
}


class Acknowledgements:
    """How far the consumer of one export was told to be, and what was given that it may not have been told."""

    def __init__(self, tell: Callable[[str], Any] | None, is_behind: Callable[[], bool]):
        self._tell, self._is_behind = tell, is_behind
        self._told = self._given = -1

    def begin(self, sequence: int, from_consumer: bool) -> None:
        """Where the export begins. What lies before a cursor of the caller's own is the caller's to acknowledge."""
        self._given = sequence
        self._told = sequence if from_consumer else -1

    def give(self, batch: "LogBatch") -> None:
        if batch.rows:
            self._given = batch.sequence

    def tell(self, batch: "LogBatch") -> None:
        if self._tell is None:
            raise ValueError("only an export by a source's consumer can be acknowledged")
        self._tell(batch.cursor)
        self._told = max(self._told, batch.sequence)

    def pass_over(self, batch: "LogBatch") -> None:
        """Tells of a batch without rows, if all rows before it are acknowledged and the consumer is behind: sequences grow
        by acknowledging too."""
        if not self._tell or batch.rows or not self._given <= self._told < batch.sequence:
            return
        if self._is_behind():
            self.tell(batch)
        self._told = batch.sequence


@dataclasses.dataclass
class LogBatch:
    """Rows and the cursor after them. Store the cursor with what you did with the rows, or
    acknowledge it. One without rows needs no acknowledging: an export by a consumer does that itself,
    once every batch with rows before it is acknowledged and the next one is asked for."""

    rows: list
    cursor: str
    sequence: int
    heartbeat: bool
    header: Any
    _acknowledgements: Acknowledgements

    def acknowledge(self) -> None:
        """Tells the consumer's position: an export by this consumer starts after these rows. Waits for a
        server that is away as long as the export itself would."""
        self._acknowledgements.tell(self)

    def records(self) -> Iterator[dict[str, Any]]:
        """The rows as dicts of the chosen fields, under the names the source gives them. Fields that are newer than this
        client are left out."""
        known = log_entry_pb2.LogEntry.DESCRIPTOR.fields_by_name
        names = [(field.field, field.rename or field.field) for field in self.header.fields if field.field in known]
        for row in self.rows:
            yield {name: readable(field, getattr(row, field)) for field, name in names}


def readable(field: str, value: Any) -> Any:
    """A field's value for people: times as datetime, texts as str, enums by name; None if unset."""
    if field in _ENUMS:
        return name_of(_ENUMS[field][0], value, _ENUMS[field][1]) if value else None
    if isinstance(value, str):
        return value or None
    if field.endswith("_time_us"):
        return from_microseconds(value) if value else None
    return value


def watched(call: Any, stop: Stop) -> Iterator[Any]:
    """The messages of a call that ends when `stop` is set."""
    with stop.watch(call.cancel):
        yield from call


def export_logs(
    stub: Any,
    request: log_service_pb2.ExportLogsRequest,
    acknowledgements: Acknowledgements,
    retry_for: float,
    stop: Stop,
) -> Iterator[LogBatch]:
    """Yields batches; reconnects from the last cursor while the server is away."""
    request = type(request).FromString(request.SerializeToString())
    patience, header = Patience(retry_for, stop), None
    while True:
        call = stub.ExportLogs(request)
        end = position = None
        try:
            for message in watched(call, stop):
                position = message.sequence
                if message.HasField("header"):
                    if header is None:
                        acknowledgements.begin(message.sequence, not request.cursor)
                    header = message.header
                    end = header.end_sequence
                    continue
                request.cursor = message.cursor or request.cursor
                patience.progressed()
                batch = LogBatch(
                    list(message.rows),
                    message.cursor,
                    message.sequence,
                    message.heartbeat,
                    header,
                    acknowledgements,
                )
                acknowledgements.give(batch)
                yield batch
                acknowledgements.pass_over(batch)
            # One that follows has no end.
            if end is None or position < end or request.follow:
                raise EndedEarly()
            return
        except grpc.RpcError as error:
            failure = error
        finally:
            call.cancel()
        patience.wait(failure)
