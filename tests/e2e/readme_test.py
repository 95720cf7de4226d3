"""The README's grpcurl lines, word for word, on a fresh server with the real grpcurl."""

import os
import pathlib
import re
import subprocess
import sys

import live_server
import page
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADDRESS = "127.0.0.1:7701"
# What each method's answer must show, in the order of the README.
WANTED = [
    ("CreateAttribute", {"name": "instances/default/attributes/city"}),
    ("CreateAttribute", {"name": "instances/default/attributes/email_opt_in"}),
    ("CreateDestination", {"name": "instances/default/destinations/vip"}),
    ("CreateDestination", {"name": "instances/default/destinations/crm"}),
    ("CreateDelivery", {"name": "instances/default/deliveries/spring"}),
    ("BatchImportProfiles", {"counts": [{"outcome": "OUTCOME_CREATED", "rows": "2"}]}),
    ("BatchPushMembers", {"counts": [{"outcome": "OUTCOME_REALIZED", "rows": "1"}]}),
    ("ListMembers", {"members": [{"attributes": {"city": "Paris"}}]}),
    (
        "BatchUpdateProfiles",
        {
            "counts": [
                {"outcome": "OUTCOME_NOT_FOUND", "rows": "1"},
                {"outcome": "OUTCOME_UPDATED", "rows": "1"},
            ]
        },
    ),
    ("BatchAppendLogs", {"counts": [{"outcome": "OUTCOME_APPENDED", "rows": "1"}]}),
    ("ExportLogs", {"rows": [{"status": "DELIVERY_STATUS_SENT", "identity": "1", "delivery": "spring"}]}),
    ("GetDeliveryReport", {"sent": "1", "processed": "1"}),
    ("Check", {"status": "SERVING"}),
]


def lines_of_readme() -> list[str]:
    text = (ROOT / "README.md").read_text()
    return re.findall(r"^grpcurl .*$", text, re.MULTILINE)


def contains(answer, wanted) -> bool:
    """Everything wanted is in the answer; lists are compared as far as they are wanted."""
    if isinstance(wanted, dict):
        return isinstance(answer, dict) and all(contains(answer.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(answer, list) and all(map(contains, answer, wanted)) and len(answer) >= len(wanted)
    return answer == wanted


@pytest.fixture(scope="module")
def server():
    with live_server.LiveServer() as running:
        yield running


def test_the_grpcurl_lines_of_the_readme_work_word_for_word(server):
    grpcurl = os.environ.get("PASSERELLE_GRPCURL", str(ROOT / "build/bin/grpcurl"))
    assert pathlib.Path(grpcurl).exists(), "grpcurl is not installed: run tools/setup --for check"
    lines = lines_of_readme()
    assert len(lines) == len(WANTED)
    for line, (method, wanted) in zip(lines, WANTED, strict=True):
        command = line.replace(ADDRESS, server.address).replace("grpcurl", grpcurl, 1)
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert line.split()[-1].endswith("/" + method)
        assert any(contains(answer, wanted) for answer in page.documents(done.stdout)), f"{line}\n{done.stdout}"


def test_the_command_lines_of_the_readme_work_in_their_order(server, tmp_path):
    files = ROOT / "tools" / "quickstart_files.py"
    subprocess.run([sys.executable, files, tmp_path], check=True, timeout=60)
    path = f"{live_server.find_program('passerelle').parent}:{os.environ['PATH']}"
    with live_server.LiveServer() as fresh:
        environment = {**os.environ, "PATH": path, "PASSERELLE_SERVER": fresh.address}
        lines = re.findall(r"^passerelle .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
        assert len(lines) == 11
        outputs = {}
        for line in lines:
            done = subprocess.run(
                ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            outputs[" ".join(line.split()[1:3])] = done.stdout
        assert "2,000" in outputs["import customers.csv"]
        assert "994 members" in outputs["audiences count"]
        assert "994" in outputs["sync tiers"] and "1,006" in outputs["sync tiers"]
        assert (tmp_path / "members.csv").read_text().count("\n") >= 995


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
