"""The Python package against a live server: installed as a user would, and its loops on bad days."""

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import grpc
import live_server
import pytest

live_server.use_client()

import passerelle  # noqa: E402
import passerelle.columns  # noqa: E402
import passerelle.ingest  # noqa: E402
from passerelle import Row  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    audience_service_pb2,
    delivery_pb2,
    destination_pb2,
    destination_service_pb2,
    ingest_pb2,
    instance_pb2,
    instance_service_pb2,
    log_entry_pb2,
    log_service_pb2,
    profile_pb2,
    profile_service_pb2,
    source_pb2,
    source_service_pb2,
    stream_service_pb2,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
Destination = destination_pb2.Destination


@pytest.fixture(scope="module")
def server():
    with live_server.LiveServer() as running:
        yield running


@pytest.fixture
def client(server):
    with passerelle.connect(server.address) as connected:
        yield connected


def create_attributes(client, **types):
    for name, kind in types.items():
        client.create_attribute(name, kind)


def create_destination(client, name, **fields):
    request = destination_service_pb2.CreateDestinationRequest(
        parent=client.instance, destination_id=name, destination=Destination(**fields)
    )
    client.call(client.stubs.destinations.CreateDestination, request)


def people(prefix, count):
    return [Row({"external_id": f"{prefix}-{i}"}, {"city": f"city {i % 7}"}) for i in range(count)]


def lookup(client, external_id):
    request = profile_service_pb2.LookupProfileRequest(
        parent=client.instance, identity=profile_pb2.Identity(namespace="external_id", value=external_id)
    )
    return client.call(client.stubs.profiles.LookupProfile, request)


def test_the_package_installs_and_its_example_runs(server, tmp_path):
    source = tmp_path / "repository"
    shutil.copytree(ROOT / "proto", source / "proto")
    shutil.copytree(ROOT / "client/python", source / "client/python", ignore=shutil.ignore_patterns("v1", "build"))
    shutil.copy(ROOT / "client/service_config.json", source / "client")
    package = source / "client/python"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "--target", tmp_path / "installed", package], check=True, timeout=120)
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, package / "examples/three_flows.py", server.address],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "synced: {'NOT_FOUND': 1, 'UPDATED': 2}" in done.stdout
        assert done.stdout.count("exported:") == 1
        time.sleep(1.1)  # the example names its things by the second


def test_every_type_of_value_goes_in_and_comes_out_the_same(client):
    create_attributes(
        client, t_s="STRING", t_i="INT64", t_d="DOUBLE", t_b="BOOL", t_t="TIMESTAMP", t_y="DATE", t_l="STRING_LIST"
    )
    moment = passerelle.columns.from_microseconds(1_700_000_000_123_456)
    values = {
        "t_s": "É, \"q\"\n",
        "t_i": -(2**63),
        "t_d": -0.5,
        "t_b": False,
        "t_t": moment,
        "t_y": moment.date(),
        "t_l": ["a", "", "ü"],
    }
    create_destination(
        client, "types", sync_type="SYNC_TYPE_AUDIENCE_SYNC", audiences=[destination_pb2.DestinationAudience(source_id="types")]
    )
    client.import_profiles([Row({"external_id": "typed"}, values)], identities=["external_id"], fields=list(values))
    client.push_members("types", [Row({"external_id": "typed"})], identities=["external_id"], audiences=["types"])
    (member,) = client.stream_members("types", "email", attributes=list(values))
    assert member.attributes == values


def test_null_clears_and_an_absent_field_is_left_alone(client):
    create_attributes(client, city="STRING", age="INT64")
    row = Row({"external_id": "nul"}, {"city": "Paris", "age": 3})
    client.import_profiles([row], identities=["external_id"], fields=["city", "age"])
    client.import_profiles([Row({"external_id": "nul"}, {"age": None})], identities=["external_id"], fields=["city", "age"])
    attributes = lookup(client, "nul").attributes
    assert attributes["city"].string_value == "Paris" and "age" not in attributes


def test_an_import_goes_on_after_the_server_was_killed(tmp_path):
    count = 60_000
    rows = people("killed", count)
    with live_server.LiveServer(str(tmp_path)) as server, passerelle.connect(server.address) as client:
        create_attributes(client, city="STRING")
        far_enough = threading.Event()

        def kill_it():
            assert far_enough.wait(30)
            server.kill()

        killer = threading.Thread(target=kill_it)
        killer.start()
        with pytest.raises(passerelle.PasserelleError) as failure:
            client.import_profiles(
                rows,
                identities=["external_id"],
                fields=["city"],
                stream="big",
                batch_records=500,
                retry_for=0.5,
                on_progress=lambda offset: far_enough.set() if offset >= count // 4 else None,
            )
        killer.join()
        assert failure.value.retryable
    with live_server.LiveServer(str(tmp_path)) as server, passerelle.connect(server.address) as client:
        result = client.import_profiles(rows, identities=["external_id"], fields=["city"], stream="big")
        assert result.total_records == count
        assert 0 < result.received < count
        assert dict(result.totals) == {"CREATED": count}
        request = instance_service_pb2.GetUsageRequest(name=client.instance)
        usage = client.call(client.stubs.instances.GetUsage, request)
        assert {m.name: m.used for m in usage.measures}["profiles"] == count
        assert server.stop() == 0


def test_other_content_under_the_same_stream_is_an_error_not_a_skip(client):
    create_attributes(client, city="STRING")
    rows = people("content", 10)
    client.import_profiles(rows[:5], identities=["external_id"], fields=["city"])
    request = profile_service_pb2.ImportProfilesRequest
    encode = passerelle.ingest.record_encoder(request.Batch, ["external_id"], {"city": instance_pb2.ATTRIBUTE_TYPE_STRING})
    opening = request.Open(
        parent=client.instance,
        stream=ingest_pb2.StreamOptions(stream="content"),
        identity_namespaces=["external_id"],
        fields=["city"],
    )
    changed = [Row({"external_id": "other"}, {"city": "elsewhere"})]
    messages = [request(open=opening), request(batch=encode(0, rows)), request(batch=encode(3, changed))]
    with pytest.raises(Exception) as failure:
        list(client.stubs.profiles.ImportProfiles(iter(messages)))
    assert passerelle.PasserelleError(failure.value).reason == "CONTENT_MISMATCH"


def test_a_shorter_source_than_the_stream_is_told(client):
    create_attributes(client, city="STRING")
    rows = people("short", 10)
    client.import_profiles(rows, identities=["external_id"], fields=["city"], stream="short")
    with pytest.raises(passerelle.PasserelleError) as failure:
        client.import_profiles(rows[:4], identities=["external_id"], fields=["city"], stream="short")
    assert failure.value.reason == "TOTAL_MISMATCH"


def test_bad_values_are_bad_rows_and_nothing_else(client):
    create_attributes(client, city="STRING", score="DOUBLE")
    fields = ["city", "score"]
    rows = [
        Row({"external_id": "good-1"}, {"city": "Paris"}, record_key="1"),
        Row({"external_id": "bad-1"}, {"city": b"\xff\xfe"}, record_key="2"),
        Row({"external_id": "bad-2"}, {"city": "a\0b"}, record_key="3"),
        Row({"external_id": "bad-3"}, {"city": "x" * 8_193}, record_key="4"),
        Row({"external_id": "bad-4"}, {"score": float("nan")}, record_key="5"),
        Row({"external_id": "bad-5", "email": "not an address"}, {}, record_key="6"),
        Row({}, {"city": "nobody"}, record_key="7"),
        Row({"external_id": "good-2"}, {"score": 1.5}, record_key="8"),
    ]
    result = client.import_profiles(rows, identities=["external_id", "email"], fields=fields, stream="bad-values")
    assert dict(result.counts) == {"CREATED": 2, "REJECTED": 6}
    told = [(row.record_key, passerelle.v1.outcome_pb2.RowReason.Name(row.reason)[11:], row.field) for row in result.rows]
    assert told == [
        ("2", "NOT_UTF8", "city"),
        ("3", "CONTAINS_NUL", "city"),
        ("4", "VALUE_TOO_LONG", "city"),
        ("5", "NOT_FINITE", "score"),
        ("6", "MALFORMED_EMAIL", "email"),
        ("7", "IDENTITY_MISSING", "identities"),
    ]
    request = stream_service_pb2.ListRowOutcomesRequest(parent=client.name("writeStreams", "bad-values"))
    kept = list(client.pages(client.stubs.streams.ListRowOutcomes, request, "rows"))
    assert [row.offset for row in kept] == [1, 2, 3, 4, 5, 6]
    assert all(len(row.record_key) == 32 for row in kept)


def test_a_replaced_audience_is_followed_by_an_incremental(client):
    client.import_profiles([Row({"external_id": f"r-{i}"}) for i in range(6)], identities=["external_id"])
    create_destination(
        client, "rep", sync_type="SYNC_TYPE_AUDIENCE_SYNC", audiences=[destination_pb2.DestinationAudience(source_id="rep")]
    )

    def rows(*numbers):
        return [Row({"external_id": f"r-{i}"}) for i in numbers]

    def push(numbers, **options):
        return client.push_members("rep", rows(*numbers), identities=["external_id"], audiences=["rep"], **options)

    push([0, 1, 2])
    full = client.stream_members("rep", "email")
    assert sorted(m.identities["external_id"] for m in full) == ["r-0", "r-1", "r-2"]
    result = push([1, 2, 3, 4], replace=True, stream="rep-1")
    assert dict(result.counts) == {"UNCHANGED": 2, "REALIZED": 2}
    again = push([1, 2, 3, 4], replace=True, stream="rep-1")
    assert (again.received, again.total_records) == (0, 4)
    changes = client.stream_members("rep", "email", since=full.end_token)
    assert sorted((m.identities["external_id"], m.change) for m in changes) == [
        ("r-0", "EXITED"),
        ("r-3", "ENTERED"),
        ("r-4", "ENTERED"),
    ]
    count = client.call(
        client.stubs.audiences.CountMembers,
        audience_service_pb2.CountMembersRequest(name=client.name("audiences", "rep")),
    )
    assert count.members == 4
    with pytest.raises(passerelle.PasserelleError) as refused:
        client.push_members(
            "rep",
            [*rows(1), Row({"external_id": "stranger"})],
            identities=["external_id"],
            audiences=["rep"],
            replace=True,
            stream="rep-2",
        )
    assert refused.value.reason == "REPLACE_REFUSED"
    count = client.call(
        client.stubs.audiences.CountMembers,
        audience_service_pb2.CountMembersRequest(name=client.name("audiences", "rep")),
    )
    assert count.members == 4


def test_an_opt_out_in_the_log_reaches_the_audience_within_a_second(client):
    client.create_attribute("sms_opt_in", "BOOL", instance_pb2.Consent(channel="sms"))
    delivery = delivery_pb2.Delivery(channel="sms")
    request = log_service_pb2.CreateDeliveryRequest(
        parent=client.instance, delivery_id="texts", delivery=delivery
    )
    client.call(client.stubs.logs.CreateDelivery, request)
    client.import_profiles([Row({"external_id": "opt"})], identities=["external_id"])
    row = log_entry_pb2.LogEntry(
        kind="LOG_KIND_TRACKING",
        delivery="texts",
        broadlog_id=1,
        tracking_log_id=1,
        tracking_kind="TRACKING_KIND_OPT_OUT",
        identity_namespace="external_id",
        identity="opt",
    )
    started = time.monotonic()
    result = client.append_logs([row], stream="opt-outs")
    request = profile_service_pb2.LookupProfileRequest(
        parent=client.instance,
        identity=profile_pb2.Identity(namespace="external_id", value="opt"),
        commit_token=result.commit_token,
    )
    profile = client.call(client.stubs.profiles.LookupProfile, request)
    assert time.monotonic() - started < 5
    assert profile.attributes["sms_opt_in"].bool_value is False
    assert "sms_opt_in" in profile.attributes


def test_a_consumer_whose_rows_are_rare_is_up_to_date_and_no_row_is_acknowledged_for_it(client):
    for name in ("rare", "often"):
        request = log_service_pb2.CreateDeliveryRequest(
            parent=client.instance, delivery_id=name, delivery=delivery_pb2.Delivery(channel="sms")
        )
        client.call(client.stubs.logs.CreateDelivery, request)
    source = source_pb2.Source(schema="LOG_KIND_DELIVERY", deliveries=["rare"])
    request = source_service_pb2.CreateSourceRequest(parent=client.instance, source_id="rare", source=source)
    client.call(client.stubs.sources.CreateSource, request)

    def append(delivery, number):
        row = log_entry_pb2.LogEntry(
            kind="LOG_KIND_DELIVERY", delivery=delivery, broadlog_id=number, status="DELIVERY_STATUS_SENT"
        )
        client.append_logs([row], stream=f"{delivery}-{number}")

    def consumer():
        name = client.name("sources", "rare", "consumers", "default")
        return client.call(client.stubs.sources.GetConsumer, source_service_pb2.GetConsumerRequest(name=name))

    def export(**where):
        return client.export_logs("rare", consumer="default", **where)

    append("often", 1)
    assert [len(batch.rows) for batch in export()] == [0]
    assert consumer().lag == 0
    told = consumer().acknowledge_time
    assert [len(batch.rows) for batch in export()] == [0]
    assert consumer().acknowledge_time == told, "its own acknowledgement is no news"
    append("rare", 2)
    (batch,) = [batch for batch in export() if batch.rows]
    append("often", 3)
    assert [len(later.rows) for later in export(cursor=batch.cursor)] == [0]
    assert [len(again.rows) for again in export() if again.rows] == [1]
    assert consumer().lag > 0, "nobody acknowledged the row"
    for batch in export():
        if batch.rows:
            batch.acknowledge()
    for batch in export():
        assert not batch.rows
    assert consumer().lag == 0


def test_errors_are_typed(client):
    with pytest.raises(passerelle.PasserelleError) as failure:
        client.import_profiles([Row({"external_id": "1"})], identities=["external_id"], fields=["no_such_field"])
    assert failure.value.reason == "UNKNOWN_ATTRIBUTE"
    assert failure.value.field_violations[0].field == "fields[0]"
    with pytest.raises(ValueError, match="record 1, age"):
        create_attributes(client, city="STRING", age="INT64")
        rows = [Row({"external_id": "1"}, {"age": 1}), Row({"external_id": "2"}, {"age": "old"})]
        client.import_profiles(rows, identities=["external_id"], fields=["age"])
    with pytest.raises(ValueError, match="record 0: 'emial' was not opened"):
        client.import_profiles([Row({"emial": "x"})], identities=["external_id"])
    nobody = passerelle.connect("127.0.0.1:1")
    with pytest.raises(passerelle.PasserelleError) as failure:
        nobody.call(nobody.stubs.instances.GetInstance, instance_service_pb2.GetInstanceRequest(name="instances/default"))
    assert failure.value.retryable


def test_an_acknowledgement_of_many_refused_rows_comes_in_parts_and_loses_none(client):
    names = [f"wide_{i}" for i in range(60)]
    create_attributes(client, **dict.fromkeys(names, "STRING"))
    old, new = 1_600_000_000_000_000, 1_700_000_000_000_000
    numbers = range(3_000)
    rows = [Row({"external_id": f"wide-{i}"}, dict.fromkeys(names, "x"), event_time=new) for i in numbers]
    client.import_profiles(rows, identities=["external_id"], fields=names, batch_records=1_000)
    late = [Row({"external_id": f"wide-{i}"}, dict.fromkeys(names, "y"), event_time=old) for i in numbers]
    result = client.import_profiles(
        late, identities=["external_id"], fields=names, stream="wide", batch_records=3_000
    )
    assert dict(result.counts) == {"STALE": 3_000}
    assert [row.offset for row in result.rows] == list(numbers)
    assert all(len(row.stale_fields) == 60 for row in result.rows)
    request = stream_service_pb2.ListRowOutcomesRequest(
        parent=client.name("writeStreams", "wide"), page_size=1_000
    )
    kept = list(client.pages(client.stubs.streams.ListRowOutcomes, request, "rows"))
    assert [row.offset for row in kept] == list(numbers)


class CutOff(grpc.RpcError):
    """What gRPC tells of a call whose server was stopped."""

    def code(self):
        return grpc.StatusCode.CANCELLED

    def details(self):
        return "CANCELLED"

    def trailing_metadata(self):
        return ()


def test_a_call_that_the_server_was_stopped_in_may_be_made_again():
    assert passerelle.PasserelleError(CutOff()).retryable
