"""The API reference says everything: each method, field, value and reason; no link leads nowhere; examples are the code."""

import html
import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from api_reference import examples, prose  # noqa: E402

VOID = {"meta", "link", "input", "br"}


class Read(html.parser.HTMLParser):
    """A page: its anchors, links, headings, landmarks and text; AssertionError where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads, self.headings, self.landmarks, self._open = [], [], [], [], set(), []
        self.feed(text)
        assert self._open == []

    def _begins(self, tag, attributes):
        told = dict(attributes)
        self.anchors += [told["id"]] if "id" in told else []
        self.links += [told["href"]] if tag == "a" else []
        self.loads += [told[name] for name in ("src", "href") if name in told and tag != "a"]
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.landmarks.add(told.get("role", tag))
        if tag not in VOID:
            self._open.append(tag)

    def _ends(self, tag):
        assert self._open.pop() == tag, self.getpos()

    handle_starttag, handle_endtag = _begins, _ends  # by which the parser calls them


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """{name of the file: its text}"""
    folder = tmp_path_factory.mktemp("reference") / "site"
    done = subprocess.run([ROOT / "tools/reference", "--out", folder], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def pages(site):
    return {name: Read(text) for name, text in site.items() if name.endswith(".html")}


def files():
    made = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(os.environ["PASSERELLE_DESCRIPTORS"]).read_bytes())
    return [file for file in made.file if file.package == "passerelle.v1"]


def nested(messages, outer=""):
    for message in messages:
        if not message.options.map_entry:
            yield outer + message.name, message
            yield from nested(message.nested_type, f"{outer}{message.name}.")


def declared(file):
    """Every name of the file."""
    for service in file.service:
        yield service.name
        yield from (f"{service.name}.{method.name}" for method in service.method)
    enums = [("", enum) for enum in file.enum_type]
    for name, message in nested(file.message_type):
        yield name
        yield from (f"{name}.{field.name}" for field in message.field)
        enums += [(f"{name}.", enum) for enum in message.enum_type]
    for outer, enum in enums:
        yield outer + enum.name
        yield from (f"{outer}{enum.name}.{value.name}" for value in enum.value)


def shown(text, anchor):
    """The text of the item with this anchor, up to the next row or article."""
    part = text.partition(f'id="{anchor}"')[2]
    part = re.split(r"</tr>|</article>", part, maxsplit=1)[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", part)).split())


def test_every_name_has_its_anchor_on_the_page_of_its_file(pages):
    names = [(pathlib.Path(file.name).stem, name) for file in files() for name in declared(file)]
    assert len(names) > 1000
    assert [name for stem, name in names if name not in pages[f"{stem}.html"].anchors] == []


def test_every_name_can_be_searched_for(site):
    entries = json.loads(site["search.js"].removeprefix("const SEARCH = ").rstrip(";\n"))
    assert {name for name, *_ in entries} == {name for file in files() for name in declared(file)}
    assert all(f"{name}" and page in site and text for name, page, _, text in entries)


def test_every_method_says_its_scope_and_how_it_streams(site):
    methods = 0
    for file in files():
        for service in file.service:
            for method in service.method:
                text = shown(site[f"{pathlib.Path(file.name).stem}.html"], f"{service.name}.{method.name}")
                streams = ("unary", "server streams", "client streams", "both sides stream")
                assert streams[2 * method.client_streaming + method.server_streaming] in text
                assert re.search(r"scope [a-z]+(\.[a-z]+)?", text)
                methods += 1
    assert methods > 100


@pytest.mark.parametrize("method, told", [
    ("LogService.ExportLogs", "scope logs.read server streams exports data: in the audit trail gRPC only"),
    ("AudienceService.GetAudience", "scope audiences.read unary clients send it again when the server is away gRPC only"),
    ("AudienceSyncService.PushMembers", "scope members.push both sides stream gRPC only"),
])
def test_options_of_methods_are_told(site, method, told):
    page = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method.partition(".")[0]).lower()
    text = shown(site[f"{page}.html"].replace("</li>", " </li>"), method)
    assert told in text


def test_every_error_reason_is_told_with_status_and_example(site):
    [file] = [file for file in files() if file.name.endswith("/error_reason.proto")]
    for value in file.enum_type[0].value[1:]:
        text = shown(site["error_reason.html"], f"ErrorReason.{value.name}")
        assert re.search(r"^>?[A-Z_0-9]+# ?([A-Z_]+) · \d+.*Example: .", text), (value.name, text)
        assert re.search(r"(?<=[A-Z_]) · ", text) and text.count("never sent") == 0


def test_no_link_leads_nowhere_and_nothing_comes_from_elsewhere(site, pages):
    links = 0
    for name, page in pages.items():
        assert len(page.anchors) == len(set(page.anchors)), name
        assert set(page.loads) == {"data:,", "site.css", "search.js", "site.js"}
        for link in page.links:
            target, _, anchor = link.partition("#")
            found = pages.get(target or name)
            assert found, (name, link)
            # The front page leads on to any name.
            assert not anchor or anchor in found.anchors or target == "index.html", (name, link)
            links += 1
    assert links > 3000
    assert not re.search(r"https?://", "".join(site.values()))


def test_links_of_the_front_page_to_names_are_names(site):
    names = {name for file in files() for name in declared(file)}
    assert {anchor for anchor in re.findall(r'href="index\.html#([^"]+)"', "".join(site.values()))} <= names


def test_pages_have_landmarks_and_headings_in_order(pages):
    for name, page in pages.items():
        assert {"header", "nav", "main", "search", "status"} <= page.landmarks, name
        inside = [level for level in page.headings if level]
        assert inside.count(1) == 1, name
        after = inside[inside.index(1):]
        assert all(below <= above + 1 for above, below in zip(after, after[1:])), (name, after)


@pytest.mark.parametrize("language", examples.LANGUAGES, ids=lambda language: language.anchor)
def test_examples_are_the_code_that_is_compiled(site, language):
    source = [row.strip() for row in examples.source(language).splitlines() if row.strip()]
    for number, flow in enumerate(examples.FLOWS):
        text = examples.cut(language, number)
        assert f"{html.escape(text, quote=False)}</code>" in site["flows.html"], flow.title
        rows = [row.strip() for row in text.splitlines() if row.strip()]
        assert len(rows) >= 5 and rows[-1] and all(row in source for row in rows), flow.title
    assert html.escape(examples.source(language), quote=False) in site["flows.html"]


def test_an_example_without_its_function_is_refused():
    lost = examples.Language("go", "Go", "go/examples/three_flows/main.go", (("nowhere",),))
    with pytest.raises(ValueError, match="has no function nowhere"):
        examples.cut(lost, 0)


def test_comments_become_paragraphs_lists_and_sentences():
    comment = "First one. Second\ngoes on.\n\n- an item that\n  goes on\n- another"
    assert prose.paragraphs(comment) == ["First one. Second goes on.", "- an item that goes on", "- another"]
    assert prose.summary(comment) == "First one."
    assert prose.inline("`a<b>` & c", prose.Names([])) == "<code>a&lt;b&gt;</code> &amp; c"


def test_a_folder_with_something_else_is_not_replaced(tmp_path):
    (tmp_path / "mine").write_text("kept")
    done = subprocess.run([ROOT / "tools/reference", "--out", tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "holds something else" in done.stderr
    assert (tmp_path / "mine").read_text() == "kept"
