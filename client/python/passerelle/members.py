"""Members of an audience, in full or what changed."""

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc

from .columns import decode, from_microseconds
from .errors import EndedEarly, name_of
from .export import watched
from .patience import Patience, Stop
from .v1 import activation_service_pb2, audience_service_pb2, instance_pb2

_CHANGE = activation_service_pb2.StreamMembersResponse.Change


@dataclasses.dataclass(slots=True)
class Member:
    """A member; `change` is MEMBER in a full stream, else ENTERED, EXITED or UPDATED."""

    profile: int
    identities: dict[str, str]
    attributes: dict[str, Any]
    qualification_time: datetime.datetime
    change: str


class MemberStream:
    """Iterate over it once; then `trailer` tells the counts and `end_token` where an incremental
    begins. A stream that breaks off reconnects and goes on."""

    def __init__(self, stub: Any, request: Any, types: Mapping[str, int], retry_for: float, stop: Stop):
        self._stub = stub
        self._request = request
        self._namespaces: Sequence[str] = list(request.identity_namespaces) or ["external_id"]
        self._types = types
        self._retry_for = retry_for
        self._stop = stop
        self.header: Any = None
        self.trailer: Any = None

    @property
    def excluded(self) -> dict[str, int]:
        """Members that were left out, by reason; empty before the stream has ended."""
        counts = self.trailer.excluded if self.trailer else ()
        return {name_of(audience_service_pb2.ExclusionReason, c.reason, "EXCLUSION_REASON_"): c.members for c in counts}

    @property
    def end_token(self) -> str:
        if self.trailer is None:
            raise ValueError("the stream has not ended yet")
        return self.trailer.end_token

    def __iter__(self) -> Iterator[Member]:
        patience = Patience(self._retry_for, self._stop)
        while True:
            call = self._stub.StreamMembers(self._request)
            try:
                for message in watched(call, self._stop):
                    yield from self._read(message)
                    self._request.resume_token = message.resume_token or self._request.resume_token
                    # Each try begins with a header: by itself it gets nothing on.
                    if not message.HasField("header"):
                        patience.progressed()
                if self.trailer is None:
                    raise EndedEarly()
                return
            except grpc.RpcError as error:
                failure = error
            finally:
                call.cancel()
            patience.wait(failure)

    def _read(self, message: Any) -> Iterator[Member]:
        if message.HasField("header"):
            self.header = message.header
        elif message.HasField("trailer"):
            self.trailer = message.trailer
        else:
            yield from self._members(message.batch)

    def _members(self, batch: Any) -> Iterator[Member]:
        text = instance_pb2.ATTRIBUTE_TYPE_STRING
        identities = [decode(column, batch.records, text) for column in batch.identities]
        columns = [
            decode(column, batch.records, attribute_type)
            for column, attribute_type in zip(batch.columns, self._types.values(), strict=True)
        ]
        for i in range(batch.records):
            yield Member(
                batch.profiles[i],
                {n: c[i] for n, c in zip(self._namespaces, identities, strict=True) if c[i] is not None},
                {a: c[i] for a, c in zip(self._types, columns, strict=True) if c[i] is not None},
                from_microseconds(batch.qualification_times_us[i]),
                name_of(_CHANGE, batch.changes[i], "CHANGE_") if batch.changes else "MEMBER",
            )
