"""client/service_config.json: which calls every client may repeat. It is up to date, and repeats nothing that writes."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "tools" / "gen_clients"
CONFIG = ROOT / "client" / "service_config.json"
SCOPE = 50701  # the option of access.proto


def generator():
    """tools/gen_clients as a module."""
    loader = importlib.machinery.SourceFileLoader("gen_clients", str(GENERATOR))
    spec = importlib.util.spec_from_loader("gen_clients", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def listed():
    [method_config] = json.loads(CONFIG.read_text())["methodConfig"]
    assert method_config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    return {(name["service"], name["method"]) for name in method_config["name"]}


def services():
    from google.protobuf import descriptor_pb2

    files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(os.environ["PASSERELLE_DESCRIPTORS"]).read_bytes())
    return [(f"{file.package}.{service.name}", service) for file in files.file for service in file.service]


def test_it_is_up_to_date_and_an_old_one_is_found():
    done = subprocess.run([GENERATOR, "--check"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "is up to date" in done.stdout, done.stdout + done.stderr
    made = generator().service_config()
    assert made == CONFIG.read_text() and made != made.replace("GetAudience", "GetAudienceOfLastYear")


def test_the_generator_knows_the_languages_and_says_so():
    done = subprocess.run([GENERATOR, "cpp"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "CMake" in done.stdout
    done = subprocess.run([GENERATOR, "klingon"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "nobody knows 'klingon'; known: cpp," in done.stderr


def test_clients_that_keep_a_copy_keep_the_same():
    command = ["git", "ls-files", "client/*/service_config.json"]
    copies = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    for copy in copies:
        assert (ROOT / copy).read_text() == CONFIG.read_text(), f"{copy} is old: tools/gen_clients"


def test_no_write_and_no_stream_is_repeated():
    methods = {(name, method.name): method for name, service in services() for method in service.method}
    assert listed() and listed() <= set(methods)
    for name in listed():
        assert not methods[name].client_streaming and not methods[name].server_streaming, name
    writes = {"Create", "Update", "Delete", "Import", "Append", "Push", "Acknowledge", "Seek", "Pause", "Resume", "Batch"}
    assert not [name for name in listed() if name[1].startswith(tuple(writes - {"Batch"}))]
    assert ("passerelle.v1.ProfileService", "BatchGetProfiles") in listed()
    assert ("passerelle.v1.ProfileService", "BatchImportProfiles") not in listed()


def test_every_service_that_can_be_read_is_in_it():
    named = {service for service, _ in listed()}
    reading = {name for name, service in services() if any(method.name.startswith("Get") for method in service.method)}
    assert reading <= named
