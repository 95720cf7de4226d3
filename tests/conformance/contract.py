"""The API as the driver speaks it: messages and methods from the descriptors, without anybody's generated stubs."""

import functools
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(_descriptor_set()).file:
        pool.Add(file)
    return pool


def _descriptor_set() -> bytes:
    given = os.environ.get("PASSERELLE_DESCRIPTORS")
    if given:
        return pathlib.Path(given).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "passerelle.binpb")
        command = [sys.executable, ROOT / "tools" / "descriptor_set.py", out]
        subprocess.run(list(map(str, command)), check=True, timeout=PATIENCE_S)
        return out.read_bytes()


@functools.cache
def method(path: str) -> tuple[type, type, bool, bool]:
    """Of `passerelle.v1.LogService/ExportLogs`: the request, the response, whether each is a stream."""
    service, _, name = path.partition("/")
    found = _pool().FindServiceByName(service).FindMethodByName(name)
    return (
        message_factory.GetMessageClass(found.input_type),
        message_factory.GetMessageClass(found.output_type),
        found.client_streaming,
        found.server_streaming,
    )


def to_json(message: Any) -> dict:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def from_json(kind: type, value: dict) -> Any:
    return json_format.ParseDict(value, kind())


class Caller:
    """Calls of the driver itself. Thread-safe."""

    def __init__(self, address: str, key: str = "", ca: pathlib.Path | None = None, pair: tuple | None = None):
        if ca is None:
            self._channel = grpc.insecure_channel(address)
        else:
            key_pem, chain = (pair[1].read_bytes(), pair[0].read_bytes()) if pair else (None, None)
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes(), key_pem, chain))
        self._metadata = [("authorization", f"Bearer {key}")] if key else []

    def call(self, path: str, request: dict) -> dict:
        """The answer, or an `error`, as a runner would tell it."""
        kind, answer, _, _ = method(path)
        make = self._channel.unary_unary(f"/{path}", kind.SerializeToString, answer.FromString)
        try:
            return {"ok": {"response": to_json(
                make(from_json(kind, request), timeout=PATIENCE_S, wait_for_ready=True, metadata=self._metadata)
            )}}
        except grpc.RpcError as error:
            return {"error": _error(error)}

    def first_answer(self, path: str, request: dict) -> dict:
        """As `call`, of a stream: sends one message, takes the first answer, and hangs up."""
        kind, answer, _, _ = method(path)
        make = self._channel.stream_stream(f"/{path}", kind.SerializeToString, answer.FromString)
        held = threading.Event()  # the client's side stays open until the answer is there

        def requests() -> Iterator[Any]:
            yield from_json(kind, request)
            held.wait(PATIENCE_S)

        call = make(requests(), timeout=PATIENCE_S, wait_for_ready=True, metadata=self._metadata)
        try:
            return {"ok": {"response": to_json(next(call))}}
        except grpc.RpcError as error:
            return {"error": _error(error)}
        finally:
            held.set()
            call.cancel()

    def close(self) -> None:
        self._channel.close()


def _error(error: grpc.RpcError) -> dict:
    told = {"code": error.code().name, "message": error.details()}
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        if detail.Unpack(info):
            told["reason"] = info.reason
    return told
