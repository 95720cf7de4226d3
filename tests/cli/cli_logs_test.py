"""The command line against a real server: logs, their reports, their exports."""

import json
import signal
import subprocess

import pytest

from conftest import BIN


@pytest.fixture
def logged(cli, ask, activated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    if not any(d["name"].endswith("/mail") for d in ask("deliveries", "list")["deliveries"]):
        ask("deliveries", "create", "mail", "--channel", "email", "--audiences", "seg-a")
    sent = folder / "sent.csv"
    sent.write_text("broadlog_id,identity_namespace,identity,status,event_time\n" + "\n".join(
        f"{i},external_id,{i},sent,2026-05-01T10:00:00Z" for i in range(1, 101)) + "\n")
    clicks = folder / "clicks.ndjson"
    clicks.write_text("".join(json.dumps(
        {"delivery": "mail", "broadlog_id": i, "tracking_log_id": i, "tracking_kind": "click",
         "kind": "tracking", "event_time": "2026-05-01T11:00:00Z"}) + "\n" for i in range(1, 26)))
    cli("logs", "append", sent, "--stream", "sent", "--kind", "delivery", "--delivery", "mail")
    cli("logs", "append", clicks, "--stream", "clicks")


def test_logs_are_appended_listed_and_reported(cli, ask, logged):
    report = ask("report", "mail")
    assert (report["sent"], report["distinct_clicks"]) == ("100", "25")
    assert report["click_rate"] == 0.25
    assert "25.0 %" in cli("report", "--audience", "seg-a").stdout
    assert len(ask("logs", "list", "--kind", "tracking", "--limit", "10")["rows"]) == 10
    assert ask("deliveries", "get", "mail")["channel"] == "email"
    cli("deliveries", "delete", "mail", code=1)


def test_a_source_is_exported_and_goes_on(cli, ask, logged, tmp_path):
    ask("sources", "create", "back", "--schema", "delivery", "--dataset", "broadlogs", "--fields",
        "broadlog_id=message,status,event_time_us")
    out = tmp_path / "back.csv"
    export = ("logs", "export", "--source", "back", "--consumer", "default", "--out", out)
    cli(*export)
    lines = out.read_text().splitlines()
    assert len(lines) == 101 and "message" in lines[0].split(",")
    cli(*export)
    assert out.read_text().splitlines() == lines
    consumer = ask("sources", "consumers", "back")["consumers"][0]
    assert int(consumer["acknowledged_sequence"]) >= 100
    windows = ("sources", "reconcile", "back", "--from", "2020-01-01", "--by", "100d")
    total = ask(*windows)["total"]
    assert (total["appended"], total["exported"], total["pending"]) == ("100", "100", "0")
    assert "PENDING" in cli(*windows).stdout
    assert ask("sources", "pin", "back", "--for", "6h")["max_pin"] == "21600s"
    assert ask("sources", "pin", "back", "--for", "ever")["pin_forever"] is True
    assert ask("sources", "pin", "back", "--for", "default")["pin_forever"] is False
    assert "wanted" in cli("sources", "pin", "back", "--for", "6 moons", code=2).stderr
    assert "active" in cli("sources", "consumers", "back").stdout
    ask("sources", "seek", "back", "--to", "beginning")
    cli(*export)
    assert len(out.read_text().splitlines()) == 201
    ask("sources", "pause", "back")
    assert "resume" in cli(*export, code=1).stderr
    ask("sources", "resume", "back")
    assert ask("sources", "get", "back")["dataset"] == "broadlogs"
    assert "back" in cli("sources", "list").stdout
    ask("sources", "pause", "back")
    ask("sources", "delete", "back")


def test_a_cursor_file_keeps_the_position(cli, logged, tmp_path):
    out, cursor = tmp_path / "all.ndjson", tmp_path / "cursor"
    export = ("logs", "export", "--cursor-file", cursor, "--out", out, "--kind", "tracking")
    cli(*export)
    cli(*export)
    rows = [json.loads(row) for row in out.read_text().splitlines()]
    assert [row["broadlog_id"] for row in rows] == list(range(1, 26))
    cursor.write_text("nonsense")
    assert "CURSOR_INVALID" in cli(*export, code=2).stderr


def test_what_a_killed_export_left_behind_its_position_is_cut_off(cli, logged, tmp_path):
    out, cursor = tmp_path / "killed.csv", tmp_path / "killed.cursor"
    export = ("logs", "export", "--cursor-file", cursor, "--out", out, "--kind", "tracking")
    cli(*export)
    whole = out.read_text()
    out.write_text(whole + "torn,row")
    cli(*export)
    assert out.read_text() == whole
    out.write_text(whole[:20])
    assert "move it away" in cli(*export, code=1).stderr


def test_tail_shows_rows_and_ends_at_an_interrupt(server, logged):
    tail = subprocess.Popen([BIN / "passerelle", "--server", server.address, "logs", "tail",
                             "--kind", "tracking"], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.DEVNULL)
    rows = [tail.stdout.readline() for _ in range(25)]
    assert all("tracking_kind=click" in row for row in rows)
    tail.send_signal(signal.SIGINT)
    assert tail.wait(timeout=10) == 130
    tail.stdout.close()
