"""Certificates for tests, made with the openssl program."""

import pathlib
import subprocess

NAMES = "DNS:localhost,IP:127.0.0.1"
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


class Authority:
    """A root of its own; writes NAME.pem and NAME.key (mode 0600) into its folder."""

    def __init__(self, folder: pathlib.Path, name: str = "ca"):
        self.folder = folder
        self.ca = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _openssl("req", "-x509", *_NEW_KEY, "-subj", f"/CN={name}", "-days", 30, "-keyout", self._key, "-out", self.ca)

    def issue(self, name: str, names: str = NAMES) -> tuple[pathlib.Path, pathlib.Path]:
        """The certificate and the key."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        _openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signed = ["-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", 30, "-extfile", extensions]
        _openssl("x509", "-req", "-in", request, *signed, "-out", certificate)
        key.chmod(0o600)
        return certificate, key
