"""Wrong answers made on purpose, between a runner and the judge: each must be caught. Pure."""

import copy
from collections.abc import Callable

Plant = Callable[[str, dict], dict]


def none(op: str, answer: dict) -> dict:
    """The answer as it is."""
    return answer


def _lose_a_row(op: str, answer: dict) -> dict:
    for rows in _rows(op, answer):
        del rows[-1:]
    if op == "ingest" and answer["ok"].get("counts"):
        first = next(iter(answer["ok"]["counts"]))
        answer["ok"]["counts"][first] = int(answer["ok"]["counts"][first]) - 1
    return answer


def _double_a_row(op: str, answer: dict) -> dict:
    for rows in _rows(op, answer):
        rows += rows[-1:]
    if op == "ingest":
        answer["ok"]["received"] = int(answer["ok"].get("received", 0)) + 1
    return answer


def _swap_a_row(op: str, answer: dict) -> dict:
    """One row lost and another one doubled: as many as there should be."""
    for rows in _rows(op, answer):
        rows[0] = rows[-1]
    return answer


def _rows(op: str, answer: dict) -> list[list]:
    name = {"export": "rows", "members": "members", "pages": "items"}.get(op)
    rows = answer.get("ok", {}).get(name)
    return [rows] if rows else []


def _wrong_code(op: str, answer: dict) -> dict:
    if "error" in answer:
        answer["error"]["code"] = "UNKNOWN"
    return answer


def _forget_reason(op: str, answer: dict) -> dict:
    if "error" in answer:
        answer["error"].pop("reason", None)
    return answer


def _swallow_error(op: str, answer: dict) -> dict:
    return {"ok": {}} if "error" in answer else answer


def _make_error(op: str, answer: dict) -> dict:
    return answer if op == "connect" or "error" in answer else {"error": {"code": "INTERNAL"}}


def _empty_response(op: str, answer: dict) -> dict:
    return {"ok": {"response": {}}} if op == "call" and "ok" in answer else answer


PLANTS: dict[str, Plant] = {
    "lose-a-row": _lose_a_row,
    "double-a-row": _double_a_row,
    "swap-a-row": _swap_a_row,
    "wrong-code": _wrong_code,
    "forget-reason": _forget_reason,
    "swallow-error": _swallow_error,
    "make-error": _make_error,
    "empty-response": _empty_response,
}


def planted(name: str) -> Plant:
    """The plant of that name; an empty name plants nothing."""
    if not name:
        return none
    plant = PLANTS[name]

    def changed(op: str, answer: dict) -> dict:
        inner = {key: copy.deepcopy(value) for key, value in answer.items()}
        if op == "ingest" and "ok" not in inner and name in ("lose-a-row", "double-a-row"):
            return inner
        return plant(op, inner)

    return changed
