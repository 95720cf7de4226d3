"""The table of methods and credentials, and what each cell should be."""

import dataclasses
import time

import guarded_server
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from guarded_server import bearer
from passerelle.v1 import (
    access_pb2,
    access_service_pb2,
    activation_service_pb2,
    audience_service_pb2,
    audience_sync_service_pb2,
    audit_service_pb2,
    destination_service_pb2,
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    log_service_pb2,
    maintenance_service_pb2,
    privacy_service_pb2,
    profile_service_pb2,
    profile_sync_service_pb2,
    source_service_pb2,
    stream_service_pb2,
    suppression_service_pb2,
)

FILES = (
    access_service_pb2,
    activation_service_pb2,
    audience_service_pb2,
    audience_sync_service_pb2,
    audit_service_pb2,
    destination_service_pb2,
    instance_service_pb2,
    log_service_pb2,
    maintenance_service_pb2,
    privacy_service_pb2,
    profile_service_pb2,
    profile_sync_service_pb2,
    source_service_pb2,
    stream_service_pb2,
    suppression_service_pb2,
)
NAMING = ("name", "parent", "destination", "instance", "audience", "stream", "profile")
OWN, HIDDEN, ABSENT = "own", "hidden", "absent"  # the last two as long as each other
ABOUT_ONESELF = ("GetCaller", "ListInstances")
PATIENCE_SECONDS = 60
UNAUTHENTICATED, DENIED, NOT_FOUND = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
)


@dataclasses.dataclass
class Method:
    service: str
    descriptor: object
    streams_in: bool
    streams_out: bool

    @property
    def name(self) -> str:
        return self.descriptor.name

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"

    @property
    def scope(self) -> int:
        return self.descriptor.GetOptions().Extensions[access_pb2.scope]

    @property
    def whole_store(self) -> bool:
        return self.descriptor.GetOptions().Extensions[access_pb2.whole_store]

    def request(self, instance: str) -> tuple[bytes, bool]:
        """One that names this instance wherever it can name one, and whether it can."""
        message = message_factory.GetMessageClass(self.descriptor.input_type)()
        named = fill_with(message, f"instances/{instance}", depth=3)
        return message.SerializeToString(), named


def fill_with(message, name: str, depth: int) -> bool:
    named = False
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            continue
        if field.type == field.TYPE_STRING and field.name in NAMING:
            setattr(message, field.name, name)
            named = True
        elif field.type == field.TYPE_MESSAGE and depth > 1 and field.message_type.full_name.startswith("passerelle."):
            inner = type(getattr(message, field.name))()
            if fill_with(inner, name, depth - 1):
                getattr(message, field.name).CopyFrom(inner)
                named = True
        if named:
            break
    return named


def all_methods() -> list[Method]:
    methods = []
    for module in FILES:
        proto = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(proto)
        for service in proto.service:
            full = f"{proto.package}.{service.name}"
            described = descriptor_pool.Default().FindServiceByName(full)
            for method in service.method:
                found = described.FindMethodByName(method.name)
                methods.append(Method(full, found, method.client_streaming, method.server_streaming))
    return methods


def call(channel: grpc.Channel, method: Method, request: bytes, metadata) -> tuple[grpc.StatusCode, str]:
    """The status of one call with one message."""
    kind = ("stream" if method.streams_in else "unary") + "_" + ("stream" if method.streams_out else "unary")
    invoke = getattr(channel, kind)(method.path)
    asked = iter([request]) if method.streams_in else request
    try:
        answer = invoke(asked, metadata=metadata, timeout=PATIENCE_SECONDS)
        for _ in answer if method.streams_out else []:
            pass
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


@dataclasses.dataclass
class Kind:
    """A kind of credential: its header, and the scopes it holds; None: it is not known."""

    name: str
    metadata: list
    scopes: set | None = None
    limited: bool = False


class Matrix:
    def __init__(self, plant: str = ""):
        self.plant = plant
        self.wrong: list[str] = []
        self.lines: list[str] = []
        self.methods = self.credentials = self.called = 0

    def run(self) -> None:
        with guarded_server.GuardedServer() as server, server.access() as admin:
            instances = instance_service_pb2_grpc.InstanceServiceStub(admin.channel)
            for name in (OWN, HIDDEN):
                request = instance_service_pb2.CreateInstanceRequest(instance_id=name, instance=instance_pb2.Instance())
                instances.CreateInstance(request, metadata=admin.metadata, timeout=60)
            kinds = self._make(admin)
            methods = all_methods()
            self.methods, self.credentials = len(methods), len(kinds)
            for method in methods:
                for kind in kinds:
                    self._check(admin.channel, method, kind)

    def table(self) -> list[str]:
        return self.lines

    def _make(self, admin: guarded_server.Access) -> list[Kind]:
        roles = admin.call("ListRoles", access_service_pb2.ListRolesRequest()).roles
        kinds = [Kind("none", []), Kind("malformed", bearer("psk.short"))]
        kinds.append(Kind("basic", [("authorization", "Basic eA==")]))
        good = admin.create("somebody", ["admin"])
        kinds.append(Kind("unknown", bearer(good.replace("somebody", "nobody"))))
        kinds.append(Kind("wrong-secret", bearer(good[:-2] + ("AA" if good[-2:] != "AA" else "QA"))))
        kinds.append(Kind("revoked", bearer(admin.create("revoked", ["admin"]))))
        admin.revoke("revoked")
        kinds.append(Kind("expired", bearer(self._make_expired(admin))))
        for role in roles:
            name = role.name.removeprefix("roles/")
            made = name
            if self.plant == "wide-role" and name == "analyst":
                scopes = [*role.scopes, access_pb2.SCOPE_PROFILES_READ]
                wide = access_service_pb2.CreateRoleRequest(role_id="wide", role=access_pb2.Role(scopes=scopes))
                admin.call("CreateRole", wide)
                made = "wide"
            kinds.append(Kind(name, bearer(admin.create(f"a-{name}", [made])), set(role.scopes)))
        everything = set(next(role.scopes for role in roles if role.name == "roles/admin"))
        limited = admin.create("limited", ["admin"], instances=[f"instances/{OWN}"])
        kinds.append(Kind("limited", bearer(limited), everything, limited=True))
        return kinds

    def _make_expired(self, admin: guarded_server.Access) -> str:
        soon = timestamp_pb2.Timestamp()
        soon.FromMilliseconds(int(time.time() * 1000) + 300)
        key = admin.create("expired", ["admin"], expire_time=soon)
        name = access_service_pb2.GetCredentialRequest(name="credentials/expired")
        give_up = time.monotonic() + PATIENCE_SECONDS
        while admin.call("GetCredential", name).state != access_pb2.Credential.STATE_EXPIRED:
            assert time.monotonic() < give_up, "it does not expire"
            time.sleep(0.05)
        return key

    def _check(self, channel: grpc.Channel, method: Method, kind: Kind) -> None:
        absent, names_one = method.request(ABSENT)
        got = call(channel, method, absent, kind.metadata)
        self._tell(method, kind, "absent", got, self._is_right(method, kind, got[0], names_one))
        if kind.limited and names_one and not method.whole_store:
            hidden, _ = method.request(HIDDEN)
            seen = call(channel, method, hidden, kind.metadata)
            alike = (seen[0], seen[1].replace(HIDDEN, ABSENT)) == got and len(seen[1]) == len(got[1])
            self._tell(method, kind, "hidden", seen, alike)
            own, _ = method.request(OWN)
            self._tell(method, kind, "own", entered := call(channel, method, own, kind.metadata),
                       entered[0] not in (UNAUTHENTICATED, DENIED) and HIDDEN not in entered[1])

    def _is_right(self, method: Method, kind: Kind, code: grpc.StatusCode, names_one: bool) -> bool:
        if method.scope == access_pb2.SCOPE_UNSPECIFIED:
            return False
        if kind.scopes is None:
            return code == UNAUTHENTICATED
        if method.scope != access_pb2.SCOPE_NONE and method.scope not in kind.scopes:
            return code == DENIED
        if kind.limited and method.whole_store:
            return code == DENIED
        if kind.limited and method.name not in ABOUT_ONESELF:
            return code == (NOT_FOUND if names_one else DENIED)
        return code not in (UNAUTHENTICATED, DENIED)

    def _tell(self, method: Method, kind: Kind, instance: str, got, right: bool) -> None:
        self.called += 1
        verdict = "" if right else "  WRONG"
        line = f"{method.path} {kind.name} {instance}: {got[0].name} {got[1][:80]}{verdict}"
        self.lines.append(line)
        if not right:
            self.wrong.append(line)
