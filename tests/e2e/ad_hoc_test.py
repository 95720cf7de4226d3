"""docs/ad-hoc.md: every line is run, what it prints is compared, and every grpcui that it starts calls the server."""

import http.cookiejar
import json
import os
import pathlib
import re
import urllib.request

import page
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/ad-hoc.md").read_text()
MEMBERS = (
    "passerelle.v1.AudienceService.ListMembers",
    {"parent": "instances/default/audiences/vip", "reach": {"channel": "email"}},
)
INSTANCE = ("passerelle.v1.InstanceService.GetInstance", {"name": "instances/default"})


@pytest.fixture(scope="module", autouse=True)
def programs():
    for name in ("bin/grpcurl", "bin/grpcui", "venv/bin/buf"):
        assert os.access(ROOT / "build" / name, os.X_OK), f"build/{name} is not there: run tools/setup --for adhoc"


def call_through_grpcui(url: str, method: str, request: dict) -> dict:
    """What the page in the browser does: fetches its token, then posts the form."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
    browser.open(url, timeout=30).read()
    token = next(cookie.value for cookie in jar if "csrf" in cookie.name)
    body = json.dumps({"timeout_seconds": 20, "metadata": [], "data": [request]}).encode()
    headers = {"content-type": "application/json", "x-grpcui-csrf-token": token}
    asked = urllib.request.Request(f"{url}invoke/{method}", body, headers)
    return json.load(browser.open(asked, timeout=30))


def test_every_line_works_word_for_word_and_prints_what_the_page_shows(tmp_path):
    forms = 0
    shown = page.Page(tmp_path)
    try:
        for commands, kind, wanted in page.blocks(TEXT):
            printed = [shown.run(line) for line in commands.splitlines()][-1]
            assert not kind or page.printed_as_shown(kind, printed, wanted), f"{commands}\nprinted:\n{printed}\nthe page:\n{wanted}"
            address = re.search(r"available at (http://127\.0\.0\.1:\d+/)", printed)
            if address:
                answer = call_through_grpcui(address[1], *(INSTANCE if "KEY" in commands else MEMBERS))
                assert answer["error"] is None and len(answer["responses"]) == 1, f"{commands}\n{answer}"
                forms += 1
    finally:
        shown.stop()
    assert forms == 4


def test_every_call_of_the_page_shows_its_answer():
    """But those that only prepare, and servers."""
    silent = [commands for commands, kind, _ in page.blocks(TEXT) if not kind]
    assert all("passerelled " in commands or "Create" in commands for commands in silent)
    assert len(page.blocks(TEXT)) - len(silent) >= 15


def test_grpcurl_buf_and_grpcui_are_shown_over_a_port_a_socket_tls_and_without_reflection():
    lines = "\n".join(commands for commands, _, _ in page.blocks(TEXT))
    for program, ways in {
        "grpcurl": ["-plaintext -d", "-unix", "-cacert", "-protoset"],
        "buf curl": ["--protocol grpc --http2-prior-knowledge -d", "--unix-socket", "--cacert", "--schema"],
        "grpcui": ["-plaintext 127", "-unix", "-cacert", "-protoset"],
    }.items():
        for way in ways:
            assert re.search(rf"{program} .*{way}", lines), f"{program} {way}"


def test_an_answer_that_is_not_the_one_shown_is_found():
    assert page.printed_as_shown("json", '{"a":"1","t":"now"}', '{"a":"1","t":"…"}')
    for other in ('{"a":"2","t":"now"}', '{"a":"1"}', '{"a":"1","t":"now","b":1}', '{"a":"1","t":""}', "", '{"a":"1","t":"now"}{}'):
        assert not page.printed_as_shown("json", other, '{"a":"1","t":"…"}'), other
    assert page.printed_as_shown("text", "at :80/\n", "at :…/\n")
    assert not page.printed_as_shown("text", "at :80/\nmore\n", "at :…/\n")
