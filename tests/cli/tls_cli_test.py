"""The command line over TLS: flags, environment and profiles, and what it advises when it is not let in."""

import json
import os
import pathlib
import subprocess
import sys

import grpc
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import certificates  # noqa: E402
import key_listener  # noqa: E402
import live_server  # noqa: E402

KEY = "psk.id1.s3cret-s3cret"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    authority = certificates.Authority(folder)
    authority.issue("server")
    authority.issue("client")
    certificates.Authority(folder, "other")
    (folder / "api.key").write_text(KEY + "\n")
    return folder


@pytest.fixture(scope="module")
def server(files):
    options = ["--tls-cert", files / "server.pem", "--tls-key", files / "server.key"]
    with live_server.LiveServer(None, *options, "--tls-client-ca", files / "ca.pem", "--tls-require-client-cert") as running:
        yield running


@pytest.fixture(scope="module")
def plain_server():
    with live_server.LiveServer() as running:
        yield running


@pytest.fixture
def cli(tmp_path):
    """Runs the program with nothing in the environment but what is given; the key is never in what it prints."""

    def run(*arguments, code=0, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PASSERELLE_")}
        environment = {name: str(value) for name, value in environment.items()}
        done = subprocess.run(
            [live_server.find_program("passerelle"), *map(str, arguments)], capture_output=True, text=True,
            timeout=60, env={**kept, "HOME": str(tmp_path), "XDG_CONFIG_HOME": "", **environment})
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert "s3cret" not in done.stdout + done.stderr
        return done

    return run


def write_config(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def profile(name, **settings):
    return f"[profiles.{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items())


def tls(files):
    return ["--tls-ca", files / "ca.pem", "--tls-cert", files / "client.pem", "--tls-key", files / "client.key"]


def test_flags_speak_tls(cli, server, files):
    done = cli("--json", "--server", server.address, *tls(files), "--key-file", files / "api.key", "health")
    assert json.loads(done.stdout) == {"server": server.address, "status": "SERVING"}


def test_the_environment_speaks_tls(cli, server, files):
    cli("health", PASSERELLE_ADDRESS=server.address, PASSERELLE_CA_FILE=files / "ca.pem", PASSERELLE_API_KEY=KEY,
        PASSERELLE_CLIENT_CERT=files / "client.pem", PASSERELLE_CLIENT_KEY=files / "client.key")


def test_a_profile_speaks_tls_with_files_beside_it(cli, server, files, tmp_path):
    text = "default_profile = \"shop\"\n" + profile(
        "shop", address=server.address, instance="shop", tls_ca="ca.pem", tls_cert="client.pem", tls_key="client.key",
        key_file="api.key")
    text += profile("nowhere", address="127.0.0.1:1")
    config = write_config(files / "config.toml", text)
    cli("instances", "create", "shop", PASSERELLE_CONFIG=config)
    done = cli("--json", "instances", "usage", PASSERELLE_CONFIG=config)
    assert json.loads(done.stdout)["measures"]
    done = cli("--profile", "nowhere", "--timeout", "1", "health", code=5, PASSERELLE_CONFIG=config)
    assert "127.0.0.1:1" in done.stderr
    cli("--profile", "shop", "--server", "127.0.0.1:1", "--timeout", "1", "health", code=5, PASSERELLE_CONFIG=config)
    cli("--timeout", "1", "health", code=5, PASSERELLE_CONFIG=config, PASSERELLE_ADDRESS="127.0.0.1:1")
    cli("--server", server.address, "health", PASSERELLE_CONFIG=config, PASSERELLE_ADDRESS="127.0.0.1:1")
    cli("health", PASSERELLE_CONFIG=config, PASSERELLE_PROFILE="shop")


def test_the_config_file_is_found_in_the_home_and_in_xdg(cli, plain_server, tmp_path):
    text = "default_profile = \"here\"\n" + profile("here", address=plain_server.address)
    write_config(tmp_path / ".config/passerelle/config.toml", text)
    cli("health")
    write_config(tmp_path / "xdg/passerelle/config.toml", profile("here", address=plain_server.address))
    cli("--profile", "here", "health", XDG_CONFIG_HOME=tmp_path / "xdg")
    cli("--timeout", "1", "--server", "127.0.0.1:1", "health", code=5, XDG_CONFIG_HOME=tmp_path / "xdg")


@pytest.mark.parametrize(("text", "told"), [
    ("[profiles.p]\nkey = \"psk.id1.s3cret-s3cret\"\n", "profiles.p.key: an API key does not belong here"),
    ("[profiles.p]\nadress = \"x\"\n", "unknown setting profiles.p.adress"),
    ("[profiles.p]\naddress = [\"a\", \"b\"]\n", "profiles.p.address: wanted one text"),
    ("profile = \"p\"\n[profiles.p]\n", "unknown setting profile"),
    ("[profiles.q]\n", "has no profile p"),
])
def test_what_is_wrong_with_the_config_file_is_told(cli, tmp_path, text, told):
    config = write_config(tmp_path / "c.toml", text)
    done = cli("--profile", "p", "health", code=2, PASSERELLE_CONFIG=config)
    assert f"{config}: " in done.stderr and told in done.stderr


def test_a_config_file_that_is_named_and_absent_is_told(cli, tmp_path):
    absent = tmp_path / "absent.toml"
    assert f"{absent}: cannot be read" in cli("health", code=2, PASSERELLE_CONFIG=absent).stderr
    assert "no profile shop" in cli("--profile", "shop", "health", code=2).stderr


def test_every_failure_of_tls_says_what_to_do(cli, server, plain_server, files):
    secure, plain = ["--server", server.address], ["--server", plain_server.address]
    other = cli(*secure, "--tls-ca", files / "other.pem", "health", code=5).stderr
    assert "not trusted" in other and "--tls-ca FILE" in other
    closed = cli(*secure, "--timeout", "2", "health", code=5).stderr
    assert "may speak TLS only" in closed and "--tls-ca FILE" in closed
    wanted = cli(*secure, "--timeout", "2", "--tls-ca", files / "ca.pem", "health", code=5).stderr
    assert "may want a client certificate" in wanted and "--tls-cert and --tls-key" in wanted
    plaintext = cli(*plain, "--tls-ca", files / "ca.pem", "health", code=5).stderr
    assert "does not speak TLS" in plaintext and "leave out --tls-ca" in plaintext
    half = cli(*secure, "--tls-cert", files / "client.pem", "health", code=2).stderr
    assert "without its key" in half
    for told in (other, closed, wanted, plaintext, half):
        assert len(told.splitlines()) <= 2, told  # nothing of gRPC's own


def test_a_key_is_not_sent_to_another_machine_in_plaintext(cli, files):
    done = cli("--server", "192.0.2.1:7701", "--key-file", files / "api.key", "health", code=2)
    assert "in plaintext" in done.stderr and "--tls-ca" in done.stderr


@pytest.mark.parametrize(("code", "with_key", "advice"), [
    (grpc.StatusCode.UNAUTHENTICATED, False, "give an API key: --key-file FILE"),
    (grpc.StatusCode.UNAUTHENTICATED, True, "the server does not know the key"),
    (grpc.StatusCode.PERMISSION_DENIED, True, "the key may not do this"),
])
def test_not_let_in_says_what_to_do(cli, files, code, with_key, advice):
    with key_listener.KeyListener(code) as listener:
        key = ["--key-file", files / "api.key"] if with_key else []
        done = cli("--server", listener.address, *key, "health", code=1)
        assert advice in done.stderr
        assert listener.authorizations[-1] == ([f"Bearer {KEY}"] if with_key else [])


def test_help_says_why_there_is_no_flag_for_the_key(cli):
    told = " ".join(cli("--help").stdout.split())
    assert "there is no flag for the key, because ps would show it" in told
    cli("--key", KEY.replace("s3cret", "x"), "health", code=2)
