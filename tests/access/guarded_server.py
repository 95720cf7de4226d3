"""A server that asks for credentials, and the key of its first administrator."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import live_server  # noqa: E402

live_server.use_client()

import grpc  # noqa: E402
from passerelle.v1 import access_pb2, access_service_pb2, access_service_pb2_grpc  # noqa: E402

Credential = access_pb2.Credential


class GuardedServer(live_server.LiveServer):
    ACCESS = ()

    def admin_key(self) -> str:
        return pathlib.Path(self.data, "d.admin.key").read_text().strip()

    def access(self, key: str | None = None) -> "Access":
        return Access(self.address, key or self.admin_key())


def bearer(key: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {key}")]


class Access:
    """AccessService with one key."""

    def __init__(self, address: str, key: str):
        self.channel = grpc.insecure_channel(address)
        self.stub = access_service_pb2_grpc.AccessServiceStub(self.channel)
        self.metadata = bearer(key)

    def __enter__(self) -> "Access":
        return self

    def __exit__(self, *_) -> None:
        self.channel.close()

    def call(self, method, request):
        return getattr(self.stub, method)(request, metadata=self.metadata, timeout=60)

    def create(self, name: str, roles: list[str], **fields) -> str:
        """Makes a credential and returns its key."""
        credential = Credential(roles=[f"roles/{role}" for role in roles], **fields)
        request = access_service_pb2.CreateCredentialRequest(credential_id=name, credential=credential)
        return self.call("CreateCredential", request).key

    def revoke(self, name: str) -> Credential:
        return self.call("RevokeCredential", access_service_pb2.RevokeCredentialRequest(name=f"credentials/{name}"))
