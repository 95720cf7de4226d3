"""Values of Python to columns of the wire and back."""

import datetime
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .v1 import ingest_pb2, instance_pb2

Column = ingest_pb2.Column
ABSENT, NULL, VALUE = 0, 1, 2
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
EPOCH_DAY = datetime.date(1970, 1, 1)


class _Absent:
    """The value of a field that a row does not have, as opposed to None, which is null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT_VALUE = _Absent()

_TYPES = {
    instance_pb2.ATTRIBUTE_TYPE_STRING: "texts",
    instance_pb2.ATTRIBUTE_TYPE_INT64: "integers",
    instance_pb2.ATTRIBUTE_TYPE_DOUBLE: "doubles",
    instance_pb2.ATTRIBUTE_TYPE_BOOL: "bools",
    instance_pb2.ATTRIBUTE_TYPE_TIMESTAMP: "integers",
    instance_pb2.ATTRIBUTE_TYPE_DATE: "integers",
    instance_pb2.ATTRIBUTE_TYPE_STRING_LIST: "lists",
}


def to_bytes(text: Any) -> bytes:
    """A text as the bytes to send. Undecodable bytes of a file go as they were: the server refuses
    the row, and no other."""
    return text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogateescape")


def to_microseconds(moment: Any) -> int:
    """Microseconds since 1970 of a datetime or a text in RFC 3339 (without zone: UTC), or of a number of them."""
    if isinstance(moment, str) and "-" in moment[1:]:
        moment = _read_moment(moment)
    if isinstance(moment, datetime.datetime):
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return (moment - EPOCH) // datetime.timedelta(microseconds=1)
    return int(moment)


def _read_moment(text: str) -> datetime.datetime:
    cut = re.sub(r"\.(\d{1,6})\d*", lambda found: "." + found.group(1).ljust(6, "0"), text)
    return datetime.datetime.fromisoformat(cut.replace("Z", "+00:00").replace("z", "+00:00"))


def from_microseconds(value: int) -> datetime.datetime:
    return EPOCH + datetime.timedelta(microseconds=value)


def _to_days(day: Any) -> int:
    if isinstance(day, str) and "-" in day[1:]:
        day = datetime.date.fromisoformat(day)
    return (day - EPOCH_DAY).days if isinstance(day, datetime.date) else int(day)


def _to_double(number: Any) -> float:
    return math.nan if isinstance(number, str) and number == "nan" else float(number)


def _to_list(texts: Iterable[Any]) -> ingest_pb2.TextList:
    return ingest_pb2.TextList(values=[to_bytes(text) for text in texts])


_CONVERT = {
    instance_pb2.ATTRIBUTE_TYPE_STRING: to_bytes,
    instance_pb2.ATTRIBUTE_TYPE_INT64: int,
    instance_pb2.ATTRIBUTE_TYPE_DOUBLE: _to_double,
    instance_pb2.ATTRIBUTE_TYPE_BOOL: bool,
    instance_pb2.ATTRIBUTE_TYPE_TIMESTAMP: to_microseconds,
    instance_pb2.ATTRIBUTE_TYPE_DATE: _to_days,
    instance_pb2.ATTRIBUTE_TYPE_STRING_LIST: _to_list,
}


def encode(values: Sequence[Any], attribute_type: int, what: str = "column", offset: int = 0) -> Column:
    """One column out of one value for each record: None is null, ABSENT_VALUE is absent.

    ValueError names the record by its offset if a value does not convert to the type.
    """
    convert = _CONVERT[attribute_type]
    presence = bytes(
        ABSENT if value is ABSENT_VALUE else NULL if value is None else VALUE for value in values
    )
    column = Column() if presence.count(VALUE) == len(presence) else Column(presence=presence)
    out = getattr(column, _TYPES[attribute_type])
    for index, value in enumerate(values):
        if presence[index] != VALUE:
            continue
        try:
            out.append(convert(value))
        except (TypeError, ValueError) as error:
            raise ValueError(f"record {offset + index}, {what}: {error}") from error
    return column


def decode(column: Column, records: int, attribute_type: int) -> list[Any]:
    """One Python value for each record; None where there is none."""
    dense = iter(getattr(column, _TYPES[attribute_type]))
    presence = column.presence or bytes([VALUE]) * records
    return [_from_wire(next(dense), attribute_type) if p == VALUE else None for p in presence]


def _from_wire(value: Any, attribute_type: int) -> Any:
    if attribute_type == instance_pb2.ATTRIBUTE_TYPE_STRING:
        return value.decode()
    if attribute_type == instance_pb2.ATTRIBUTE_TYPE_TIMESTAMP:
        return from_microseconds(value)
    if attribute_type == instance_pb2.ATTRIBUTE_TYPE_DATE:
        return EPOCH_DAY + datetime.timedelta(days=value)
    if attribute_type == instance_pb2.ATTRIBUTE_TYPE_STRING_LIST:
        return [text.decode() for text in value.values]
    return value
