"""TLS of the server with the clients that people use: the Python package and grpcurl; and what refuses to start."""

import json
import os
import pathlib
import subprocess

import certificates
import key_listener
import live_server
import pytest

live_server.use_client()

import passerelle  # noqa: E402
from passerelle import Row, security  # noqa: E402
from passerelle.v1 import instance_service_pb2  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRPCURL = os.environ.get("PASSERELLE_GRPCURL", str(ROOT / "build/bin/grpcurl"))
KEY = "psk.id1.s3cret-s3cret"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue("server")


@pytest.fixture(scope="module")
def client_pair(authority):
    return authority.issue("crm", "DNS:crm.example")


@pytest.fixture(scope="module")
def server(authority, pair):
    options = ["--tls-cert", pair[0], "--tls-key", pair[1], "--tls-client-ca", authority.ca]
    with live_server.LiveServer(None, *options, "--tls-require-client-cert") as running:
        yield running


def get_instance(client):
    request = instance_service_pb2.GetInstanceRequest(name=client.instance)
    return client.call(client.stubs.instances.GetInstance, request, timeout=30)


def test_the_python_client_gets_through_with_a_client_certificate(server, authority, client_pair):
    cert, cert_key = client_pair
    with passerelle.connect(server.address, ca=authority.ca, cert=cert, cert_key=cert_key, key=KEY) as client:
        client.create_attribute("city", "STRING")
        rows = [Row({"external_id": str(i)}, {"city": "Lyon"}) for i in range(300)]
        result = client.import_profiles(rows, identities=["external_id"], fields=["city"], stream="tls")
        assert result.counts == {"CREATED": 300}


def test_the_python_client_is_refused_without_one_and_by_another_ca(server, authority, tmp_path):
    other = certificates.Authority(tmp_path, "other").ca
    for ca in (authority.ca, other):
        with passerelle.connect(server.address, ca=ca) as client, pytest.raises(passerelle.PasserelleError) as failure:
            get_instance(client)
        assert failure.value.code.name == "UNAVAILABLE"


def test_grpcurl_gets_through_and_lists_the_services(server, authority, client_pair):
    assert pathlib.Path(GRPCURL).exists(), "grpcurl is not installed: run tools/setup --for check"
    cert, cert_key = client_pair
    tls = ["-cacert", authority.ca, "-cert", cert, "-key", cert_key]
    listed = subprocess.run([GRPCURL, *tls, server.address, "list"], capture_output=True, text=True, timeout=60)
    assert "passerelle.v1.InstanceService" in listed.stdout, listed.stderr
    health = [GRPCURL, *tls, server.address, "grpc.health.v1.Health/Check"]
    done = subprocess.run(health, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == {"status": "SERVING"}
    for refused in (["-plaintext"], ["-cacert", authority.ca], ["-cert", cert, "-key", cert_key]):
        command = [GRPCURL, "-connect-timeout", "2", *refused, server.address, "list"]
        assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0, refused


def test_the_key_goes_with_every_kind_of_call(pair, authority):
    for certificate, ca in ((None, None), (pair, authority.ca)):
        with key_listener.KeyListener(certificate=certificate) as listener:
            with passerelle.connect(listener.address, key=KEY, ca=ca) as client:
                with pytest.raises(passerelle.PasserelleError) as failure:
                    get_instance(client)
                assert failure.value.code.name == "UNAUTHENTICATED"
                with pytest.raises(passerelle.PasserelleError):
                    client.import_profiles([Row({"external_id": "1"})], identities=["external_id"])
                with pytest.raises(passerelle.PasserelleError):
                    list(client.export_logs())
            assert listener.authorizations == [[f"Bearer {KEY}"]] * 3


def test_a_key_does_not_leave_the_machine_in_plaintext_and_is_never_shown(tmp_path):
    for address in ("192.0.2.1:7701", "cdp.example.com:7701", "127.0.0.1.example.com:1"):
        with pytest.raises(ValueError, match="in plaintext") as refusal:
            passerelle.connect(address, key=KEY)
        assert "s3cret" not in str(refusal.value)
    for wrong in ("s3cret", "psk.id", "psk.id.s3 cret"):
        with pytest.raises(ValueError, match=r"wanted psk\.ID\.SECRET") as refusal:
            passerelle.connect("127.0.0.1:1", key=wrong)
        assert "s3" not in str(refusal.value)
    master = tmp_path / "data.key"
    master.write_text("0" * 64)
    with pytest.raises(ValueError, match="no API key"):
        passerelle.connect("127.0.0.1:1", key_file=master)
    assert "s3cret" not in repr(security.Security(key=KEY))


def test_only_addresses_of_this_machine_are_local():
    local = "127.0.0.1:1 localhost:7701 LOCALHOST [::1]:7 ::1 unix:a unix:///run/p dns:///localhost:1 dns:localhost:1"
    for target in [*local.split(), "ipv4:127.0.0.1:1,127.0.0.2:2", "ipv6:[::1]:1"]:
        assert security.is_local(target), target
    others = "10.0.0.1:1 example.com 127.0.0.1:1,10.0.0.1:1 dns://192.0.2.1/localhost:1 localhost.example.com:1"
    for target in ["", *others.split(), "[::ffff:127.0.0.1]:1", "xds:///localhost"]:
        assert not security.is_local(target), target


def test_the_environment_is_read_only_without_an_address(monkeypatch, tmp_path):
    key_file = tmp_path / "api.key"
    key_file.write_text(KEY + "\n")
    with key_listener.KeyListener() as listener:
        monkeypatch.setenv("PASSERELLE_ADDRESS", listener.address)
        monkeypatch.setenv("PASSERELLE_API_KEY_FILE", str(key_file))
        for client in (passerelle.connect(), passerelle.connect(listener.address)):
            with client, pytest.raises(passerelle.PasserelleError):
                get_instance(client)
        assert listener.authorizations == [[f"Bearer {KEY}"], []]


def test_a_server_name_can_be_given(authority):
    certificate = authority.issue("named", "DNS:cdp.example.com")
    with key_listener.KeyListener(certificate=certificate) as listener:
        for name, code in ((None, "UNAVAILABLE"), ("cdp.example.com", "UNAUTHENTICATED")):
            with passerelle.connect(listener.address, ca=authority.ca, server_name=name) as client:
                with pytest.raises(passerelle.PasserelleError) as failure:
                    get_instance(client)
            assert failure.value.code.name == code


def test_bad_files_are_told_by_check_config_and_at_the_start(pair, tmp_path):
    certificate, key = pair
    open_key = tmp_path / "open.key"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o644)
    for check, code in ((["--check-config"], 2), ([], 1)):
        command = [live_server.find_program("passerelled"), "--data", tmp_path / "d", "--listen", "127.0.0.1:0", *check]
        command += ["--tls-cert", certificate, "--tls-key", open_key]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code
        assert f"--tls-key: {open_key}: mode 0644 lets others in, wanted 0600 (chmod 600)" in done.stderr
    assert not (tmp_path / "d").exists()
