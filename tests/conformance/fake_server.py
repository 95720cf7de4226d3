"""A server that answers what it is told to: like a newer one, or like one that breaks its own rules."""

import threading
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from contract import from_json, method

# Field 18000 with the value 1, in every message: a newer server's, which no client knows.
UNKNOWN_FIELD = b"\x80\xe5\x08\x01"


class FakeServer(grpc.GenericRpcHandler):
    """`methods` as tests/conformance/README.md says. Listens on a free loopback port; `close` it."""

    def __init__(self, methods: dict[str, list[dict]]):
        self._methods = methods
        self._calls: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        path = details.method.removeprefix("/")
        if path not in self._methods:
            return None
        _, answer, _, _ = method(path)

        def serve(requests: Any, context: grpc.ServicerContext) -> Any:
            return self._answers(self._next(path), answer, requests, context)

        # On the wire every call is a stream; how many messages there are is what the case says.
        return grpc.stream_stream_rpc_method_handler(serve, None, None)

    def _next(self, path: str) -> dict:
        with self._lock:
            count = self._calls.get(path, 0)
            self._calls[path] = count + 1
        entries = self._methods[path]
        return entries[min(count, len(entries) - 1)]

    def _answers(self, entry: dict, answer: type, requests: Any, context: grpc.ServicerContext) -> Any:
        next(requests, None)
        for index, message in enumerate(entry.get("send", [])):
            if index:
                next(requests, None)
            yield from_json(answer, message).SerializeToString() + UNKNOWN_FIELD
        for message in entry.get("after_all", []):
            yield from_json(answer, message).SerializeToString() + UNKNOWN_FIELD
        if "error" in entry:
            context.abort_with_status(_status(entry["error"]))

    def close(self) -> None:
        self._server.stop(grace=None).wait()


def _status(error: dict) -> Any:
    details = []
    if error.get("reason"):
        details.append(error_details_pb2.ErrorInfo(reason=error["reason"], domain="passerelle"))
    if error.get("retry_delay_ms"):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(error["retry_delay_ms"])
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    code = code_pb2.Code.Value(error["code"])
    return rpc_status.to_status(status_pb2.Status(code=code, message=error.get("message", "told so"), details=packed))
