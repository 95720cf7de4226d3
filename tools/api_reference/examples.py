"""The three flows in each language, cut from the examples that the clients' own checks compile and run."""

import dataclasses
import pathlib
import re
import textwrap

CLIENTS = pathlib.Path(__file__).resolve().parents[2] / "client"


@dataclasses.dataclass(frozen=True)
class Flow:
    anchor: str
    title: str
    about: str
    methods: tuple[str, ...]  # what it calls


@dataclasses.dataclass(frozen=True)
class Language:
    anchor: str
    title: str
    file: str  # below client/
    functions: tuple[tuple[str, ...], ...]  # of each flow


FLOWS = (
    Flow("connect", "Connect", "One client for everything: it connects at the first call and keeps the connection.", ()),
    Flow("prepare", "Prepare", "Attributes, consents and destinations are made once; people come in by an import.",
         ("InstanceService.CreateAttribute", "DestinationService.CreateDestination", "ProfileService.ImportProfiles")),
    Flow("audience-in", "1. An audience comes in", "The CDP pushes memberships; the campaign side streams the members.",
         ("AudienceSyncService.PushMembers", "ActivationService.StreamMembers")),
    Flow("attributes-in-step", "2. Attributes are kept in step", "Update only: who does not exist is reported.",
         ("ProfileSyncService.SyncProfiles",)),
    Flow("logs-back", "3. Logs go back", "The campaign side appends what it did; the CDP exports it, resumable.",
         ("LogService.CreateDelivery", "LogService.AppendLogs", "LogService.ExportLogs")),
)

_CAMEL = (("main",), ("prepare", "create"), ("audienceIn",), ("attributesInStep",), ("logsBack",))
_SNAKE = (("main",), ("prepare", "create"), ("audience_in",), ("attributes_in_step",), ("logs_back",))
_CPP = (("main",), ("Prepare",), ("AudienceIn",), ("AttributesInStep",), ("LogsBack",))

LANGUAGES = (
    Language("python", "Python", "python/examples/three_flows.py", _SNAKE),
    Language("go", "Go", "go/examples/three_flows/main.go", _CAMEL),
    Language("java", "Java", "java/examples/ThreeFlows.java", _CAMEL),
    Language("typescript", "TypeScript", "typescript/examples/three_flows.ts", _CAMEL),
    Language("rust", "Rust", "rust/examples/three_flows.rs", _SNAKE),
    Language("cpp", "C++", "cpp/examples/three_flows.cc", _CPP),
)

# What may stand before a function's name, in any of these languages.
_HEAD = r"^(?P<indent> *)(?:[\w:<>\[\]*&.]+ )*{name}\("
_COMMENT = re.compile(r"\s*(?://|/\*\*|#\[|@)")


def source(language: Language) -> str:
    return (CLIENTS / language.file).read_text(encoding="utf-8")


def cut(language: Language, flow: int) -> str:
    """The functions of a flow, as they are in the file but for their common indent. ValueError if one is not there."""
    rows = source(language).splitlines()
    pieces = [_function(rows, name, language) for name in language.functions[flow]]
    return "\n\n".join(textwrap.dedent("\n".join(piece)) for piece in pieces) + "\n"


def _function(rows: list[str], name: str, language: Language) -> list[str]:
    """The rows of the function and of what is said about it just above."""
    head = re.compile(_HEAD.format(name=re.escape(name)))
    for first, row in enumerate(rows):
        match = head.match(row)
        if match and _defines(row, language):
            last = _end(rows, first, match["indent"], language)
            while first and _COMMENT.match(rows[first - 1]):
                first -= 1
            return rows[first : last + 1]
    raise ValueError(f"client/{language.file} has no function {name}")


def _defines(row: str, language: Language) -> bool:
    return row.lstrip().startswith("def ") if language.anchor == "python" else not row.rstrip().endswith(";")


def _end(rows: list[str], first: int, indent: str, language: Language) -> int:
    if language.anchor != "python":
        return next(number for number in range(first, len(rows)) if rows[number] == indent + "}")
    body = range(first + 1, len(rows))
    after = next((n for n in body if rows[n] and not rows[n].startswith(indent + " ")), len(rows))
    while not rows[after - 1]:
        after -= 1
    return after - 1
