"""Who may call what: the whole table, and what happens to credentials while calls are open."""

import pathlib
import re
import stat
import subprocess
import sys
import threading
import time

import pytest
from google.protobuf import timestamp_pb2

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from guarded_server import GuardedServer, bearer, grpc, live_server  # noqa: E402

import certificates  # noqa: E402
import passerelle  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    access_pb2,
    access_service_pb2,
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    log_service_pb2,
    log_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
)

PATIENCE_SECONDS = 60


def matrix(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([HERE / "matrix", *arguments], capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_method_lets_in_exactly_whom_it_declares():
    code, told = matrix()
    figures = re.search(r"methods=(\d+) credentials=(\d+) cells=(\d+) wrong=0$", told.strip())
    assert code == 0 and figures, told
    assert int(figures[1]) > 80 and int(figures[2]) > 10
    assert int(figures[3]) > int(figures[1]) * int(figures[2])


def test_a_role_with_a_scope_too_many_is_seen():
    code, told = matrix("--plant", "wide-role")
    assert code == 0 and "plant wide-role was caught" in told, told


@pytest.fixture(scope="module")
def server():
    with GuardedServer() as started:
        yield started


@pytest.fixture
def admin(server):
    with server.access() as access:
        yield access


def list_instances(access, key: str):
    stub = instance_service_pb2_grpc.InstanceServiceStub(access.channel)
    return stub.ListInstances.with_call(
        instance_service_pb2.ListInstancesRequest(), metadata=bearer(key), timeout=PATIENCE_SECONDS
    )


def refusal(call) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def test_the_first_key_is_private_and_told_nowhere_else(server, admin):
    path = pathlib.Path(server.data, "d.admin.key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    caller = admin.call("GetCaller", access_service_pb2.GetCallerRequest())
    assert caller.credential == "credentials/admin" and list(caller.roles) == ["roles/admin"]
    secret = server.admin_key().rpartition(".")[2]
    assert secret not in server.log() and str(path) in server.log()


def test_only_a_hash_of_a_secret_is_kept(server, admin):
    key = admin.create("kept-as-hash", ["analyst"])
    list_instances(admin, key)
    for path in pathlib.Path(server.data, "d").rglob("*"):
        if path.is_file():
            assert key.rpartition(".")[2].encode() not in path.read_bytes(), path
    assert key.rpartition(".")[2] not in server.log()


def test_a_rotated_key_is_taken_for_its_grace_and_a_third_is_not(admin):
    first = admin.create("turning", ["analyst"])
    rotate = access_service_pb2.RotateCredentialRequest(name="credentials/turning")
    rotate.grace.FromSeconds(3600)
    second = admin.call("RotateCredential", rotate).key
    for key in (first, second):
        list_instances(admin, key)
    rotate.ClearField("grace")
    third = admin.call("RotateCredential", rotate).key
    list_instances(admin, third)
    for key in (first, second):
        assert refusal(lambda key=key: list_instances(admin, key)).code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_grace_beyond_its_limit_is_refused_by_name(admin):
    admin.create("patient", ["analyst"])
    for seconds, nanos in ((-1, 0), (0, -1), (30 * 24 * 3600 + 1, 0), (30 * 24 * 3600, 1000), (2**62, 0)):
        rotate = access_service_pb2.RotateCredentialRequest(name="credentials/patient")
        rotate.grace.seconds, rotate.grace.nanos = seconds, nanos
        refused = refusal(lambda rotate=rotate: admin.call("RotateCredential", rotate))
        assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT, (seconds, nanos)
        assert "grace" in refused.details() and "30 days" in refused.details()


def test_a_stream_of_a_revoked_key_ends(admin):
    key = admin.create("follower", ["cdp"])
    stub = log_service_pb2_grpc.LogServiceStub(admin.channel)
    request = log_service_pb2.ExportLogsRequest(name="instances/default", follow=True)
    stream = stub.ExportLogs(request, metadata=bearer(key), timeout=PATIENCE_SECONDS)
    next(stream)  # the header: it follows now
    ended: list[grpc.RpcError] = []
    reading = threading.Thread(target=lambda: ended.append(refusal(lambda: [None for _ in stream])))
    reading.start()
    began = time.monotonic()
    assert admin.revoke("follower").state == access_pb2.Credential.STATE_REVOKED
    reading.join(timeout=PATIENCE_SECONDS)
    assert ended and ended[0].code() == grpc.StatusCode.UNAUTHENTICATED, ended
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert "revoked" in ended[0].details()


def test_a_stream_that_waits_ends_when_its_credential_expires(admin):
    key = admin.create("short", ["campaign"])
    stub = profile_service_pb2_grpc.ProfileServiceStub(admin.channel)
    open_ = profile_service_pb2.ImportProfilesRequest()
    open_.open.parent = "instances/default"
    open_.open.identity_namespaces.append("external_id")
    waits = threading.Event()

    def requests():
        yield open_
        waits.wait(PATIENCE_SECONDS)

    stream = stub.ImportProfiles(requests(), metadata=bearer(key), timeout=PATIENCE_SECONDS)
    assert next(stream).HasField("opened")
    ending = access_pb2.Credential(name="credentials/short")
    ending.expire_time.FromMilliseconds(int(time.time() * 1000) + 300)
    admin.call("UpdateCredential", access_service_pb2.UpdateCredentialRequest(credential=ending))
    error = refusal(lambda: next(stream))
    waits.set()
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED and "expired" in error.details(), error


def test_who_expires_makes_nobody_who_outlives_them(server, admin):
    soon = timestamp_pb2.Timestamp()
    soon.FromMilliseconds(int(time.time() * 1000) + 3_600_000)
    with server.access(admin.create("passing", ["admin"], expire_time=soon)) as passing:
        assert refusal(lambda: passing.create("permanent", ["cdp"])).code() == grpc.StatusCode.PERMISSION_DENIED
        longer = access_pb2.Credential(name="credentials/passing")
        update = access_service_pb2.UpdateCredentialRequest(credential=longer)
        update.update_mask.paths.append("expire_time")
        assert refusal(lambda: passing.call("UpdateCredential", update)).code() == grpc.StatusCode.PERMISSION_DENIED
        assert passing.create("shorter", ["cdp"], expire_time=soon).startswith("psk.shorter.")


def test_a_limited_caller_pages_over_its_own_instances(admin):
    stub = instance_service_pb2_grpc.InstanceServiceStub(admin.channel)
    for name in ("north", "oslo", "paris", "quito"):
        request = instance_service_pb2.CreateInstanceRequest(instance_id=name, instance=instance_pb2.Instance())
        stub.CreateInstance(request, metadata=admin.metadata, timeout=PATIENCE_SECONDS)
    own = [f"instances/{name}" for name in ("quito", "absent", "oslo")]
    metadata = bearer(admin.create("two", ["analyst"], instances=own))
    first = stub.ListInstances(instance_service_pb2.ListInstancesRequest(page_size=1), metadata=metadata)
    rest = stub.ListInstances(
        instance_service_pb2.ListInstancesRequest(page_size=1, page_token=first.next_page_token), metadata=metadata)
    assert [i.name for i in (*first.instances, *rest.instances)] == ["instances/oslo", "instances/quito"]
    assert rest.next_page_token == ""


def test_a_role_that_loses_a_scope_loses_it_at_once(admin):
    role = access_pb2.Role(scopes=[access_pb2.SCOPE_INSTANCES_READ, access_pb2.SCOPE_SCHEMA_READ])
    admin.call("CreateRole", access_service_pb2.CreateRoleRequest(role_id="reader", role=role))
    key = admin.create("one-reader", ["reader"])
    list_instances(admin, key)
    less = access_pb2.Role(name="roles/reader", scopes=[access_pb2.SCOPE_SCHEMA_READ])
    admin.call("UpdateRole", access_service_pb2.UpdateRoleRequest(role=less))
    assert refusal(lambda: list_instances(admin, key)).details() == "the caller lacks scope instances.read"
    in_use = refusal(lambda: admin.call("DeleteRole", access_service_pb2.DeleteRoleRequest(name="roles/reader")))
    assert in_use.code() == grpc.StatusCode.FAILED_PRECONDITION and "one-reader" in in_use.details()


def test_nobody_gives_what_they_do_not_hold(server, admin):
    role = access_pb2.Role(scopes=[access_pb2.SCOPE_ACCESS])
    admin.call("CreateRole", access_service_pb2.CreateRoleRequest(role_id="doorman", role=role))
    with server.access(admin.create("doorman", ["doorman"])) as doorman:
        assert refusal(lambda: doorman.create("mine", ["admin"])).code() == grpc.StatusCode.PERMISSION_DENIED
        rotate = access_service_pb2.RotateCredentialRequest(name="credentials/admin")
        assert refusal(lambda: doorman.call("RotateCredential", rotate)).code() == grpc.StatusCode.PERMISSION_DENIED
        assert refusal(lambda: doorman.revoke("admin")).code() == grpc.StatusCode.PERMISSION_DENIED
        wide = access_pb2.Role(name="roles/doorman", scopes=[access_pb2.SCOPE_ACCESS, access_pb2.SCOPE_PROFILES_READ])
        update = access_service_pb2.UpdateRoleRequest(role=wide)
        assert refusal(lambda: doorman.call("UpdateRole", update)).code() == grpc.StatusCode.PERMISSION_DENIED
        assert doorman.create("second", ["doorman"]).startswith("psk.second.")


def test_calls_beyond_the_rate_are_told_when_to_come_again(admin):
    key = admin.create("slow", ["analyst"], calls_per_second=2)
    _, first = list_instances(admin, key)
    told = dict(first.trailing_metadata())
    assert (told["ratelimit-limit"], told["ratelimit-remaining"], told["ratelimit-reset"]) == ("2", "1", "1")
    refused = None
    for _ in range(1000):  # more than two a second can be, however slow the machine
        try:
            list_instances(admin, key)
        except grpc.RpcError as error:
            refused = error
            break
    assert refused is not None and refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "2 calls per second" in refused.details()
    told = dict(refused.trailing_metadata())
    assert told["ratelimit-remaining"] == "0" and b"RetryInfo" in told["grpc-status-details-bin"]
    list_instances(admin, admin.create("other", ["analyst"]))  # not held up by it


def test_keys_outlive_a_restart_and_the_admin_key_is_made_once(tmp_path):
    with GuardedServer(str(tmp_path)) as first, first.access() as admin:
        key = admin.create("stays", ["analyst"])
        admin_key = first.admin_key()
        assert first.stop() == 0
    with GuardedServer(str(tmp_path)) as again, again.access(admin_key) as admin:
        list_instances(admin, key)
        assert again.admin_key() == admin_key and again.log().count("admin_key_made") == 1
        assert again.stop() == 0


def test_a_key_that_was_put_there_before_the_first_start_is_taken(tmp_path):
    path = tmp_path / "d.admin.key"
    path.write_text("psk.boss." + "A" * 43 + "\n")
    path.chmod(0o600)
    with GuardedServer(str(tmp_path)) as server, server.access() as admin:
        assert admin.call("GetCaller", access_service_pb2.GetCallerRequest()).credential == "credentials/boss"


def test_a_client_certificate_is_a_credential_by_its_name(tmp_path):
    authority = certificates.Authority(tmp_path)
    certificate, key = authority.issue("server")
    options = ["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.ca]
    with GuardedServer(str(tmp_path), *options) as server:
        admin_key = tmp_path / "admin.key"
        admin_key.write_text(server.admin_key())
        admin_key.chmod(0o600)
        with passerelle.connect(server.address, ca=authority.ca, key_file=admin_key) as admin:
            known = access_pb2.Credential(
                kind="KIND_CERTIFICATE", certificate_name="crm.example", roles=["roles/analyst"])
            request = access_service_pb2.CreateCredentialRequest(credential_id="crm", credential=known)
            assert admin.call(admin.stubs.access.CreateCredential, request).key == ""
        for name, lets_in in (("crm.example", True), ("other.example", False)):
            cert, cert_key = authority.issue(name, f"DNS:{name}")
            with passerelle.connect(server.address, ca=authority.ca, cert=cert, cert_key=cert_key) as client:
                def ask(client=client):
                    return client.call(client.stubs.access.GetCaller, access_service_pb2.GetCallerRequest())

                if lets_in:
                    assert ask().credential == "credentials/crm"
                else:
                    with pytest.raises(passerelle.PasserelleError) as refused:
                        ask()
                    assert refused.value.code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("text, mode, words", [
    ("nonsense", 0o600, "no key in it"),
    ("psk.boss." + "A" * 43, 0o644, "lets others in"),
])
def test_an_admin_key_file_that_is_none_stops_the_start(tmp_path, text, mode, words):
    path = tmp_path / "d.admin.key"
    path.write_text(text)
    path.chmod(mode)
    program = live_server.find_program("passerelled")
    done = subprocess.run([program, "--data", tmp_path / "d", "--listen", "127.0.0.1:0"], capture_output=True,
                          text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 1 and words in done.stderr and str(path) in done.stderr


def test_without_credentials_only_this_machine_is_served():
    program = live_server.find_program("passerelled")
    done = subprocess.run([program, "--data", "d", "--listen", "0.0.0.0:0", "--insecure-loopback"],
                          capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 2 and "--insecure-loopback" in done.stderr
