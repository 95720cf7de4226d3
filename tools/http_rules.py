"""Writes how the methods are called over HTTP and JSON: python tools/http_rules.py DESCRIPTORS [--annotate FILE]

DESCRIPTORS is build/release/passerelle.binpb (the comments say what names look like). Writes proto/passerelle_http.yaml, the
rules that gateways take beside the protos, or with --annotate the same set with the rules in it as google.api.http options.
Calls whose client streams have no rule: HTTP has no such thing.
"""

import pathlib
import re
import sys

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[1]
RULES = ROOT / "proto" / "passerelle_http.yaml"
PACKAGE = "passerelle.v1"
# Names that a comment tells of in words only.
MORE_NAMES = {"Reconcile": ["instances/{instance}/sources/{source}", "instances/{instance}"]}
HEAD = """\
# How the methods of Passerelle are called over HTTP and JSON: for gateways that take the rules beside the protos. Made by
# tools/http_rules.py from the protos; a test compares them.
type: google.api.Service
config_version: 3
http:
  rules:
"""


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def lower_camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def plural(name: str) -> str:
    return name[:-1] + "ies" if name.endswith("y") else name + "s"


class Contract:
    """The services of a descriptor set, and what their requests' fields are called for."""

    def __init__(self, files: descriptor_pb2.FileDescriptorSet):
        self._fields = {}
        self.services = [(file, service) for file in files.file if file.package == PACKAGE for service in file.service]
        for file in files.file:
            comments = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}
            for m, message in enumerate(file.message_type):
                fields = [(field.name, comments.get((4, m, 2, f), "")) for f, field in enumerate(message.field)]
                self._fields[f".{file.package}.{message.name}"] = fields

    def named(self, request: str) -> tuple[str, list[str]]:
        """The field that must name a resource, and the patterns of its names; ("", []) if there is none."""
        for field, comment in self._fields[request]:
            patterns = re.findall(r"`([a-zA-Z]+/\{[^`]*)`", comment)
            if patterns and comment.lstrip().startswith("Required"):
                return field, patterns
        return "", []


def path(field: str, pattern: str) -> str:
    return f"/v1/{{{field}={re.sub(r'{[^}]*}', '*', pattern)}}}" if field else "/v1"


def rule_of(contract: Contract, service, method) -> http_pb2.HttpRule:
    """One method's rule: the standard methods of a resource by their names, all else as POST NAME:method."""
    rule = http_pb2.HttpRule(selector=f"{PACKAGE}.{service.name}.{method.name}")
    field, patterns = contract.named(method.input_type)
    verb, what = re.fullmatch(r"([A-Z][a-z]+)(.*)", method.name).groups()
    last = re.search(r"\{(\w+)\}$", patterns[0])[1] if patterns else ""
    base = path(field, patterns[0] if patterns else "")
    if verb == "List":
        rule.get = f"{base}/{lower_camel(what)}"
    elif verb == "Create":
        rule.post, rule.body = f"{base}/{lower_camel(plural(what))}", snake(what)
    elif verb == "Update":
        request = next(m.input_type for m in service.method if m.name == f"Get{what}")
        rule.patch, rule.body = path(f"{snake(what)}.name", contract.named(request)[1][0]), snake(what)
    elif verb in ("Get", "Delete") and last == snake(what):
        setattr(rule, verb.lower(), base)
    else:
        _custom(rule, service, method, field, patterns + MORE_NAMES.get(method.name, []))
    return rule


def _custom(rule, service, method, field, patterns) -> None:
    own = re.search(r"\{(\w+)\}$", patterns[0])[1] if patterns else "none"
    name = method.name
    if snake(name).endswith("_" + own):
        name = name[: len(name) - len(own.replace("_", ""))]
    bases = [path(field, pattern) for pattern in patterns]
    bases = bases or [f"/v1/{lower_camel(service.name.removesuffix('Service'))}"]
    for binding, base in zip([rule, *(rule.additional_bindings.add() for _ in bases[1:])], bases, strict=True):
        if name.startswith("Get"):
            binding.get = f"{base}:{lower_camel(name)}"
        else:
            binding.post, binding.body = f"{base}:{lower_camel(name)}", "*"


def rules(files: descriptor_pb2.FileDescriptorSet) -> list[http_pb2.HttpRule]:
    """One for every method whose client does not stream, in the order of the protos."""
    contract = Contract(files)
    methods = [(service, method) for _, service in contract.services for method in service.method]
    return [rule_of(contract, service, method) for service, method in methods if not method.client_streaming]


def written(all_rules: list[http_pb2.HttpRule]) -> str:
    lines = []
    for rule in all_rules:
        lines += [f"    - selector: {rule.selector}", *_binding(rule, "      ")]
        if rule.additional_bindings:
            lines.append("      additional_bindings:")
        for more in rule.additional_bindings:
            first, *rest = _binding(more, "          ")
            lines += ["        - " + first.strip(), *rest]
    return HEAD + "\n".join(lines) + "\n"


def _binding(rule: http_pb2.HttpRule, indent: str) -> list[str]:
    kind = rule.WhichOneof("pattern")
    body = [f'{indent}body: "{rule.body}"'] if rule.body else []
    return [f'{indent}{kind}: "{getattr(rule, kind)}"', *body]


def annotate(files: descriptor_pb2.FileDescriptorSet) -> None:
    """Puts each rule into its method's options."""
    by_selector = {rule.selector: rule for rule in rules(files)}
    for _, service in Contract(files).services:
        for method in service.method:
            rule = by_selector.get(f"{PACKAGE}.{service.name}.{method.name}")
            if rule is not None:
                option = method.options.Extensions[annotations_pb2.http]
                option.CopyFrom(rule)
                option.ClearField("selector")


def read(descriptors: pathlib.Path) -> descriptor_pb2.FileDescriptorSet:
    return descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes())


def main(arguments: list[str]) -> None:
    files = read(pathlib.Path(arguments[0]))
    if arguments[1:2] == ["--annotate"]:
        annotate(files)
        pathlib.Path(arguments[2]).write_bytes(files.SerializeToString(deterministic=True))
    else:
        RULES.write_text(written(rules(files)))


if __name__ == "__main__":
    main(sys.argv[1:])
