"""Resumable export of log rows."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from .columns import from_microseconds
from .patience import Patience
from .v1 import log_entry_pb2, log_service_pb2

_ENUMS = {
    "kind": (log_entry_pb2.LogKind, "LOG_KIND_"),
    "status": (log_entry_pb2.DeliveryStatus, "DELIVERY_STATUS_"),
    "failure_type": (log_entry_pb2.FailureType, "FAILURE_TYPE_"),
    "tracking_kind": (log_entry_pb2.TrackingKind, "TRACKING_KIND_"),
}


@dataclasses.dataclass
class LogBatch:
    """Rows and the cursor after them. Store the cursor with what you did with the rows, or
    acknowledge it."""

    rows: list
    cursor: str
    sequence: int
    heartbeat: bool
    header: Any
    _acknowledge: Callable[[str], None] | None = None

    def acknowledge(self) -> None:
        """Tells the consumer's position: an export by this consumer starts after these rows. Waits for a
        server that is away as long as the export itself would."""
        if self._acknowledge is None:
            raise ValueError("only an export by a source's consumer can be acknowledged")
        self._acknowledge(self.cursor)

    def records(self) -> Iterator[dict[str, Any]]:
        """The rows as dicts of the chosen fields, under the names the source gives them."""
        names = [(field.field, field.rename or field.field) for field in self.header.fields]
        for row in self.rows:
            yield {name: readable(field, getattr(row, field)) for field, name in names}


def readable(field: str, value: Any) -> Any:
    """A field's value for people: times as datetime, texts as str, enums by name; None if unset."""
    if field in _ENUMS:
        enum, prefix = _ENUMS[field]
        return enum.Name(value).removeprefix(prefix) if value else None
    if isinstance(value, str):
        return value or None
    if field.endswith("_time_us"):
        return from_microseconds(value) if value else None
    return value


def export_logs(
    stub: Any,
    request: log_service_pb2.ExportLogsRequest,
    acknowledge: Callable[[str], None] | None,
    retry_for: float,
) -> Iterator[LogBatch]:
    """Yields batches; reconnects from the last cursor while the server is away."""
    request = type(request).FromString(request.SerializeToString())
    patience, header = Patience(retry_for), None
    while True:
        call = stub.ExportLogs(request)
        try:
            for message in call:
                if message.HasField("header"):
                    header = message.header
                    continue
                request.cursor = message.cursor
                patience.progressed()
                yield LogBatch(
                    list(message.rows),
                    message.cursor,
                    message.sequence,
                    message.heartbeat,
                    header,
                    acknowledge,
                )
            return
        except grpc.RpcError as error:
            failure = error
        finally:
            call.cancel()
        patience.wait(failure)
