"""Errors of the service, typed: the reason, the fields, when to come again."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


def name_of(enum: Any, value: int, prefix: str) -> str:
    """An enum value's name without its prefix; the number, as text, of one that is newer than this client."""
    return enum.Name(value).removeprefix(prefix) if value in enum.values() else str(value)


@dataclasses.dataclass(frozen=True)
class FieldViolation:
    """A field of the request that was refused, and why."""

    field: str
    description: str


class PasserelleError(Exception):
    """A call that failed.

    `reason` is a value of passerelle.v1.ErrorReason without its prefix, for example
    "DESTINATION_PAUSED"; empty where gRPC itself failed (no connection, an oversized message).
    `retry_delay` is in seconds; None where the server names none.
    """

    def __init__(self, error: grpc.RpcError):
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details() or ""
        self.reason = ""
        self.metadata: dict[str, str] = {}
        self.field_violations: list[FieldViolation] = []
        self.retry_delay: float | None = None
        status = rpc_status.from_call(error)
        for detail in status.details if status is not None else ():
            self._read(detail)
        super().__init__(f"{self.code.name}{' ' if self.reason else ''}{self.reason}: {self.message}")

    def _read(self, detail) -> None:
        info, bad, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info):
            self.reason, self.metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            self.field_violations += [
                FieldViolation(v.field, v.description) for v in bad.field_violations
            ]
        elif detail.Unpack(retry):
            self.retry_delay = retry.retry_delay.ToTimedelta().total_seconds()

    @property
    def retryable(self) -> bool:
        """The same may succeed later: the server was away, was too busy and said so, or was stopped while it worked; or the
        destination of a stream changed, which goes on when it is opened again.

        Of a call that the server was stopped in, gRPC says CANCELLED and the server no reason; whether it was done is not
        known.
        """
        cut_off = self.code is grpc.StatusCode.CANCELLED and not self.reason
        busy = self.code is grpc.StatusCode.RESOURCE_EXHAUSTED and self.retry_delay is not None
        return self.code is grpc.StatusCode.UNAVAILABLE or busy or cut_off or self.reason == "MAPPING_CHANGED"


def typed(call: Callable) -> Callable:
    """Wraps a function so that every grpc.RpcError leaves it as a PasserelleError."""

    @functools.wraps(call)
    def wrapped(*args, **kwargs):
        try:
            return call(*args, **kwargs)
        except grpc.RpcError as error:
            raise PasserelleError(error) from error

    return wrapped


class EndedEarly(grpc.RpcError):
    """A stream that the server ended well, but without its last message: a broken one, whoever broke it."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "the server ended the stream without its last message"

    def trailing_metadata(self) -> tuple:
        return ()
