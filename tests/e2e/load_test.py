"""tools/load: the profiles that ship run without an error, and the server holds what they say they sent."""

import json
import pathlib
import subprocess

import live_server
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = ROOT / "tools/load/run"
FLOWS = ["push", "update", "append", "members", "export"]


def run(*arguments):
    return subprocess.run([RUN, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def grpcurl(address, method, data):
    command = [ROOT / "build/bin/grpcurl", "-plaintext", "-d", json.dumps(data), address, f"passerelle.v1.{method}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def test_every_flow_is_driven_without_an_error_and_every_row_sent_is_there():
    with live_server.LiveServer() as server:
        done = run("--address", server.address, "--seconds", 1, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        figures = {figure["flow"]: figure for figure in json.loads(done.stdout)}
        assert list(figures) == FLOWS
        for flow, figure in figures.items():
            assert figure["errors"] == 0 and figure["calls"] > 0, (flow, figure)
            assert figure["p50_ms"] > 0, (flow, figure)
        report = grpcurl(server.address, "LogService/GetDeliveryReport", {"name": "instances/default/deliveries/load"})
        assert int(report["sent"]) == figures["append"]["rows_sent"] == 10 * figures["append"]["calls"]
        counted = grpcurl(server.address, "AudienceService/CountMembers", {"name": "instances/default/audiences/load"})
        assert 0 < int(counted["members"]) <= 1000


def test_without_an_address_it_starts_a_server_of_its_own_and_prints_a_table():
    done = run("--seconds", 1, "--flow", "members")
    assert done.returncode == 0, done.stdout + done.stderr
    heading, figures = done.stdout.splitlines()
    assert heading.split()[:3] == ["flow", "calls", "errors"]
    assert figures.split()[0] == "members" and figures.split()[2] == "0"


@pytest.mark.parametrize("address", ["cdp.example.com:7701", "192.0.2.1:7701", "127.0.0.1.example.com:1", "localhost.example.com:1"])
def test_another_machine_is_driven_only_if_that_is_said(address):
    done = run("--address", address)
    assert done.returncode == 2
    assert "is not this machine" in done.stderr and "--remote" in done.stderr


@pytest.mark.parametrize("seconds", [0, -1, 601])
def test_it_is_bounded_in_time(seconds):
    done = run("--seconds", seconds)
    assert done.returncode == 2
    assert f"got {seconds}, wanted 1 to 600" in done.stderr


def test_failed_calls_are_told_and_fail_it(tmp_path):
    """A key is wanted and none is given."""

    class WithKeys(live_server.LiveServer):
        ACCESS = ()

    with WithKeys() as server:
        refused = run("--address", server.address, "--seconds", 1, "--flow", "members")
        assert refused.returncode == 1
        assert "Unauthenticated" in refused.stderr + refused.stdout
        key = pathlib.Path(server.data, "d.admin.key")
        done = run("--address", server.address, "--seconds", 1, "--flow", "members", "--key-file", key)
        assert done.returncode == 0, done.stdout + done.stderr
