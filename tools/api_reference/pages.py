"""The pages of the API reference as HTML: one for each proto file, one with the flows, one to begin with."""

import html
import json
import pathlib
import re

from api_reference import examples, prose
from api_reference.contract import Enum, Field, Message, Method, Page, Service

ASSETS = ("site.css", "site.js")
REASONS = "error_reason"  # the page of the errors
_ERROR = re.compile(r"(?P<status>[A-Z_]+): (?P<text>.*?)(?:\s*Example: (?P<example>.*))?$", re.S)


class Site:
    """All pages of a contract. `repeated` has the methods that clients send again by themselves."""

    def __init__(self, pages: list[Page], repeated: set[str]):
        self._pages = pages
        self._repeated = repeated
        self._names = prose.Names(pages)
        self._used_by = _used_by(pages)

    def files(self) -> dict[str, str]:
        """{name of the file: its text}, for one folder."""
        here = pathlib.Path(__file__).parent
        made = {name: (here / name).read_text(encoding="utf-8") for name in ASSETS}
        made["search.js"] = f"const SEARCH = {json.dumps(list(self._entries()), ensure_ascii=False, indent=0)};\n"
        made["index.html"] = self._frame("index.html", "Passerelle API", self._start())
        made["flows.html"] = self._frame("flows.html", "The three flows", self._flows())
        for page in self._pages:
            name = f"{page.stem}.html"
            made[name] = self._frame(name, _title(page), self._page(page))
        return made

    # ---- what every page has -------------------------------------------------------------------

    def _frame(self, name: str, title: str, body: str) -> str:
        whole = title if title.startswith("Passerelle") else f"{title} · Passerelle API"
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(whole)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="site.css">
<script src="search.js" defer></script>
<script src="site.js" defer></script>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header>
<a class="home" href="index.html">Passerelle API</a>
<form role="search">
<label for="query">Search&nbsp;<kbd class="tag" aria-hidden="true">/</kbd></label>
<input id="query" type="search" aria-controls="results" autocomplete="off" spellcheck="false">
<ul id="results" aria-label="Results" hidden></ul>
<p id="told" role="status"></p>
</form>
</header>
<div class="page">
<nav class="menu" aria-label="Pages"><details open><summary>Pages</summary>
{self._menu(name)}
</details></nav>
<main id="content" tabindex="-1">
<h1>{html.escape(title)}</h1>
{body}
</main>
</div>
</body>
</html>
"""

    def _menu(self, current: str) -> str:
        general = [("index.html", "Start"), ("flows.html", "The three flows"), (f"{REASONS}.html", "Errors")]
        services = [(f"{page.stem}.html", _title(page)) for page in self._pages if page.services]
        others = [page for page in self._pages if not page.services and page.stem != REASONS]
        types = [(f"{page.stem}.html", _title(page)) for page in others]
        return "\n".join(
            f"<h2>{title}</h2>\n<ul>{''.join(_entry(file, text, current) for file, text in entries)}</ul>"
            for title, entries in (("Guide", general), ("Services", services), ("Types", types))
        )

    def _entries(self):
        """What search knows: name, page, kind, text."""
        for page in self._pages:
            for service in page.services:
                yield self._found(service.name, "service", service.comment)
                yield from (self._found(method.name, "method", method.comment) for method in service.methods)
            for message in page.messages:
                yield self._found(message.name, "message", message.comment)
                for field in message.fields:
                    yield self._found(f"{message.name}.{field.name}", "field", field.comment)
            for enum in page.enums:
                yield self._found(enum.name, "enum", enum.comment)
                kind = "error" if page.stem == REASONS else "value"
                yield from (self._found(f"{enum.name}.{value.name}", kind, value.comment) for value in enum.values)

    def _found(self, name: str, kind: str, comment: str) -> list[str]:
        return [name, self._names.page_of[name], kind, prose.summary(comment)]

    # ---- pages ---------------------------------------------------------------------------------

    def _start(self) -> str:
        rows = [
            _row(self._names.link(service.name), "", prose.inline(prose.summary(service.comment), self._names))
            for page in self._pages for service in page.services
        ]
        flows = "".join(f'<li><a href="flows.html#{flow.anchor}">{flow.title}</a>: {flow.about}</li>' for flow in examples.FLOWS)
        counts = f"{sum(len(s.methods) for p in self._pages for s in p.services)} methods in {len(rows)} services"
        return f"""<p>The contract <code>passerelle.v1</code>: {counts}, over gRPC. These pages are made from the comments of the protos, the
one manual that all languages share. Type in the search field (key <code>/</code>) for methods, messages, fields, values and
errors.</p>
<p><code>index.html#NAME</code> leads to any of them, such as
<a href="index.html#LogService.ExportLogs">LogService.ExportLogs</a>: such links last, since names and their files never change
within a version.</p>
<h2 id="flows">The three flows, in six languages</h2>
<ul>{flows}</ul>
<h2 id="calls">What holds for every call</h2>
<ul>
<li>A key goes with each call as metadata, <code>authorization: Bearer psk.ID.SECRET</code>; each method names the scope that it
needs.</li>
<li>A call that fails carries one of the <a href="{REASONS}.html">error reasons</a>, with the field that it is about. What becomes
of one row of a batch is an {self._names.link("Outcome", "outcome")}, never an error of the call.</li>
<li>The clients give calls without streams 30 seconds, and send those again that change nothing.</li>
</ul>
<h2 id="services">Services</h2>
{_table(("Service", "What it is for"), rows)}"""

    def _flows(self) -> str:
        buttons = "".join(
            f'<button type="button" value="{language.anchor}">{language.title}</button>' for language in examples.LANGUAGES
        )
        parts = [self._flow(number, flow) for number, flow in enumerate(examples.FLOWS)]
        files = "".join(_code(language, examples.source(language)) for language in examples.LANGUAGES)
        return f"""<p>Cut from the example of each client, which its checks compile and run against a server.</p>
<div class="languages" role="group" aria-label="Language">{buttons}</div>
{"".join(parts)}
<h2 id="whole">The whole program</h2>
{files}"""

    def _flow(self, number: int, flow: examples.Flow) -> str:
        calls = ", ".join(self._names.link(name) for name in flow.methods)
        told = f"<p>Calls {calls}.</p>" if calls else ""
        code = "".join(_code(language, examples.cut(language, number)) for language in examples.LANGUAGES)
        return f'<h2 id="{flow.anchor}">{flow.title}{_self(flow.anchor)}</h2>\n<p>{flow.about}</p>\n{told}\n{code}'

    def _page(self, page: Page) -> str:
        if page.stem == REASONS:
            return "".join(self._errors(enum) for enum in page.enums)
        parts = [self._service(service) for service in page.services]
        if page.messages:
            parts += ['<h2 id="messages">Messages</h2>', *(self._message(message) for message in page.messages)]
        if page.enums:
            parts += ['<h2 id="enums">Enums</h2>', *(self._enum(enum) for enum in page.enums)]
        return "\n".join(parts)

    # ---- items ---------------------------------------------------------------------------------

    def _service(self, service: Service) -> str:
        rows = [
            _row(self._names.link(method.name, method.name.partition(".")[2]), f"<code>{method.scope}</code>",
                 html.escape(prose.summary(method.comment)))
            for method in service.methods
        ]
        methods = "\n".join(self._method(method, service) for method in service.methods)
        return f"""<section id="{service.name}">
{prose.block(service.comment, self._names, service.name)}
<p class="quiet">Full name: <code>passerelle.v1.{service.name}</code></p>
{_table(("Method, scope", "What it does"), rows)}
<h2 id="{service.name}-methods">Methods</h2>
{methods}
</section>"""

    def _method(self, method: Method, service: Service) -> str:
        arguments = ("stream " * method.client_streaming) + self._type(method.input)
        answer = ("stream " * method.server_streaming) + self._type(method.output)
        flows = "".join(
            f' Example: <a href="flows.html#{flow.anchor}">{flow.title}</a>.'
            for flow in examples.FLOWS if method.name in flow.methods
        )
        facts = "".join(f"<li>{fact}</li>" for fact in self._facts(method))
        return f"""<article id="{method.name}">
<h3>{method.name.partition(".")[2]}{_self(method.name)}</h3>
<p><code>({arguments})</code> returns <code>({answer})</code></p>
<ul class="facts" aria-label="Facts">{facts}</ul>
{prose.block(method.comment, self._names, service.name)}
<p>{flows}</p>
</article>""".replace("<p></p>\n", "")

    def _facts(self, method: Method):
        yield f'scope <a href="{self._names.page_of["Scope"]}#Scope"><code>{method.scope}</code></a>'
        streams = {(0, 0): "unary", (1, 0): "client streams", (0, 1): "server streams", (1, 1): "both sides stream"}
        yield streams[method.client_streaming, method.server_streaming]
        if method.exports:
            yield "exports data: in the audit trail"
        if method.whole_store:
            yield "whole store: closed to credentials of some instances"
        if method.name in self._repeated:
            yield "clients send it again when the server is away"
        yield f"HTTP <code>{html.escape(method.http)}</code>" if method.http else "gRPC only"

    def _type(self, name: str) -> str:
        return self._names.link(name) if name in self._names.page_of else html.escape(name)

    def _message(self, message: Message) -> str:
        rows = [self._field(field, message) for field in message.fields]
        pattern = f"<p>Name: <code>{html.escape(message.pattern)}</code></p>" if message.pattern else ""
        used = ", ".join(self._names.link(name) for name in self._used_by.get(message.name, ()))
        return f"""<article id="{message.name}">
<h3>{message.name}{_self(message.name)}</h3>
{prose.block(message.comment, self._names, message.name)}
{pattern}
{_table(("Field", "What it means"), rows) if rows else '<p class="quiet">No fields.</p>'}
{f'<p class="quiet">Used by {used}.</p>' if used else ""}
</article>"""

    def _field(self, field: Field, message: Message) -> str:
        written = html.escape(field.type)
        for word, name in field.links.items():
            written = written.replace(html.escape(word), self._names.link(name, word))
        label = f"{field.label} " if field.label else ""
        tags = "".join(f' <span class="tag">{behaviour}</span>' for behaviour in field.behaviours)
        oneof = f" · one of <code>{field.oneof}</code>" if field.oneof else ""
        anchor = f"{message.name}.{field.name}"
        about = f'<span class="quiet"><code>{label}{written}</code> · {field.number}{oneof}</span>'
        told = prose.block(field.comment, self._names, message.name)
        return _row(f"<code>{field.name}</code>{tags}{_self(anchor)}", about, told, anchor)

    def _enum(self, enum: Enum) -> str:
        rows = [
            _row(f"<code>{value.name}</code>{_self(f'{enum.name}.{value.name}')}", f'<span class="quiet">{value.number}</span>',
                 prose.block(value.comment, self._names, enum.name), f"{enum.name}.{value.name}")
            for value in enum.values
        ]
        used = ", ".join(self._names.link(name) for name in self._used_by.get(enum.name, ()))
        return f"""<article id="{enum.name}">
<h3>{enum.name}{_self(enum.name)}</h3>
{prose.block(enum.comment, self._names, enum.name)}
{_table(("Value", "What it means"), rows)}
{f'<p class="quiet">Used by {used}.</p>' if used else ""}
</article>"""

    def _errors(self, enum: Enum) -> str:
        rows = [self._error(enum, value) for value in enum.values]
        return f"""<section id="{enum.name}">
{prose.block(enum.comment, self._names, enum.name)}
{_table(("Reason, status", "What happened"), rows)}
</section>"""

    def _error(self, enum: Enum, value) -> str:
        anchor = f"{enum.name}.{value.name}"
        short = value.name.removeprefix("ERROR_REASON_")
        text = " ".join(prose.paragraphs(value.comment))
        parts = _ERROR.match(text)
        status, said = (parts["status"], parts["text"]) if parts else ("", text)
        told = f"<p>{prose.inline(said[:1].upper() + said[1:], self._names, enum.name)}</p>"
        if parts and parts["example"]:
            told += f'<p class="quiet">Example: {html.escape(parts["example"])}</p>'
        named = ", ".join(self._names.link(name) for name in self._named_by(short))
        if named:
            told += f'<p class="quiet">Named by {named}.</p>'
        about = f'<span class="quiet"><code>{status or "never sent"}</code> · {value.number}</span>'
        return _row(f"<code>{short}</code>{_self(anchor)}", about, told, anchor)

    def _named_by(self, reason: str):
        """The methods whose comments say that they fail with it."""
        if reason in prose.STATUSES:
            return []
        word = re.compile(rf"\b{reason}\b")
        methods = [method for page in self._pages for service in page.services for method in service.methods]
        return [method.name for method in methods if word.search(method.comment)]


def _used_by(pages: list[Page]) -> dict[str, list[str]]:
    """{message or enum: the methods and messages that have it}."""
    users: dict[str, list[str]] = {}
    for page in pages:
        for service in page.services:
            for method in service.methods:
                for name in dict.fromkeys((method.input, method.output)):
                    users.setdefault(name, []).append(method.name)
        for message in page.messages:
            for name in dict.fromkeys(name for field in message.fields for name in field.links.values()):
                users.setdefault(name, []).append(message.name)
    return users


def _title(page: Page) -> str:
    if page.stem == REASONS:
        return "Errors"
    return page.services[0].name if page.services else page.stem.replace("_", " ").capitalize()


def _entry(file: str, text: str, current: str) -> str:
    mark = ' aria-current="page"' if file == current else ""
    return f'<li><a href="{file}"{mark}>{html.escape(text)}</a></li>'


def _self(anchor: str) -> str:
    return f'<a class="self" href="#{anchor}" aria-label="Link to {anchor}">#</a>'


def _code(language: examples.Language, text: str) -> str:
    label = f"{language.title}: client/{language.file}"
    return f"""<section data-language="{language.anchor}" aria-label="{language.title}">
<p class="quiet">{label}</p>
<pre tabindex="0" aria-label="{label}"><code>{html.escape(text, quote=False)}</code></pre>
</section>
"""


def _row(head: str, about: str, text: str, anchor: str = "") -> str:
    mark = f' id="{anchor}"' if anchor else ""
    below = f"<br>{about}" if about else ""
    return f'<tr{mark}><th scope="row">{head}{below}</th><td>{text}</td></tr>'


def _table(heads: tuple[str, str], rows: list[str]) -> str:
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return f"<table><thead><tr>{top}</tr></thead>\n<tbody>{chr(10).join(rows)}</tbody></table>"
