"""The command line against a real server: every command, files that are wrong, interruptions."""

import gzip
import json
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BIN, ROWS, Server


def test_health_is_told(ask):
    assert ask("health")["status"] == "SERVING"


def test_nobody_there_is_exit_5_and_says_where(cli):
    done = cli("--server", "127.0.0.1:1", "--timeout", "1", "health", code=5)
    assert "127.0.0.1:1" in done.stderr


def test_wrong_usage_is_exit_2(cli):
    cli("fly", code=2)
    cli("import", code=2)


def test_instances_are_made_changed_and_deleted(cli, ask):
    ask("instances", "create", "shop", "--time-zone", "Europe/Paris", "--phone-region", "FR")
    assert ask("instances", "get", "shop")["default_phone_region"] == "FR"
    assert ask("instances", "update", "shop", "--display-name", "Shop")["display_name"] == "Shop"
    assert ask("instances", "get", "shop")["time_zone"] == "Europe/Paris"
    assert any(i["name"] == "instances/shop" for i in ask("instances", "list")["instances"])
    assert any(m["name"] == "profiles" for m in ask("instances", "usage", "shop")["measures"])
    ask("instances", "delete", "shop")
    assert "RESOURCE_NOT_FOUND" in cli("instances", "get", "shop", code=4).stderr


def test_attributes_and_namespaces_are_made_and_deleted(cli, ask):
    made = ask("attributes", "create", "news", "--type", "bool", "--consent-channel", "email",
               "--consent-purpose", "newsletter", "--opt-in-required", "--personal")
    assert made["consent"]["purpose"] == "newsletter" and made["personal"]
    assert ask("attributes", "update", "news", "--read-only")["read_only_for_sync"]
    assert ask("attributes", "get", "news")["personal"]
    assert "news" in cli("attributes", "list").stdout
    ask("attributes", "delete", "news")
    assert "--type" in cli("attributes", "create", "x", "--type", "text", code=2).stderr
    ask("namespaces", "create", "crm", "--kind", "person", "--normalization", "trim")
    assert "crm" in cli("namespaces", "list").stdout
    ask("namespaces", "delete", "crm")


def test_a_file_is_imported_once_and_types_are_found(ask, people, imported):
    again = ask("import", people, "--create-attributes", "--stream", "people")
    assert (again["received"], again["already_known"]) == (0, ROWS)
    assert again["totals"] == {"CREATED": ROWS}
    types = {a["name"].split("/")[-1]: a["type"] for a in ask("attributes", "list")["attributes"]}
    assert types["age"] == "ATTRIBUTE_TYPE_INT64" and types["city"] == "ATTRIBUTE_TYPE_STRING"


def test_profiles_are_looked_up_listed_and_deleted(cli, ask, imported):
    found = ask("profiles", "lookup", "email", "P7@example.com")
    assert found["attributes"]["city"] == "City, 0"
    assert ask("profiles", "get", found["name"])["name"] == found["name"]
    assert len(ask("profiles", "list", "--limit", "5")["profiles"]) == 5
    cli("import", "-", "--format", "csv", text="external_id\ngoes\n")
    goes = ask("profiles", "lookup", "external_id", "goes")
    ask("profiles", "delete", goes["name"].split("/")[-1])
    cli("profiles", "lookup", "external_id", "goes", code=4)


def test_the_same_command_on_the_same_file_goes_on_and_says_so(cli, tmp_path):
    path = tmp_path / "three.csv"
    path.write_text("external_id\nn1\nn2\nn3\n")
    assert "3 received" in cli("import", path).stdout
    again = cli("import", path).stdout
    assert "0 received, 3 known before" in again and "nothing doubled" in again


def test_gzip_ndjson_crlf_mark_and_quoted_breaks_are_read(ask, tmp_path, imported):
    path = tmp_path / "odd.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfexternal_id,city\r\n"
                                   b"q1,\"two\r\nlines, \"\"quoted\"\"\"\r\nq2,\r\nq3,\"\"\r\n"))
    assert ask("import", path)["outcomes"] == {"CREATED": 3}
    city = ask("profiles", "lookup", "external_id", "q1")["attributes"]["city"]
    assert city == "two\r\nlines, \"quoted\""
    assert "city" not in ask("profiles", "lookup", "external_id", "q2")["attributes"]
    assert ask("profiles", "lookup", "external_id", "q3")["attributes"]["city"] == ""
    lines = tmp_path / "more.ndjson"
    lines.write_text('{"external_id": "j1", "age": 5}\n{"external_id": "q1", "city": null}\n')
    assert ask("import", lines)["outcomes"] == {"CREATED": 1, "UPDATED": 1}
    assert "city" not in ask("profiles", "lookup", "external_id", "q1")["attributes"]


@pytest.mark.parametrize("text, words", [
    ("external_id,age\n1\n", ":2: 1 values, wanted 2 as in the header: column 'age'"),
    ("external_id,age\n1,2,3\n", ":2: 3 values"),
    ("external_id,age\n1,\"open\n", "never closed"),
    ("name,age\nx,1\n", "no column is named like an identity namespace"),
    ("external_id,external_id\n1,2\n", "comes twice"),
    ("", "is empty"),
    ("external_id,age\r1,2\r", "lines end with CR alone"),
    ("\0e\0x", "is UTF-16"),
])
def test_a_wrong_file_is_named_with_its_line(cli, tmp_path, imported, text, words):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    assert words in cli("import", path, code=2).stderr


def test_more_fields_of_the_same_file_are_a_new_stream_and_others_are_told(cli, ask, tmp_path):
    path = tmp_path / "growing.csv"
    path.write_text("external_id,colour\ng1,red\n")
    first = cli("import", path)
    assert "columns ignored: colour (no such attribute; --create-attributes makes them)" in \
        first.stderr
    assert "columns ignored" not in cli("--quiet", "import", path).stderr
    ask("attributes", "create", "colour", "--type", "string")
    assert ask("import", path)["outcomes"] == {"UPDATED": 1}
    assert ask("import", path)["received"] == 0
    assert ask("profiles", "lookup", "external_id", "g1")["attributes"]["colour"] == "red"


def test_columns_named_like_a_namespace_stay_identities(cli, ask, tmp_path):
    path = tmp_path / "ids.csv"
    path.write_text("id,Email,Shoe Size\nn9,n9@example.com,42\n")
    done = cli("import", path, "--identity", "external_id=id", "--all-columns",
               "--create-attributes")
    assert "attribute shoe_size: created, int64" in done.stderr
    assert ask("profiles", "lookup", "email", "n9@example.com")["attributes"]["shoe_size"] == 42
    assert ask("attributes", "get", "shoe_size")["display_name"] == "Shoe Size"
    cli("attributes", "get", "email", code=4)


def test_columns_that_would_become_one_attribute_are_named_before_anything_is_made(cli, tmp_path):
    path = tmp_path / "clash.csv"
    path.write_text("external_id,Hat Size,hat-size\nn8,1,2\n")
    done = cli("import", path, "--create-attributes", code=2)
    assert "'Hat Size' and 'hat-size' both become attribute 'hat_size'" in done.stderr
    cli("attributes", "get", "hat_size", code=4)


def test_a_replace_without_rows_wants_to_be_asked_for(cli, ask, activated, tmp_path):
    path = tmp_path / "none.csv"
    path.write_text("external_id\n")
    assert "--allow-empty" in cli("replace", "cdp", path, "--audience", "B", code=2).stderr
    assert "replace: wanted" in cli("replace", "cdp", path, code=2).stderr


def test_a_consent_without_its_channel_is_refused_by_name(cli):
    cli("attributes", "create", "half", "--type", "bool", "--opt-in-required", code=2)
    done = cli("destinations", "create", "odd", "--type", "profile-sync", "--map", "x", code=2)
    assert "SOURCE=ATTRIBUTE" in done.stderr


def test_unknown_columns_and_attributes_are_named(cli, people):
    assert "'citty'" in cli("import", people, "--map", "city=citty", code=2).stderr
    assert "'hobby'" in cli("import", people, "--map", "hobby=city", code=2).stderr
    assert "--format" in cli("import", BIN / "passerelle", code=2).stderr
    cli("import", "no_such.csv", code=4)


def test_bad_rows_fail_alone_and_strict_tells(ask, cli, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("external_id,email\nb1,not an address\nb2,b2@example.com\n")
    done = ask("import", path, "--stream", "bad", "--strict", code=3)
    assert done["outcomes"] == {"REJECTED": 1, "CREATED": 1}
    rows = ask("streams", "outcomes", "bad")["rows"]
    assert [r["reason"] for r in rows] == ["ROW_REASON_MALFORMED_EMAIL"]
    assert "malformed-email" in cli("streams", "outcomes", "bad").stdout
    assert len(ask("outcomes", "bad", "--outcome", "rejected", "--reason", "malformed-email")["rows"]) == 1
    assert ask("outcomes", "bad", "--field", "phone")["rows"] == []
    listed = tmp_path / "refused.csv"
    cli("outcomes", "bad", "--out", listed)
    assert listed.read_text().splitlines()[1].startswith("1,0,")
    assert "--outcome" in cli("outcomes", "bad", "--outcome", "lost", code=2).stderr
    assert ask("streams", "get", "bad")["finished"]
    ask("streams", "delete", "bad")
    cli("streams", "get", "bad", code=4)


def test_memberships_are_pushed_counted_and_streamed(cli, ask, activated, people, tmp_path):
    assert ask("audiences", "count", "seg-a", "--reach", "email")["members"] == str(ROWS // 2)
    out, since = tmp_path / "a.csv", tmp_path / "a.token"
    whole = ("members", "seg-a", "--reach", "email", "--attributes", "city,age", "--out", out,
             "--since-file", since)
    cli(*whole)
    lines = out.read_text().splitlines()
    assert lines[0] == "profile,external_id,city,age,qualification_time"
    assert len(lines) == ROWS // 2 + 1
    leaves = tmp_path / "leaves.csv"
    leaves.write_text("external_id,status\n2,exited\n")
    assert ask("push", "cdp", leaves, "--audience", "A", "--status-column",
               "status")["outcomes"] == {"EXITED": 1}
    cli(*whole)
    gone = ask("profiles", "lookup", "external_id", "2")["name"].split("/")[-1]
    told = [row.split(",") for row in out.read_text().splitlines()[1:]]
    assert [(row[0], row[-1]) for row in told] == [(gone, "exited")]
    shown = cli("members", "seg-b", "--reach", "email", "--format", "ndjson").stdout
    assert len([json.loads(row) for row in shown.splitlines()]) == ROWS // 2


def test_an_audience_is_replaced_as_a_whole(ask, activated, tmp_path):
    path = tmp_path / "whole.csv"
    path.write_text("external_id\n" + "\n".join(map(str, range(1, 101))) + "\n")
    assert ask("replace", "cdp", path, "--audience", "B")["finished"]
    assert ask("audiences", "count", "seg-b")["members"] == "100"
    again = ask("replace", "cdp", path, "--audience", "B")
    assert (again["received"], again["already_known"]) == (0, 100)


def test_audiences_are_made_and_deleted(cli, ask):
    ask("audiences", "create", "vip", "--display-name", "Very important")
    assert ask("audiences", "get", "vip")["kind"] == "KIND_LIST"
    assert "vip" in cli("audiences", "list").stdout
    ask("audiences", "delete", "vip")


def test_profiles_are_synced_within_the_scope_of_a_destination(cli, ask, activated, tmp_path):
    ask("destinations", "create", "crm", "--type", "profile-sync", "--audience", "A=seg-a",
        "--map", "town=city,trim,set")
    path = tmp_path / "towns.csv"
    path.write_text("external_id,town\n4, Lyon \n5,Nice\nnobody,Metz\n")
    done = ask("sync", "crm", path, "--stream", "towns")
    assert done["outcomes"] == {"NOT_FOUND": 1, "OUT_OF_SCOPE": 1, "UPDATED": 1}
    assert ask("profiles", "lookup", "external_id", "4")["attributes"]["city"] == "Lyon"
    assert ask("sync", "crm", path, "--stream", "towns-2")["outcomes"]["UNCHANGED"] == 1
    assert ask("sync", "crm", path, "--stream", "towns")["received"] == 0
    assert "does not map 'town'" in cli("sync", "cdp", path, "--map", "town=town", code=2).stderr
    ask("destinations", "pause", "crm")
    assert "resume" in cli("sync", "crm", path, "--stream", "towns-3", code=1).stderr
    ask("destinations", "resume", "crm")
    ask("destinations", "update", "crm", "--map", "town=city", "--display-name", "CRM")
    assert ask("destinations", "get", "crm")["display_name"] == "CRM"
    assert "NOT_PAUSED" in cli("destinations", "delete", "crm", code=1).stderr
    ask("destinations", "pause", "crm")
    ask("destinations", "delete", "crm")


def test_a_file_that_is_written_anew_stays_until_the_new_one_is_whole(cli, activated, tmp_path):
    out = tmp_path / "kept.csv"
    out.write_text("before\n")
    cli("members", "nobody", "--reach", "email", "--out", out, code=4)
    assert out.read_text() == "before\n" and not out.with_name("kept.csv.part").exists()
    cli("members", "seg-a", "--reach", "email", "--out", out)
    assert out.read_text().startswith("profile,") and not out.with_name("kept.csv.part").exists()


def test_messages_name_what_is_wrong(cli, ask, tmp_path, imported):
    assert "'fly' is no command" in cli("fly", code=2).stderr
    assert "created 2,000" in cli("streams", "list").stdout
    late = tmp_path / "late.ndjson"
    late.write_text('{"external_id": "z1"}\n' * 1_500 + '{"external_id": "z2", "city": "Metz"}\n')
    cli("import", late)
    assert ask("profiles", "lookup", "external_id", "z2")["attributes"]["city"] == "Metz"


def test_an_interrupted_import_goes_on_and_doubles_nothing(tmp_path):
    total = 150_000
    path = tmp_path / "many.csv"
    path.write_text("external_id\n" + "\n".join(f"m{i}" for i in range(total)) + "\n")
    server = Server(tmp_path)
    command = [BIN / "passerelle", "--server", server.address, "--json", "import", path]
    try:
        begun = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for_records(server, 1)
        begun.send_signal(signal.SIGINT)
        first = json.loads(begun.communicate(timeout=60)[0])
        assert begun.returncode == 130 and not first["finished"]
        assert 0 < first["received"] < total
        second = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert first["received"] + second["received"] == total
        assert second["already_known"] == first["received"]
        assert second["totals"] == {"CREATED": total}
    finally:
        server.stop()
        shutil.rmtree(tmp_path / "data")


def wait_for_records(server, wanted):
    for _ in range(600):
        done = subprocess.run([BIN / "passerelle", "--server", server.address, "--json", "streams",
                               "list"], capture_output=True, text=True, check=True)
        streams = json.loads(done.stdout)["write_streams"]
        if streams and int(streams[0]["next_offset"]) >= wanted:
            return
        time.sleep(0.02)
    raise AssertionError("nothing arrived")
