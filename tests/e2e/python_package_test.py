"""What the Python package has besides the loops: a server for its users' tests, a stop, and values of newer servers."""

import datetime
import os
import pathlib
import threading
import time

import live_server
import pytest

live_server.use_client()

import passerelle  # noqa: E402
import passerelle.testing  # noqa: E402
from passerelle import Row, columns  # noqa: E402
from passerelle.errors import name_of  # noqa: E402
from passerelle.v1 import instance_service_pb2, outcome_pb2  # noqa: E402


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("PASSERELLE_BIN", str(live_server.find_program("passerelled").parent))
    with passerelle.testing.Server() as running:
        yield running


def test_a_server_for_tests_serves_and_leaves_nothing(monkeypatch):
    monkeypatch.setenv("PASSERELLE_BIN", str(live_server.find_program("passerelled").parent))
    with passerelle.testing.Server() as server, server.connect() as client:
        result = client.import_profiles([Row({"external_id": "a"})], identities=["external_id"])
        assert result.counts == {"CREATED": 1}
        folder = server._folder
        assert "serving" in server.log() and folder.exists()
    assert not folder.exists()


def test_a_server_that_cannot_start_says_why(monkeypatch, tmp_path):
    there = str(live_server.find_program("passerelled").parent)
    monkeypatch.setenv("PASSERELLE_BIN", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no passerelled in"):
        passerelle.testing.Server()
    monkeypatch.setenv("PASSERELLE_BIN", there)
    with pytest.raises(RuntimeError, match="--short-threads"):
        passerelle.testing.Server("--short-threads", "-1")


def test_a_stop_ends_an_export_that_follows(server):
    stop = passerelle.Stop()
    with server.connect() as client:
        timer = threading.Timer(0.5, stop.set)
        timer.start()
        with pytest.raises(passerelle.PasserelleError) as failure:
            list(client.export_logs(follow=True, stop=stop))
        timer.join()
    assert failure.value.code.name == "CANCELLED"


def test_a_stop_ends_the_wait_for_a_server_that_is_away():
    stop = passerelle.Stop()
    with passerelle.connect("127.0.0.1:1") as client:
        timer = threading.Timer(0.5, stop.set)
        timer.start()
        begun = time.monotonic()
        with pytest.raises(passerelle.PasserelleError) as failure:
            client.import_profiles([Row({"external_id": "a"})], identities=["external_id"], stream="s", stop=stop, retry_for=600)
        timer.join()
    assert failure.value.code.name == "CANCELLED" and time.monotonic() - begun < 300


def test_a_stop_that_is_set_lets_nothing_begin(server):
    stop = passerelle.Stop()
    stop.set()
    with server.connect() as client:
        request = instance_service_pb2.GetInstanceRequest(name=client.instance)
        with pytest.raises(passerelle.PasserelleError) as failure:
            client.call(client.stubs.instances.GetInstance, request, stop=stop)
        assert failure.value.code.name == "CANCELLED"
        assert client.call(client.stubs.instances.GetInstance, request, stop=passerelle.Stop()).name == client.instance


def test_names_of_values_that_are_newer_than_the_client():
    assert name_of(outcome_pb2.Outcome, outcome_pb2.OUTCOME_CREATED, "OUTCOME_") == "CREATED"
    assert name_of(outcome_pb2.Outcome, 99, "OUTCOME_") == "99"


def test_moments_are_read_from_text_too():
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=datetime.timezone.utc)
    wanted = columns.to_microseconds(moment)
    for text in ("2026-01-02T03:04:05.123456Z", "2026-01-02T04:04:05.123456789+01:00"):
        assert columns.to_microseconds(text) == wanted
    assert columns.to_microseconds("2026-01-02T03:04:05.1Z") == wanted - 23_456
    assert columns.to_microseconds("1700000000000000") == columns.to_microseconds(1_700_000_000_000_000)
    with pytest.raises(ValueError):
        columns.to_microseconds("2026-13-02T03:04:05Z")


def test_the_service_config_goes_with_the_package():
    config = pathlib.Path(passerelle.__file__).parents[2] / "service_config.json"
    assert passerelle.client._service_config() == config.read_text()


def test_stubs_are_replaced_whole():
    """Who imports them while they are made again finds the old one or the new one."""
    import generate_stubs

    package = pathlib.Path(passerelle.__file__).parent
    with open(package / "v1" / "outcome_pb2.py") as before:
        text = before.read()
        generate_stubs.generate(package.parent)
        assert os.fstat(before.fileno()).st_nlink == 0, "it was written in its place"
    assert (package / "v1" / "outcome_pb2.py").read_text() == text
    assert list((package / "v1").glob(".generated-*")) == []
