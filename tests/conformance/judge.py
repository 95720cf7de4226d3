"""Whether an answer is what a case expects. Pure.

An expectation is JSON; tests/conformance/README.md tells what it may hold. `differences` says in words what does not
fit, one line each; nothing: it fits.
"""

import collections
import datetime
import re
from collections.abc import Callable, Iterator
from typing import Any

from variables import at_path

MISSING = object()  # a key that the answer does not have


def differences(expected: Any, got: Any, place: str = "answer") -> list[str]:
    """What of `got` does not fit, each with its place."""
    return list(_compare(expected, got, place))


def _compare(expected: Any, got: Any, place: str) -> Iterator[str]:
    if isinstance(expected, dict):
        special = [key for key in expected if key.startswith("$")]
        if special:
            yield from _special(special[0], expected, got, place)
        else:
            yield from _compare_object(expected, got, place)
    elif isinstance(expected, list):
        yield from _compare_list(expected, got, place)
    elif not _same(expected, got):
        yield f"{place}: wanted {_shown(expected)}, got {_shown(got)}"


def _compare_object(expected: dict, got: Any, place: str) -> Iterator[str]:
    if got is MISSING and not expected:
        return
    if not isinstance(got, dict):
        yield f"{place}: wanted an object, got {_shown(got)}"
        return
    for key, value in expected.items():
        yield from _compare(value, got.get(key, MISSING), f"{place}.{key}")


def _compare_list(expected: list, got: Any, place: str) -> Iterator[str]:
    got = [] if got is MISSING or got is None else got
    if not isinstance(got, list):
        yield f"{place}: wanted a list, got {_shown(got)}"
        return
    for index, value in enumerate(expected[: len(got)]):
        yield from _compare(value, got[index], f"{place}[{index}]")
    if len(expected) != len(got):
        yield f"{place}: wanted {len(expected)} elements, got {len(got)}: {_shown(got)}"


def _same(expected: Any, got: Any) -> bool:
    if got is MISSING or got is None:
        return expected is None or expected is False or expected in ("", 0)
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, (int, float)):
        return _number(got) == expected
    return expected == got


def _number(value: Any) -> int | float | None:
    """A number, also one that is written as a text; None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    for convert in (int, float):
        try:
            return convert(value)
        except (TypeError, ValueError):
            continue
    return None


# ---- what is more than equal --------------------------------------------------------------------


def _special(name: str, expected: dict, got: Any, place: str) -> Iterator[str]:
    if len(expected) != 1 or name not in SPECIAL:
        raise ValueError(f"{place}: {_shown(expected)} is no expectation")
    yield from SPECIAL[name](expected[name], got, place)


def _matches(pattern: str, got: Any, place: str) -> Iterator[str]:
    if not isinstance(got, str) or not re.search(pattern, got):
        yield f"{place}: wanted a text with {pattern!r}, got {_shown(got)}"


def _at_least(bound: float, got: Any, place: str) -> Iterator[str]:
    number = 0 if got is MISSING or got is None else _number(got)
    if number is None or number < bound:
        yield f"{place}: wanted {bound} or more, got {_shown(got)}"


def _at_most(bound: float, got: Any, place: str) -> Iterator[str]:
    number = 0 if got is MISSING or got is None else _number(got)
    if number is None or number > bound:
        yield f"{place}: wanted {bound} or less, got {_shown(got)}"


def _present(wanted: bool, got: Any, place: str) -> Iterator[str]:
    if (got not in (MISSING, None, "", [], {})) != wanted:
        yield f"{place}: wanted {'something' if wanted else 'nothing'}, got {_shown(got)}"


def _time(moment: str, got: Any, place: str) -> Iterator[str]:
    try:
        same = isinstance(got, str) and parse_time(got) == parse_time(moment)
    except ValueError:
        same = False
    if not same:
        yield f"{place}: wanted the moment {moment}, got {_shown(got)}"


def parse_time(text: str) -> datetime.datetime:
    """A moment in RFC 3339; ValueError if it is none, or has no zone. Finer than microseconds is cut off."""
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text)
    moment = datetime.datetime.fromisoformat(cut.replace("Z", "+00:00").replace("z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return moment


def _unordered(expected: list, got: Any, place: str) -> Iterator[str]:
    got = [] if got in (MISSING, None) else got
    yield from _contains(expected, got, place)
    if isinstance(got, list) and len(got) != len(expected):
        yield f"{place}: wanted {len(expected)} elements, got {len(got)}: {_shown(got)}"


def _contains(expected: list, got: Any, place: str) -> Iterator[str]:
    if not isinstance(got, list):
        yield f"{place}: wanted a list, got {_shown(got)}"
        return
    left = list(got)
    for value in expected:
        found = next((i for i, other in enumerate(left) if not differences(value, other)), None)
        if found is None:
            yield f"{place}: wanted an element {_shown(value)}, got {_shown(got)}"
        else:
            del left[found]


def _numbered(wanted: dict, got: Any, place: str) -> Iterator[str]:
    """The elements that `generate` makes: at `at` each has `prefix` and a number, from `first` on, `count` of them."""
    if not isinstance(got, list):
        yield f"{place}: wanted a list, got {_shown(got)}"
        return
    prefix, first = wanted.get("prefix", ""), wanted.get("first", 0)
    there = [_text_at(element, wanted["at"]) for element in got]
    texts = [f"{prefix}{number}" for number in range(first, first + wanted["count"])]
    lost, times = sorted(set(texts) - set(there)), collections.Counter(there)
    doubled = sorted(text for text in times if times[text] > 1)
    strange = sorted(set(there) - set(texts))
    for what, found in (("lost", lost), ("more than once", doubled), ("not wanted", strange)):
        if found:
            yield f"{place}: {what}: {len(found)} of {len(texts)}, {_shown(found[:5])}"
    if there != texts and not (lost or doubled or strange or wanted.get("unordered")):
        yield f"{place}: all are there, but not in order"


def _text_at(element: Any, path: str) -> str:
    try:
        return str(at_path(element, path))
    except KeyError:
        return "nothing"


def _length(wanted: int, got: Any, place: str) -> Iterator[str]:
    length = 0 if got in (MISSING, None) else len(got) if isinstance(got, (str, list, dict)) else None
    if length != wanted:
        yield f"{place}: wanted length {wanted}, got {length}: {_shown(got)}"


def _one_of(expected: list, got: Any, place: str) -> Iterator[str]:
    if all(differences(value, got) for value in expected):
        yield f"{place}: wanted one of {_shown(expected)}, got {_shown(got)}"


def _only(expected: dict, got: Any, place: str) -> Iterator[str]:
    got = {} if got in (MISSING, None) else got
    yield from _compare_object(expected, got, place)
    for key in sorted(set(got) - set(expected)) if isinstance(got, dict) else ():
        if got[key] not in (None, "", 0, [], {}):
            yield f"{place}.{key}: wanted nothing, got {_shown(got[key])}"


SPECIAL: dict[str, Callable] = {
    "$matches": _matches,
    "$at_least": _at_least,
    "$at_most": _at_most,
    "$present": _present,
    "$time": _time,
    "$unordered": _unordered,
    "$contains": _contains,
    "$numbered": _numbered,
    "$length": _length,
    "$one_of": _one_of,
    "$only": _only,
}


def _shown(value: Any) -> str:
    text = "nothing" if value is MISSING else repr(value)
    return text if len(text) <= 300 else f"{text[:300]}... ({len(text)} characters)"
