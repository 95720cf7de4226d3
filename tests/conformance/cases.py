"""Reads the cases, and refuses those that could not fail or that nobody could run."""

import dataclasses
import fnmatch
import json
import pathlib
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "cases"
OPS = {"connect", "close", "call", "pages", "create_attribute", "ingest", "export", "members", "await", "cancel"}
ENV = {
    *("call", "cut", "stall", "go_on", "await_fault", "make_key", "fake_server", "take_over"),
    *("stop_server", "kill_server", "start_server", "restart_server"),
}
SERVER = {"options", "guarded", "tls", "client_certificates", "unix", "region"}
_CASE = {"name", "about", "server", "steps"}
# Of a step of the client: what is for the driver, not for the runner.
DRIVERS_OWN = {"expect", "expect_error", "save", "background", "name", "at_least_ms"}


@dataclasses.dataclass
class Case:
    """One case; `server` is None where the shared one will do."""

    name: str
    about: str
    server: dict[str, Any] | None
    steps: list[dict[str, Any]]


class CasesError(ValueError):
    """A file of cases that is not as the README says."""


def load(pattern: str = "*", folder: pathlib.Path = FOLDER) -> list[Case]:
    """All cases whose names fit, in the order of the files. CasesError for cases that say nothing."""
    files = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    sets: dict[str, list] = {}
    for content in files.values():
        sets |= content.get("sets", {})
    found, seen = [], set()
    for name, content in files.items():
        for raw in [*content.get("cases", []), *_from_vectors(content)]:
            case = _case(name, raw, sets)
            if case.name in seen:
                raise CasesError(f"{name}: {case.name}: there are two of this name")
            seen.add(case.name)
            found.append(case)
    return [case for case in found if fnmatch.fnmatch(case.name, pattern)]


def _case(file: str, raw: dict, sets: dict[str, list]) -> Case:
    where = f"{file}: {raw.get('name', 'a case without a name')}"
    _only_known(where, raw, _CASE)
    for key in ("name", "about", "steps"):
        if not raw.get(key):
            raise CasesError(f"{where}: {key} is missing")
    _only_known(f"{where}: server", raw.get("server") or {}, SERVER)
    case = Case(raw["name"], raw["about"], raw.get("server"), _expanded(where, raw["steps"], sets))
    _check_steps(where, case)
    return case


def _expanded(where: str, steps: list[dict], sets: dict[str, list]) -> list[dict]:
    """The steps with sets written out; a set may use others."""
    out: list[dict] = []
    for step in steps:
        if set(step) == {"use"}:
            if step["use"] not in sets:
                raise CasesError(f"{where}: there is no set {step['use']!r}")
            out += _expanded(where, sets[step["use"]], sets)
        else:
            out.append(step)
    return out


def _check_steps(where: str, case: Case) -> None:
    open_steps: set[str] = set()
    judged = False
    for index, step in enumerate(case.steps):
        place = f"{where}: step {index + 1}"
        # The environment variables of a connect are called env too.
        name, known = (step["op"], OPS) if "op" in step else (step.get("env"), ENV)
        if name not in known:
            raise CasesError(f"{place}: nobody knows {name!r}")
        if "op" in step:
            _check_client_step(place, step, open_steps)
            judged = judged or step["op"] != "connect" or "expect_error" in step
        elif step["env"].endswith("_server") and step["env"] != "fake_server" and case.server is None:
            raise CasesError(f"{place}: only a server of the case's own may be stopped")
    if open_steps:
        raise CasesError(f"{where}: nobody awaits {sorted(open_steps)}")
    if not judged:
        raise CasesError(f"{where}: asks nothing of the client")


def _check_client_step(place: str, step: dict, open_steps: set[str]) -> None:
    op, background = step["op"], step.get("background", False)
    if op == "await":
        if step.get("step") not in open_steps:
            raise CasesError(f"{place}: no step {step.get('step')!r} is under way")
        open_steps.remove(step["step"])
    elif op == "cancel":
        if step.get("step") not in open_steps:
            raise CasesError(f"{place}: no step {step.get('step')!r} is under way")
        return
    elif open_steps:
        raise CasesError(f"{place}: {sorted(open_steps)} is under way: only cancel and await may come")
    if background:
        if not step.get("name") or {"expect", "expect_error", "at_least_ms"} & set(step):
            raise CasesError(f"{place}: a step in the background wants a name, and what is expected at its await")
        open_steps.add(step["name"])
    elif ("expect" in step) == ("expect_error" in step):
        raise CasesError(f"{place}: wants one of expect and expect_error")
    if "code" not in step.get("expect_error", {"code": ""}) and "$one_of" not in step["expect_error"]:
        raise CasesError(f"{place}: the error that is expected names no code: whatever goes wrong would do")


def _only_known(where: str, got: dict, known: set[str]) -> None:
    unknown = sorted(set(got) - known)
    if unknown:
        raise CasesError(f"{where}: nobody knows {unknown[0]!r}")


# ---- vectors ------------------------------------------------------------------------------------


def _from_vectors(content: dict) -> list[dict]:
    """One case for each group of cases/vectors.json: its values are imported and looked up, or rejected."""
    return [_vector_case(group) for group in content.get("groups", [])]


def _vector_case(group: dict) -> dict:
    values = group["vectors"]
    namespace, holder = group["namespace"], _holder(group["namespace"])
    rows = [{"identities": {holder: f"{1000 + i}", namespace: v["value"]}} for i, v in enumerate(values)]
    refused = [
        {"offset": i, "outcome": "REJECTED", "reason": v["reason"], "field": namespace}
        for i, v in enumerate(values)
        if "reason" in v
    ]
    taken = len(values) - len(refused)
    counts = {"$only": {"CREATED": taken, "REJECTED": len(refused)}}
    steps = [
        {"use": "connected"},
        {
            "op": "ingest",
            "kind": "import",
            "identities": [holder, namespace],
            "rows": rows,
            "expect": {"received": len(values), "counts": counts, "rows": refused},
        },
    ]
    for index, vector in enumerate(values):
        held = {"namespace": holder, "value": f"{1000 + index}"}
        steps += [_look_up(held, *found) for found in _forms(namespace, vector)]
    return {"name": group["name"], "about": group["about"], "server": group.get("server"), "steps": steps}


def _holder(namespace: str) -> str:
    """The namespace of the identity by which a vector's profile is known."""
    return "ecid" if namespace == "external_id" else "external_id"


def _forms(namespace: str, vector: dict) -> list[tuple[str, str]]:
    """The identities that must find the vector's profile."""
    if "reason" in vector:
        return []
    found = [(namespace, vector["normal"])]
    if "sha256" in vector:
        found.append((f"{namespace}_sha256", vector["sha256"]))
    return found


def _look_up(holder: dict, namespace: str, value: str) -> dict:
    held = [holder]
    if not namespace.endswith("_sha256"):
        held.append({"namespace": namespace, "value": value})
    return {
        "op": "call",
        "method": "passerelle.v1.ProfileService/LookupProfile",
        "request": {"parent": "instances/${instance}", "identity": {"namespace": namespace, "value": value}},
        "expect": {"response": {"identities": {"$contains": held}}},
    }
