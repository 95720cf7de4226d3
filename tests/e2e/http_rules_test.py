"""The HTTP rules and the descriptor sets that ship: whole, in step with the protos, and what a gateway can take."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import http_rules  # noqa: E402
from google.api import annotations_pb2, service_pb2  # noqa: E402
from google.protobuf import descriptor_pool, message_factory  # noqa: E402

DESCRIPTORS = pathlib.Path(os.environ.get("PASSERELLE_DESCRIPTORS", ROOT / "build/release/passerelle.binpb"))


@pytest.fixture(scope="module")
def files():
    return http_rules.read(DESCRIPTORS)


@pytest.fixture(scope="module")
def pool(files):
    made = descriptor_pool.DescriptorPool()
    for file in files.file:
        made.Add(file)
    return made


def bindings(files):
    """(method, binding) for every way to call something."""
    for rule in http_rules.rules(files):
        for binding in [rule, *rule.additional_bindings]:
            yield rule.selector, binding


def path_of(binding):
    return getattr(binding, binding.WhichOneof("pattern"))


def test_the_rules_of_the_tree_are_those_of_the_protos(files):
    wanted = http_rules.written(http_rules.rules(files))
    assert http_rules.RULES.read_text() == wanted, "run: build/venv/bin/python tools/http_rules.py build/release/passerelle.binpb"


def test_every_method_but_those_whose_client_streams_has_exactly_one_rule(files):
    methods = [
        (f"passerelle.v1.{service.name}.{method.name}", method.client_streaming)
        for file in files.file
        if file.package == "passerelle.v1"
        for service in file.service
        for method in service.method
    ]
    assert [rule.selector for rule in http_rules.rules(files)] == [name for name, streaming in methods if not streaming]
    assert sum(streaming for _, streaming in methods) == 4


def test_what_a_rule_names_is_in_the_request(files, pool):
    for selector, binding in bindings(files):
        service, _, name = selector.rpartition(".")
        request = pool.FindServiceByName(service).FindMethodByName(name).input_type
        for field in re.findall(r"\{([\w.]+)=", path_of(binding)):
            message = request
            for part in field.split(".")[:-1]:
                message = message.fields_by_name[part].message_type
            found = message.fields_by_name[field.split(".")[-1]]
            assert found.type == found.TYPE_STRING, f"{selector}: {field}"
        if binding.body not in ("", "*"):
            assert request.fields_by_name[binding.body].message_type is not None, selector
        assert (binding.WhichOneof("pattern") in ("get", "delete")) == (binding.body == ""), selector


def test_what_goes_into_a_url_can_be_written_there(files, pool):
    """Without a body, fields that are not in the path are parameters: no lists of messages among them."""
    for selector, binding in bindings(files):
        if binding.body == "*":
            continue
        service, _, name = selector.rpartition(".")
        request = pool.FindServiceByName(service).FindMethodByName(name).input_type
        for field in request.fields:
            lists = field.is_repeated and field.message_type is not None
            assert not lists or field.name == binding.body, f"{selector}: {field.name}"


def test_no_two_methods_answer_to_the_same_url(files):
    seen = {}
    for selector, binding in bindings(files):
        url = (binding.WhichOneof("pattern"), re.sub(r"\{[^=]*=([^}]*)\}", r"\1", path_of(binding)))
        assert url not in seen, f"{selector} and {seen[url]}: {url}"
        seen[url] = selector


def test_the_annotated_set_says_the_same_and_is_otherwise_unchanged(files, tmp_path):
    out = tmp_path / "http.binpb"
    command = [sys.executable, ROOT / "tools/http_rules.py", DESCRIPTORS, "--annotate", out]
    subprocess.run(command, check=True, timeout=60)
    annotated = http_rules.read(out)
    found = {}
    for file in annotated.file:
        for service in file.service:
            for method in service.method:
                if method.options.HasExtension(annotations_pb2.http):
                    rule = method.options.Extensions[annotations_pb2.http]
                    rule.selector = f"{file.package}.{service.name}.{method.name}"
                    found[rule.selector] = rule.SerializeToString()
                    method.options.ClearExtension(annotations_pb2.http)
    assert found == {rule.selector: rule.SerializeToString() for rule in http_rules.rules(files)}
    assert annotated == files


def test_the_rules_are_a_google_api_service(files):
    service = service_pb2.Service(config_version={"value": 3})
    service.http.rules.extend(http_rules.rules(files))
    again = message_factory.GetMessageClass(service.DESCRIPTOR).FromString(service.SerializeToString())
    text = http_rules.RULES.read_text()
    assert text.count("- selector: ") == len(again.http.rules)
    assert "type: google.api.Service\nconfig_version: 3\n" in text


def test_an_installation_holds_the_descriptor_sets_and_the_rules(tmp_path):
    command = ["cmake", "--install", DESCRIPTORS.parent, "--component", "contract", "--prefix", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, json.dumps([done.stdout, done.stderr])
    share = tmp_path / "share/passerelle"
    assert sorted(path.name for path in share.iterdir()) == [
        "passerelle.binpb", "passerelle_http.binpb", "passerelle_http.yaml"
    ]
    assert (share / "passerelle.binpb").read_bytes() == DESCRIPTORS.read_bytes()
    assert (share / "passerelle_http.yaml").read_bytes() == http_rules.RULES.read_bytes()
