"""What surrounds the client in one case: its server, instance, proxy, keys; and the steps that change them."""

import datetime
import pathlib
import shutil
import socket
import tempfile
import threading
import time
import uuid
from typing import Any

import judge
from fake_server import FakeServer
from proxy import TO_CLIENT, TO_SERVER, Fault, Proxy
from servers import Certificates, Server
from variables import at_path

PATIENCE_S = 60.0
_POLL_S = 0.05
_WHO = "passerelle.v1.AccessService/GetCaller"
_CREATE_KEY = "passerelle.v1.AccessService/CreateCredential"


class World:
    """What the cases of one language share: a plain server and the certificates. `close` it."""

    def __init__(self, certificates: "SharedCertificates"):
        self.certificates = certificates
        self._server: Server | None = None

    def shared_server(self) -> Server:
        if self._server is None:
            self._server = Server({}, None)
        return self._server

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


class SharedCertificates:
    """Made once in a run, by whichever language needs them first. Thread-safe."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._lock = threading.Lock()
        self._made: Certificates | None = None

    def get(self) -> Certificates:
        with self._lock:
            self._made = self._made or Certificates(self._folder)
            return self._made


class Environment:
    """Of one case. `variables` are what its steps may name. `close` it."""

    def __init__(self, world: World, what: dict[str, Any] | None):
        certificates = world.certificates.get() if (what or {}).get("tls") else None
        self._own = what is not None
        self._server = Server(what, certificates) if self._own else world.shared_server()
        self._caller = self._server.caller()
        self._proxy: Proxy | None = None
        self._fakes: list[FakeServer] = []
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="passerelle-case-"))
        self._nobody = socket.socket()
        self._nobody.bind(("127.0.0.1", 0))  # never listens: connections are refused
        self.variables: dict[str, Any] = {
            "instance": f"c-{uuid.uuid4().hex[:12]}",
            "address": self._server.address,
            "nobody": f"127.0.0.1:{self._nobody.getsockname()[1]}",
            "folder": str(self._folder),
            "admin_key": self._server.admin_key,
            "uuid": str(uuid.uuid4()),
        }
        self._tell_files(certificates)
        self._make_instance((what or {}).get("region", ""))

    def _tell_files(self, certificates: Certificates | None) -> None:
        if certificates is not None:
            files = {"ca": certificates.ca, "other_ca": certificates.other_ca}
            files |= {"client_cert": certificates.client[0], "client_key": certificates.client[1]}
            self.variables |= {name: str(path) for name, path in files.items()}

    def _make_instance(self, region: str) -> None:
        request = {"instance_id": self.variables["instance"], "instance": {"default_phone_region": region}}
        answer = self._caller.call("passerelle.v1.InstanceService/CreateInstance", request)
        if "error" in answer:
            raise RuntimeError(f"the driver could not make an instance: {answer['error']}")

    def need(self, text: str) -> None:
        """Makes what is made at its first use: the proxy."""
        if "${proxy}" in text and self._proxy is None:
            self._proxy = Proxy(self._server.address)
            self.variables["proxy"] = self._proxy.address

    def do(self, step: dict[str, Any]) -> list[str]:
        """One step of the environment; what went wrong."""
        return getattr(self, f"_do_{step['env']}")(step)

    # ---- steps ----------------------------------------------------------------------------------

    def _do_call(self, step: dict) -> list[str]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self._caller.call(step["method"], step.get("request", {}))
            wrong = judge.differences(step.get("expect", {"ok": {}}), answer, "the driver's call")
            if not wrong or not step.get("until") or time.monotonic() > deadline:
                break
            time.sleep(_POLL_S)
        if not wrong:
            self.variables |= {name: at_path(answer["ok"], path) for name, path in step.get("save", {}).items()}
        return wrong

    def _do_cut(self, step: dict) -> list[str]:
        return self._break(step, stall=False)

    def _do_stall(self, step: dict) -> list[str]:
        return self._break(step, stall=True)

    def _break(self, step: dict, stall: bool) -> list[str]:
        if step.get("now"):
            (self._proxy.stall_now if stall else self._proxy.cut_now)()
            return []
        direction = TO_SERVER if "after_bytes_to_server" in step else TO_CLIENT
        places = step[f"after_bytes_{direction}"]
        self._proxy.arm([Fault(stall, direction, n) for n in (places if isinstance(places, list) else [places])])
        return []

    def _do_go_on(self, step: dict) -> list[str]:
        self._proxy.go_on()
        return []

    def _do_await_fault(self, step: dict) -> list[str]:
        times = step.get("times", 1)
        return [] if self._proxy.await_fired(times) else [f"the connection did not get to {times} of the faults"]

    def _do_stop_server(self, step: dict) -> list[str]:
        return self._end_server(self._server.stop)

    def _do_kill_server(self, step: dict) -> list[str]:
        return self._end_server(self._server.kill)

    def _end_server(self, end: Any) -> list[str]:
        assert self._own, "only servers of the case's own may be stopped"
        if self._proxy is not None:
            self._proxy.upstream = None
        self._caller.close()
        end()
        return []

    def _do_start_server(self, step: dict) -> list[str]:
        self._server.start()
        self._caller = self._server.caller()
        self.variables["address"] = self._server.address
        if self._proxy is not None:
            self._proxy.upstream = self._server.address
        return []

    def _do_restart_server(self, step: dict) -> list[str]:
        return self._do_stop_server(step) + self._do_start_server(step)

    def _do_make_key(self, step: dict) -> list[str]:
        name = f"k-{uuid.uuid4().hex[:8]}"
        credential: dict[str, Any] = {"roles": [f"roles/{role}" for role in step["roles"]]}
        if "calls_per_second" in step:
            credential["calls_per_second"] = step["calls_per_second"]
        if "expires_in_ms" in step:
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=step["expires_in_ms"])
            credential["expire_time"] = end.isoformat()
        answer = self._caller.call(_CREATE_KEY, {"credential_id": name, "credential": credential})
        if "error" in answer:
            return [f"the driver could not make a key: {answer['error']}"]
        key = answer["ok"]["response"]["key"]
        self.variables[step["save"]] = key
        self.variables[f"{step['save']}_name"] = f"credentials/{name}"
        if step.get("file"):
            path = self._folder / "api.key"
            path.write_text(key + "\n")
            self.variables["key_file"] = str(path)
        return self._await_end(key) if step.get("await_end") else []

    def _await_end(self, key: str) -> list[str]:
        caller, deadline = self._server.caller_with(key), time.monotonic() + PATIENCE_S
        try:
            while caller.call(_WHO, {}).get("error", {}).get("code") != "UNAUTHENTICATED":
                if time.monotonic() > deadline:
                    return ["the key did not expire"]
                time.sleep(_POLL_S)
            return []
        finally:
            caller.close()

    def _do_take_over(self, step: dict) -> list[str]:
        """Opens an import's stream as another program would."""
        parent = f"instances/{self.variables['instance']}"
        opening = {"parent": parent, "stream": {"stream": step["stream"]}, "identity_namespaces": ["external_id"]}
        answer = self._caller.first_answer("passerelle.v1.ProfileService/ImportProfiles", {"open": opening})
        return judge.differences({"ok": {"response": {"opened": {"epoch": {"$at_least": 1}}}}}, answer, "taking over")

    def _do_fake_server(self, step: dict) -> list[str]:
        self._fakes.append(FakeServer(step["methods"]))
        self.variables["fake"] = self._fakes[-1].address
        return []

    def close(self) -> None:
        self._caller.close()
        for fake in self._fakes:
            fake.close()
        if self._proxy is not None:
            self._proxy.close()
        if self._own:
            self._server.close()
        self._nobody.close()
        shutil.rmtree(self._folder, ignore_errors=True)
