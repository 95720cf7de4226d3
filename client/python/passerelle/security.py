"""Who calls and whom it trusts: API keys, TLS, and what they are read from. No error text holds a key."""

import dataclasses
import ipaddress
import os
import pathlib
import re
import string
from collections.abc import Callable
from typing import Any

import grpc

SYSTEM_ROOTS = "system"
_KEY_BYTES = 512
_GRAPHIC = frozenset(string.ascii_letters + string.digits + string.punctuation)


@dataclasses.dataclass(frozen=True)
class Security:
    """What `passerelle.connect` takes; files are read once, when the channel is made."""

    key: str | None = dataclasses.field(default=None, repr=False)
    key_file: str | os.PathLike | None = None
    ca: str | os.PathLike | None = None
    cert: str | os.PathLike | None = None
    cert_key: str | os.PathLike | None = None
    server_name: str | None = None

    @property
    def tls(self) -> bool:
        """TLS is spoken if any of its files is given."""
        return bool(self.ca or self.cert or self.cert_key)

    def or_from_environment(self) -> "Security":
        """This, and what it does not say from PASSERELLE_API_KEY (or else _API_KEY_FILE) and the like."""
        found = {"ca": self.ca or os.environ.get("PASSERELLE_CA_FILE")}
        if not self.cert and not self.cert_key:  # the two are one thing: not one of each
            found["cert"] = os.environ.get("PASSERELLE_CLIENT_CERT")
            found["cert_key"] = os.environ.get("PASSERELLE_CLIENT_KEY")
        if not self.key and not self.key_file:
            found["key"] = os.environ.get("PASSERELLE_API_KEY")
            found["key_file"] = None if found["key"] else os.environ.get("PASSERELLE_API_KEY_FILE")
        return dataclasses.replace(self, **found)


def is_local(target: str) -> bool:
    """True if the target is on this machine whatever a name server says; False if in doubt."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    scheme = re.match(r"dns:///|ipv4:|ipv6:|dns:(?!//)", target)
    hosts = target[scheme.end() :] if scheme else target
    return all(map(_is_loopback, hosts.split(",")))


def _is_loopback(address: str) -> bool:
    host = address
    if address.startswith("["):
        host = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        host = address.partition(":")[0]
    if host.lower() == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return found.is_loopback and mapped is None


def open_channel(target: str, security: Security, options: list[tuple[str, Any]]) -> grpc.Channel:
    """A channel; ValueError for what cannot be used, and for a key that would leave this machine in plaintext."""
    local = is_local(target)
    if (security.key or security.key_file) and not security.tls and not local:
        raise ValueError(
            f"the API key is not sent to {target} in plaintext, where others could read it: give the CA of its"
            " certificate (ca=...), or connect on the server's own machine"
        )
    key = _key_of(security)
    if local:
        options = [*options, ("grpc.enable_http_proxy", 0)]
    if security.server_name:
        options = [*options, ("grpc.ssl_target_name_override", security.server_name)]
    if security.tls:
        channel = grpc.secure_channel(target, _credentials_of(security), options)
    else:
        channel = grpc.insecure_channel(target, options)
    return grpc.intercept_channel(channel, _KeySender(key)) if key else channel


def _key_of(security: Security) -> str | None:
    if security.key and security.key_file:
        raise ValueError("got an API key and a file of one, wanted one of the two")
    key, place = security.key, "the API key"
    if security.key_file:
        key, place = pathlib.Path(security.key_file).read_text(errors="replace").strip(), f"key file {security.key_file}"
        if not key:
            raise ValueError(f"{place}: is empty")
    # Another secret, read by mistake (the server's own key file), must not be sent.
    parts = key.split(".") if key else []
    if key and not (parts[0] == "psk" and len(parts) >= 3 and all(parts) and len(key) <= _KEY_BYTES and set(key) <= _GRAPHIC):
        raise ValueError(f"{place}: got {len(key)} characters that are no API key, wanted psk.ID.SECRET")
    return key or None


def _credentials_of(security: Security) -> grpc.ChannelCredentials:
    if bool(security.cert) != bool(security.cert_key):
        raise ValueError("got one of a client certificate (cert) and its key (cert_key), wanted both")
    roots = None if security.ca in (None, "", SYSTEM_ROOTS) else _pem(security.ca)
    if not security.cert or not security.cert_key:
        return grpc.ssl_channel_credentials(root_certificates=roots)
    return grpc.ssl_channel_credentials(roots, _pem(security.cert_key), _pem(security.cert))


def _pem(path: str | os.PathLike) -> bytes:
    data = pathlib.Path(path).read_bytes()
    if b"-----BEGIN " not in data:
        raise ValueError(f"{path}: is not PEM (-----BEGIN ...)")
    return data


class _WithMetadata(grpc.ClientCallDetails):
    """A call's details with one more pair of metadata."""

    def __init__(self, details: grpc.ClientCallDetails, pair: tuple[str, str]):
        self.method, self.timeout = details.method, details.timeout
        self.metadata = [*(details.metadata or ()), pair]
        self.credentials = getattr(details, "credentials", None)
        self.wait_for_ready = getattr(details, "wait_for_ready", None)
        self.compression = getattr(details, "compression", None)


class _KeySender(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Sends the key with every call. gRPC's own credentials of calls are not sent in plaintext, not even to a Unix
    socket."""

    def __init__(self, key: str):
        self._pair = ("authorization", f"Bearer {key}")

    def _send(self, continuation: Callable, details: grpc.ClientCallDetails, request: Any) -> Any:
        return continuation(_WithMetadata(details, self._pair), request)

    intercept_unary_unary = _send
    intercept_unary_stream = _send
    intercept_stream_unary = _send
    intercept_stream_stream = _send
