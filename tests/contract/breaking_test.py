"""What callers rely on stays: tools/breaking finds what the last released contract has and the present one has not."""

import os
import pathlib
import subprocess

import pytest
from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]


def released():
    [file] = (ROOT / "proto" / "released").iterdir()
    return file, descriptor_pb2.FileDescriptorSet.FromString(file.read_bytes())


def breaking(descriptors):
    return subprocess.run([ROOT / "tools/breaking", descriptors], capture_output=True, text=True, timeout=120)


def named(items, name):
    return next(item for item in items if item.name == name)


def proto(descriptors, stem):
    return named(descriptors.file, f"passerelle/v1/{stem}.proto")


def remove(items, name):
    items.remove(named(items, name))


def without_a_field(descriptors):
    remove(named(proto(descriptors, "audience").message_type, "Audience").field, "display_name")


def without_a_method(descriptors):
    remove(named(proto(descriptors, "log_service").service, "LogService").method, "ExportLogs")


def without_an_error_reason(descriptors):
    remove(named(proto(descriptors, "error_reason").enum_type, "ErrorReason").value, "ERROR_REASON_FIELD_INVALID")


def with_another_type(descriptors):
    message = named(proto(descriptors, "audience_sync_service").message_type, "MembershipRow")
    named(message.field, "audience").type = descriptor_pb2.FieldDescriptorProto.TYPE_INT64


def with_another_number(descriptors):
    message = named(proto(descriptors, "audience_sync_service").message_type, "MembershipRow")
    named(message.field, "audience").number = 99


def with_another_name(descriptors):
    message = named(proto(descriptors, "audience_sync_service").message_type, "MembershipRow")
    field = named(message.field, "audience")
    field.name = field.json_name = "segment"


def with_more(descriptors):
    message = named(proto(descriptors, "audience_sync_service").message_type, "MembershipRow")
    kind = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="more", json_name="more", number=99, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)


def changed(change, folder):
    _, descriptors = released()
    change(descriptors)
    file = folder / "changed.binpb"
    file.write_bytes(descriptors.SerializeToString())
    return file


def test_the_present_contract_keeps_what_was_released():
    done = breaking(os.environ["PASSERELLE_DESCRIPTORS"])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("change, told", [
    (without_a_field, '"display_name" on message "Audience"'),
    (without_a_method, '"ExportLogs" on service "LogService"'),
    (without_an_error_reason, 'value "3" on enum "ErrorReason" was deleted'),
    (with_another_type, '"MembershipRow" changed type'),
    (with_another_number, '"audience" on message "MembershipRow"'),
    (with_another_name, '"audience" to "segment"'),
], ids=lambda value: getattr(value, "__name__", ""))
def test_what_breaks_callers_is_found_and_named(change, told, tmp_path):
    done = breaking(changed(change, tmp_path))
    assert done.returncode == 100 and told in done.stdout, done.stdout + done.stderr


def test_what_is_added_breaks_nobody(tmp_path):
    done = breaking(changed(with_more, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_released_is_named_after_its_version_and_holds_no_comments():
    file, descriptors = released()
    assert file.suffix == ".binpb" and all(part.isdigit() for part in file.stem.split(".")), file.name
    assert len(proto(descriptors, "log_service").service) == 1
    assert not any(one.HasField("source_code_info") for one in descriptors.file)


def test_lint_looks_for_what_breaks():
    lint = (ROOT / "tools/check").read_text().partition("lint_protos() {")[2].partition("\n}\n")[0]
    assert "tools/breaking build/release/passerelle.binpb || ok=1" in lint
