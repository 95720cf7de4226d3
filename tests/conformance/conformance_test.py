"""The driver itself: the judge can say no, planted errors and lying runners are caught, the cases say what they must."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(ROOT / "tools")]

import cases  # noqa: E402
import judge  # noqa: E402
import plants  # noqa: E402
from api_reference import examples  # noqa: E402
from case_run import CaseRun  # noqa: E402
from environment import SharedCertificates, World  # noqa: E402
from proxy import TO_SERVER, Fault, Proxy  # noqa: E402
from runner import Runner  # noqa: E402
from variables import at_path, filled  # noqa: E402

# What issue and README promise: each is a day that every client must get through.
BAD_DAYS = {
    *("server_down", "wrong_port", "wrong_certificate", "expired_key", "deadline_too_short"),
    *("server_restarts_in_mid_stream", "message_over_the_limit", "unknown_enum_in_an_answer", "cancelled_call"),
}
GROUPS = {"connect", "calls", "pages", "ingest", "resume", "overload", "export", "members", "vectors", "bad_days"}

# An expectation, an answer that fits, and some that do not.
JUDGED = [
    ({"a": 1}, {"a": "1", "b": 2}, [{"a": 2}, {}, {"a": "x"}, {"a": True}, []]),
    ({"a": 0, "b": "", "c": False, "d": None}, {}, [{"a": 1}, {"b": "x"}, {"c": True}, {"d": 0}]),
    ([1, 2], [1, 2], [[1], [1, 2, 3], [2, 1], None]),
    ([], None, [[1]]),
    ({"a": {}}, {"a": {"b": 1}}, [{"a": []}]),
    (True, True, [1, "true", None, False]),
    ({"$matches": "^a+$"}, "aa", ["ab", 5, None]),
    ({"$at_least": 3}, "3", [2, None, "x"]),
    ({"$at_most": 3}, None, [4, "x"]),
    ({"$present": True}, "x", ["", None, [], {}]),
    ({"$present": False}, "", ["x"]),
    ({"$time": "2026-01-01T00:00:00Z"}, "2026-01-01T01:00:00.000000000+01:00", ["2026-01-01T00:00:01Z", "x", 5]),
    ({"$unordered": [1, {"a": 2}]}, [{"a": 2, "b": 3}, 1], [[1], [1, 1], [1, {"a": 2}, 3]]),
    ({"$contains": [2, 2]}, [1, 2, 2], [[1, 2], None]),
    ({"$numbered": {"at": "n", "first": 1, "count": 2}}, [{"n": 1}, {"n": "2"}],
     [[{"n": 1}], [{"n": 2}, {"n": 1}], [{"n": 1}, {"n": 1}], [{"n": 1}, {"n": 2}, {"n": 2}], [{"n": 1}, {"n": 3}], [{}, {"n": 2}], None]),
    ({"$numbered": {"at": "a.b", "prefix": "p", "count": 2, "unordered": True}}, [{"a": {"b": "p1"}}, {"a": {"b": "p0"}}],
     [[{"a": {"b": "p1"}}, {"a": {"b": "p1"}}], [{"a": {"b": "p1"}}]]),
    ({"$length": 2}, "ab", ["a", [1], None, 2]),
    ({"$one_of": [1, {"$matches": "b"}]}, "abc", [2, "a"]),
    ({"$only": {"a": 1}}, {"a": 1, "b": 0}, [{"a": 1, "b": 1}, {}]),
]


@pytest.mark.parametrize("expected, fits, others", JUDGED)
def test_every_expectation_can_be_met_and_missed(expected, fits, others):
    assert judge.differences(expected, fits) == []
    for other in others:
        assert judge.differences(expected, other), (expected, other)


def test_every_special_expectation_is_judged_here():
    assert set(judge.SPECIAL) == {key for expected, _, _ in JUDGED if isinstance(expected, dict) for key in expected if "$" in key}
    with pytest.raises(ValueError, match="no expectation"):
        judge.differences({"$nearly": 1}, 1)


def test_variables_are_filled_and_saved():
    assert filled({"a": ["${n}", "x-${n}", {"$repeat": ["ab", 2]}]}, {"n": 5}) == {"a": [5, "x-5", "abab"]}
    assert filled({"$rows": [2, {"a": "p${row}"}]}, {}) == [{"a": "p0"}, {"a": "p1"}]
    assert at_path({"rows": [{"n": 7}]}, "rows.0.n") == 7
    for missing in ("rows.1", "rows.0.m", "other"):
        with pytest.raises(KeyError):
            at_path({"rows": [{"n": 7}]}, missing)


# ---- the cases ----------------------------------------------------------------------------------


def test_every_group_and_every_bad_day_has_cases():
    names = {case.name for case in cases.load()}
    assert {name.partition("/")[0] for name in names} == GROUPS
    assert {f"bad_days/{day}" for day in BAD_DAYS} <= names
    assert len(names) >= 100


def test_the_hashes_of_the_vectors_are_those_of_their_normal_forms():
    groups = json.loads((HERE / "cases/vectors.json").read_text())["groups"]
    hashed = [vector for group in groups for vector in group["vectors"] if "sha256" in vector]
    assert len(hashed) >= 20
    for vector in hashed:
        assert vector["sha256"] == hashlib.sha256(vector["normal"].encode()).hexdigest(), vector
    by_name = {group["name"]: group["vectors"] for group in groups}
    for name in ("vectors/email", "vectors/phone", "vectors/phone_of_a_region"):
        assert all(("sha256" in vector) == ("normal" in vector) for vector in by_name[name])


CONNECT = {"op": "connect", "target": "${address}", "expect": {}}
GET = {"op": "call", "method": "passerelle.v1.InstanceService/GetInstance"}


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"steps": [CONNECT]}, "asks nothing"),
        ({"steps": [CONNECT, GET]}, "one of expect and expect_error"),
        ({"steps": [CONNECT, {**GET, "expect": {}, "expect_error": {"code": "OK"}}]}, "one of expect and expect_error"),
        ({"steps": [{"op": "pray", "expect": {}}]}, "nobody knows 'pray'"),
        ({"steps": [{"env": "rain"}]}, "nobody knows 'rain'"),
        ({"steps": [{**GET, "background": True, "name": "a"}]}, "nobody awaits"),
        ({"steps": [{**GET, "background": True, "name": "a", "expect": {}}]}, "in the background"),
        ({"steps": [{"op": "await", "step": "a", "expect": {}}]}, "is under way"),
        ({"steps": [{**GET, "background": True, "name": "a"}, {**GET, "expect": {}}]}, "under way"),
        ({"steps": [{"env": "kill_server"}, {**GET, "expect": {}}]}, "of the case's own"),
        ({"steps": [{**GET, "background": True, "name": "a", "at_least_ms": 5}]}, "in the background"),
        ({"steps": [{**GET, "expect_error": {"reason": "X"}}]}, "names no code"),
        ({"steps": [{"use": "nothing"}]}, "no set"),
        ({"about": ""}, "about is missing"),
        ({"sever": {}}, "nobody knows 'sever'"),
    ],
)
def test_a_case_that_could_not_fail_is_refused(tmp_path, change, complaint):
    good = {"name": "a/b", "about": "It is.", "steps": [CONNECT, {**GET, "expect": {}}]}
    (tmp_path / "a.json").write_text(json.dumps({"cases": [good]}))
    assert len(cases.load(folder=tmp_path)) == 1
    (tmp_path / "a.json").write_text(json.dumps({"cases": [{**good, **change}]}))
    with pytest.raises(cases.CasesError, match=complaint):
        cases.load(folder=tmp_path)


def test_every_client_is_in_the_check_on_the_front_page_and_in_the_reference():
    there = {path.name for path in (ROOT / "client").iterdir() if path.is_dir()}
    assert there == {path.parent.name for path in (ROOT / "client").glob("*/conformance") if os.access(path, os.X_OK)}
    assert there == set(re.search(r'^readonly CLIENTS="(.*)"$', (ROOT / "tools/check").read_text(), re.M)[1].split())
    assert there == {language.anchor for language in examples.LANGUAGES}
    assert there == set(re.findall(r"\(client/(\w+)/README\.md\)", (ROOT / "README.md").read_text()))


# ---- what must be caught ------------------------------------------------------------------------


def drive(*arguments):
    """The driver's exit code, its lines, and its results by case."""
    command = [sys.executable, HERE / "run", *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=540)
    lines = done.stdout.splitlines()
    results = {fields[0]: fields[1:] for line in lines if "/" in (fields := line.split() or [""])[0] and len(fields) == 2}
    return done.returncode, lines, results


def has(case, key):
    return any(key in step for step in case.steps)


@pytest.mark.parametrize(
    "plant, pattern, caught",
    [
        ("wrong-code", "calls/*", lambda case: has(case, "expect_error")),
        ("swallow-error", "calls/*", lambda case: has(case, "expect_error")),
        ("make-error", "calls/*", lambda case: any("expect" in step and step["op"] != "connect" for step in case.steps)),
        ("empty-response", "calls/[gcu]*", lambda case: True),
        ("forget-reason", "calls/[sfr]*", lambda case: has(case, "expect_error")),
        ("lose-a-row", "export/[ec]*", lambda case: True),
        ("double-a-row", "export/[ec]*", lambda case: True),
        ("swap-a-row", "pages/all*", lambda case: True),
        ("swap-a-row", "export/resumes*", lambda case: True),
        ("swap-a-row", "members/resumes*", lambda case: True),
        ("lose-a-row", "ingest/[is]*", lambda case: True),
        ("double-a-row", "members/[im]*", lambda case: True),
    ],
)
def test_a_planted_error_is_caught_in_every_case_that_it_touches(plant, pattern, caught):
    code, lines, results = drive("--lang", "python", "--case", pattern, "--plant", plant)
    chosen = cases.load(pattern)
    assert len(results) == len(chosen) > 0, lines
    missed = [case.name for case in chosen if caught(case) and results[case.name] != ["FAIL"]]
    assert not missed, lines
    assert f"plant {plant} was caught" in lines and code == 0


def test_every_plant_is_tried_here():
    marks = test_a_planted_error_is_caught_in_every_case_that_it_touches.pytestmark
    assert {plant for plant, _, _ in marks[0].args[1]} == set(plants.PLANTS)


@pytest.mark.parametrize(
    "kind, told",
    [
        ("silent", "no answer within"),
        ("dies", "the runner ended without an answer; it said: out of memory"),
        ("rubbish", "what is no JSON: 'connected!"),
        ("wrong-id", "a step that it was not sent"),
        ("both", "what is no answer"),
        ("bad-end", "ended with code 3"),
    ],
)
def test_a_runner_that_breaks_the_protocol_fails(kind, told):
    runner = f"liar={HERE / 'lying_runner'} {kind}"
    code, lines, results = drive("--lang", "liar", "--runner", runner, "--case", "calls/get", "--patience", "3")
    assert code == 1 and results == {"calls/get": ["FAIL"]}
    assert lines[-1] == "0 passed, 1 failed"
    assert any(told in line for line in lines), lines


def test_a_runner_that_is_lost_again_and_again_is_not_waited_for_for_ever():
    runner = f"liar={HERE / 'lying_runner'} silent"
    code, lines, _ = drive("--lang", "liar", "--runner", runner, "--case", "calls/*", "--patience", "1", "--json")
    results = [json.loads(line) for line in lines[:-1]]
    assert code == 1 and len(results) == len(cases.load("calls/*")) and not any(result["ok"] for result in results)
    told = [result["wrong"][0] for result in results]
    assert ["no answer within" in line for line in told] == [True] * 5 + [False] * (len(told) - 5)
    assert ["not tried" in line for line in told] == [False] * 5 + [True] * (len(told) - 5)


def test_a_language_without_a_runner_fails_and_the_others_do_not():
    code, lines, _ = drive("--lang", "python,klingon", "--case", "calls/get")
    assert code == 1 and lines[-1] == "1 passed, 1 failed"
    assert ["calls/get", "ok", "FAIL"] in [line.split() for line in lines]
    assert drive("--lang", "python", "--case", "calls/get")[0] == 0
    assert drive("--lang", "python", "--case", "no/such*")[0] == 1


def test_an_answer_that_comes_before_its_time_is_wrong(tmp_path):
    """A client that is told to come again in 300 ms, and one that is told to take a minute."""
    world = World(SharedCertificates(tmp_path))
    runner = Runner([str(ROOT / "client/python/conformance")], tmp_path / "log", 60)
    fake = next(case for case in cases.load("overload/an_export_comes_again"))
    try:
        for least, wrong in ((600, []), (60_000, ["wanted it to wait for 60000 ms"])):
            steps = [{**step, "at_least_ms": least} if step.get("op") == "export" else step for step in fake.steps]
            found = CaseRun(dataclasses.replace(fake, steps=steps), runner, world, plants.none, lambda what: None).run()
            assert len(found) == len(wrong) and all(told in line for told, line in zip(wrong, found, strict=True))
    finally:
        runner.kill()
        world.close()


# ---- the proxy ----------------------------------------------------------------------------------


class Sink:
    """A server that keeps what it is sent, and answers nothing."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.got: list[bytes] = []
        self.changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.got.append(b"")
            threading.Thread(target=self._keep, args=(connection, len(self.got) - 1), daemon=True).start()

    def _keep(self, connection, index):
        while data := receive(connection):
            with self.changed:
                self.got[index] += data
                self.changed.notify_all()

    def await_bytes(self, wanted):
        with self.changed:
            return self.changed.wait_for(lambda: self.got == wanted, 60)

    def close(self):
        self._socket.close()


def receive(connection):
    try:
        return connection.recv(65536)
    except OSError:
        return b""


@pytest.fixture
def sink():
    made = Sink()
    yield made
    made.close()


def connect(proxy):
    host, port = proxy.address.split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def test_the_proxy_cuts_each_connection_at_its_byte(sink):
    proxy = Proxy(sink.address)
    try:
        proxy.arm([Fault(False, TO_SERVER, 3), Fault(False, TO_SERVER, 5)])
        for times, wanted in ((1, [b"012"]), (2, [b"012", b"01234"])):
            with connect(proxy) as connection:
                connection.sendall(b"0123456789")
                assert receive(connection) == b""
            assert proxy.await_fired(times) and sink.await_bytes(wanted)
        with connect(proxy) as connection:
            connection.sendall(b"0123456789")
            assert sink.await_bytes([b"012", b"01234", b"0123456789"])
    finally:
        proxy.close()


def test_the_proxy_lets_a_connection_wait_and_go_on(sink):
    proxy = Proxy(sink.address)
    try:
        proxy.arm([Fault(True, TO_SERVER, 4)])
        with connect(proxy) as connection:
            connection.sendall(b"0123456789")
            assert proxy.await_fired(1) and sink.await_bytes([b"0123"])
            proxy.go_on()
            assert sink.await_bytes([b"0123456789"])
    finally:
        proxy.close()


def test_the_proxy_of_a_server_that_is_down_hangs_up(sink):
    proxy = Proxy(None)
    try:
        with connect(proxy) as connection:
            assert receive(connection) == b""
    finally:
        proxy.close()


def test_the_python_runner_says_what_it_does_not_know():
    runner = ROOT / "client" / "python" / "conformance"
    steps = '{"id":1,"op":"dance"}\n{"id":2,"op":"hello"}\n'
    done = subprocess.run([runner], input=steps, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert answers[0]["error"]["code"] == "UNKNOWN_STEP" and answers[1]["ok"]["language"] == "python"
