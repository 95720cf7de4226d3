"""A browser for tests: Debian's Chromium, driven over WebDriver by the standard library alone."""

import base64
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element in WebDriver's answers
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "ArrowDown": "\ue015"}
PATIENCE_SECONDS = 60


class Browser:
    def __init__(self, address: str):
        self._address = address
        options = {"args": ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                            "--disable-background-networking", "--disable-component-update", "--disable-sync",
                            "--disable-dev-shm-usage"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session = self._send("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def _send(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def _call(self, path, body=None):
        return self._send("POST", f"/session/{self._session}{path}", body)

    def close(self):
        self._send("DELETE", f"/session/{self._session}")

    def open(self, url):
        self._call("/url", {"url": url})

    def run(self, script, *arguments):
        """What the script returns."""
        return self._call("/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script, *arguments):
        """Until the script returns something true; that is returned."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            value = self.run(script, *arguments)
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}")

    def press(self, *keys):
        """Keys as a person presses them, one after another, where the focus is."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._call("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def click(self, selector):
        element = self._call("/element", {"using": "css selector", "value": selector})[ELEMENT]
        self._call(f"/element/{element}/click")

    def size(self, width, height=900):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", size)

    def colours(self, scheme):
        """As somebody sees it who prefers `light` or `dark`."""
        self._devtools("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def _devtools(self, command, parameters):
        self._call("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self, file: pathlib.Path):
        file.write_bytes(base64.b64decode(self._send("GET", f"/session/{self._session}/screenshot")))

    def console(self):
        """What the pages said or could not load, since the last time."""
        return [entry["message"] for entry in self._call("/se/log", {"type": "browser"})]


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def browser():
    """A new browser, closed at the end. AssertionError, with what to install, if the machine has none."""
    driver = shutil.which("chromedriver")
    assert driver, "chromedriver is not here: tools/setup --for browser"
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        driving = subprocess.Popen([driver, f"--port={port}"], stdout=log, stderr=log)
        try:
            _wait_for(driving, port)
            opened = Browser(f"http://127.0.0.1:{port}")
            yield opened
            opened.close()
        finally:
            driving.terminate()
            driving.wait(PATIENCE_SECONDS)


def _wait_for(driving, port):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and driving.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("chromedriver does not start")
