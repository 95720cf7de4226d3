"""A gRPC server that answers every call with an error and remembers what came as authorization."""

import concurrent.futures
import pathlib

import grpc


class KeyListener(grpc.GenericRpcHandler):
    """On a free loopback port; over TLS if it is given a certificate and its key."""

    def __init__(self, code=grpc.StatusCode.UNAUTHENTICATED, certificate: tuple[pathlib.Path, pathlib.Path] | None = None):
        self.authorizations: list[list[str]] = []
        self._code = code
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[self])
        if certificate is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            pair = (certificate[1].read_bytes(), certificate[0].read_bytes())
            port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        self.address = f"127.0.0.1:{port}"
        self._server.start()

    def service(self, details):
        """Of grpc.GenericRpcHandler."""
        self.authorizations.append([value for name, value in details.invocation_metadata if name == "authorization"])

        def refuse(_requests, context):
            context.abort(self._code, "no")

        return grpc.stream_stream_rpc_method_handler(refuse)

    def __enter__(self) -> "KeyListener":
        return self

    def __exit__(self, *_) -> None:
        self._server.stop(None).wait()
