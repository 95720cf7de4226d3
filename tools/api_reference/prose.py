"""Comments of the contract as HTML: paragraphs, lists, code, and links to what they name."""

import html
import re

from api_reference.contract import Page

# Of gRPC; outcomes with the same name are only meant where they are written in full.
STATUSES = frozenset(
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED "
    "FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED".split()
)
REASON = "ErrorReason.ERROR_REASON_"
# Two humps, a dotted name, or capitals: a plain capitalised word is only a word.
_NAME = re.compile(r"\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+(?:\.\w+)*|\b[A-Z]\w*(?:\.[A-Za-z_]\w*)+|\b[A-Z][A-Z0-9_]{2,}\b")
_CODE = re.compile(r"`([^`]+)`")


class Names:
    """Every name that has an anchor, and what people write for it."""

    def __init__(self, pages: list[Page]):
        self.page_of: dict[str, str] = {}
        shorter: dict[str, set[str]] = {}
        for page in pages:
            for name in anchors(page):
                self.page_of[name] = f"{page.stem}.html"
            for service in page.services:
                for method in service.methods:
                    shorter.setdefault(method.name.partition(".")[2], set()).add(method.name)
            for enum in page.enums:
                prefix = _prefix(enum)
                for value in enum.values:
                    shorter.setdefault(value.name.removeprefix(prefix), set()).add(f"{enum.name}.{value.name}")
        self._shorter = {word: names.pop() for word, names in shorter.items() if len(names) == 1}

    def find(self, word: str, scope: str = "") -> str | None:
        """The name that `word` means in the comment of `scope`, or None."""
        while True:
            name = f"{scope}.{word}" if scope else word
            if name in self.page_of:
                return name
            if not scope:
                break
            scope = scope.rpartition(".")[0]
        if REASON + word in self.page_of and word not in STATUSES:
            return REASON + word
        return self._shorter.get(word) if word not in STATUSES else None

    def href(self, name: str) -> str:
        return f"{self.page_of[name]}#{name}"

    def link(self, name: str, text: str | None = None) -> str:
        return f'<a href="{self.href(name)}">{html.escape(text or name)}</a>'


def anchors(page: Page):
    """Every name of the page that can be linked to."""
    for service in page.services:
        yield service.name
        yield from (method.name for method in service.methods)
    for message in page.messages:
        yield message.name
        yield from (f"{message.name}.{field.name}" for field in message.fields)
    for enum in page.enums:
        yield enum.name
        yield from (f"{enum.name}.{value.name}" for value in enum.values)


def _prefix(enum) -> str:
    """`SYNC_TYPE_` for Destination.SyncType."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name.rpartition(".")[2]).upper() + "_"


def paragraphs(comment: str) -> list[str]:
    """Each as one line; those of a list begin with "- "."""
    found: list[str] = []
    joins = False
    for row in comment.splitlines():
        text = row.strip()
        if not text or text.startswith("- ") or not joins:
            found += [text] if text else []
        else:
            found[-1] += " " + text
        joins = bool(text)
    return found


def summary(comment: str) -> str:
    """The first sentence, as plain text."""
    first = (paragraphs(comment) or [""])[0]
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", first, maxsplit=1)[0].replace("`", "")


def inline(text: str, names: Names, scope: str = "") -> str:
    """One line as HTML, what it names linked."""
    parts = _CODE.split(text)
    for number, part in enumerate(parts):
        if number % 2:
            name = names.find(part, scope)
            code = f"<code>{html.escape(part)}</code>"
            parts[number] = f'<a href="{names.href(name)}">{code}</a>' if name else code
        else:
            parts[number] = _linked(part, names, scope)
    return "".join(parts)


def _linked(text: str, names: Names, scope: str) -> str:
    pieces, end = [], 0
    for match in _NAME.finditer(text):
        name = names.find(match.group(), scope)
        if name and name != scope:
            pieces += [html.escape(text[end : match.start()], quote=False), names.link(name, match.group())]
            end = match.end()
    return "".join([*pieces, html.escape(text[end:], quote=False)])


def block(comment: str, names: Names, scope: str = "") -> str:
    """A whole comment as HTML."""
    told, items = [], []
    for paragraph in [*paragraphs(comment), ""]:
        if paragraph.startswith("- "):
            items.append(f"<li>{inline(paragraph[2:], names, scope)}</li>")
            continue
        if items:
            told.append(f"<ul>{''.join(items)}</ul>")
            items = []
        if paragraph:
            told.append(f"<p>{inline(paragraph, names, scope)}</p>")
    return "\n".join(told)
