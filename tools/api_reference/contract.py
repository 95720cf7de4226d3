"""The contract as the reference tells it, read from a descriptor set with comments.

Names are those of the package without its prefix: `LogService.ExportLogs`, `PushMembersRequest.Open.stream`,
`Outcome.OUTCOME_CREATED`. Each is the anchor of its item, on the page of the proto file that declares it.
"""

import dataclasses

from google.api import annotations_pb2, field_behavior_pb2, resource_pb2
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    timestamp_pb2,  # noqa: F401 (access.proto imports it)
)

PACKAGE = "passerelle.v1"
_TYPES = descriptor_pb2.FieldDescriptorProto
# Where a descriptor's parts are in the paths of its comments.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _NESTED_MESSAGES, _NESTED_ENUMS = 2, 3, 4
_METHODS = _VALUES = 2


@dataclasses.dataclass(frozen=True)
class Field:
    name: str
    number: int
    type: str  # as people write it: `string`, `Batch`, `map<string, Value>`
    links: dict[str, str]  # words of `type` that are names of the contract, and which
    label: str  # "", "repeated" or "optional"
    oneof: str  # the oneof it is in, or ""
    behaviours: tuple[str, ...]  # "required", "output only", …
    comment: str


@dataclasses.dataclass(frozen=True)
class Message:
    name: str
    comment: str
    fields: tuple[Field, ...]
    pattern: str  # of the names of a resource, or ""


@dataclasses.dataclass(frozen=True)
class Value:
    name: str
    number: int
    comment: str


@dataclasses.dataclass(frozen=True)
class Enum:
    name: str
    comment: str
    values: tuple[Value, ...]


@dataclasses.dataclass(frozen=True)
class Method:
    name: str
    comment: str
    input: str
    output: str
    client_streaming: bool
    server_streaming: bool
    scope: str  # as errors and roles write it: `logs.read`
    exports: bool
    whole_store: bool
    http: str  # `GET /v1/…`, or "" where there is no binding


@dataclasses.dataclass(frozen=True)
class Service:
    name: str
    comment: str
    methods: tuple[Method, ...]


@dataclasses.dataclass(frozen=True)
class Page:
    """One proto file."""

    stem: str
    services: tuple[Service, ...]
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]


def read(descriptors: bytes) -> list[Page]:
    """The pages of the package, in the order of their file names. Leaves imported files out."""
    options = _Options(descriptors)
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors).file
    own = sorted((file for file in files if file.package == PACKAGE), key=lambda file: file.name)
    return [_File(file, options).page() for file in own]


class _Options:
    """The method options that the contract itself declares."""

    def __init__(self, descriptors: bytes):
        pool = descriptor_pool.Default()
        # Without comments, so that it does not matter who added the file to the pool before.
        bare = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
        for file in bare.file:
            file.ClearField("source_code_info")
            if file.name == f"{PACKAGE.replace('.', '/')}/access.proto":
                pool.AddSerializedFile(file.SerializeToString())
        self._extensions = {name: pool.FindExtensionByName(f"{PACKAGE}.{name}") for name in ("scope", "whole_store", "exports")}
        self._scopes = pool.FindEnumTypeByName(f"{PACKAGE}.Scope").values_by_number

    def value(self, method, name):
        """The value of an option; its default where the method does not have it."""
        # Parsed again: what was parsed before the extensions were known keeps them unread.
        options = descriptor_pb2.MethodOptions.FromString(method.options.SerializeToString())
        return options.Extensions[self._extensions[name]]

    def scope(self, method) -> str:
        name = self._scopes[self.value(method, "scope")].name.removeprefix("SCOPE_").lower()
        return name.replace("_", ".", 1)


class _File:
    def __init__(self, file, options: _Options):
        self._file = file
        self._options = options
        self._comments = {
            tuple(place.path): "\n".join(row.removeprefix(" ") for row in place.leading_comments.rstrip().split("\n"))
            for place in file.source_code_info.location
        }

    def page(self) -> Page:
        messages, enums = [], []
        for number, message in enumerate(self._file.message_type):
            self._collect(message, (_MESSAGES, number), "", messages, enums)
        for number, enum in enumerate(self._file.enum_type):
            enums.append(self._enum(enum, (_ENUMS, number), ""))
        services = tuple(self._service(service, (_SERVICES, n)) for n, service in enumerate(self._file.service))
        stem = self._file.name.rsplit("/", 1)[-1].removesuffix(".proto")
        return Page(stem, services, tuple(messages), tuple(enums))

    def _collect(self, message, path, outer, messages, enums) -> None:
        """The message, then what is declared inside it."""
        name = outer + message.name
        entries = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
        fields = tuple(
            self._field(field, message, entries, (*path, _FIELDS, number)) for number, field in enumerate(message.field)
        )
        pattern = ", ".join(message.options.Extensions[resource_pb2.resource].pattern)
        messages.append(Message(name, self._comments.get(path, ""), fields, pattern))
        for number, enum in enumerate(message.enum_type):
            enums.append(self._enum(enum, (*path, _NESTED_ENUMS, number), name + "."))
        for number, nested in enumerate(message.nested_type):
            if nested.name not in entries:
                self._collect(nested, (*path, _NESTED_MESSAGES, number), name + ".", messages, enums)

    def _field(self, field, message, entries, path) -> Field:
        entry = entries.get(field.type_name.rsplit(".", 1)[-1])
        if entry:
            (key, _), (value, links) = _type(entry.field[0]), _type(entry.field[1])
            type_name, label = f"map<{key}, {value}>", ""
        else:
            type_name, links = _type(field)
            label = "repeated" if field.label == _TYPES.LABEL_REPEATED else "optional" if field.proto3_optional else ""
        in_oneof = field.HasField("oneof_index") and not field.proto3_optional
        oneof = message.oneof_decl[field.oneof_index].name if in_oneof else ""
        behaviours = field.options.Extensions[field_behavior_pb2.field_behavior]
        told = tuple(field_behavior_pb2.FieldBehavior.Name(kind).lower().replace("_", " ") for kind in behaviours)
        return Field(field.name, field.number, type_name, links, label, oneof, told, self._comments.get(path, ""))

    def _enum(self, enum, path, outer) -> Enum:
        values = tuple(
            Value(value.name, value.number, self._comments.get((*path, _VALUES, number), ""))
            for number, value in enumerate(enum.value)
        )
        return Enum(outer + enum.name, self._comments.get(path, ""), values)

    def _service(self, service, path) -> Service:
        methods = tuple(
            Method(
                f"{service.name}.{method.name}", self._comments.get((*path, _METHODS, number), ""),
                _short(method.input_type), _short(method.output_type), method.client_streaming, method.server_streaming,
                self._options.scope(method), self._options.value(method, "exports"),
                self._options.value(method, "whole_store"), _http(method),
            )
            for number, method in enumerate(service.method)
        )
        return Service(service.name, self._comments.get(path, ""), methods)


def _short(type_name: str) -> str:
    return type_name.removeprefix(f".{PACKAGE}.").removeprefix(".")


def _type(field) -> tuple[str, dict[str, str]]:
    if not field.type_name:
        return _TYPES.Type.Name(field.type).removeprefix("TYPE_").lower(), {}
    name = _short(field.type_name)
    ours = field.type_name.startswith(f".{PACKAGE}.")
    return name, {name: name} if ours else {}


def _http(method) -> str:
    rule = method.options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    if verb is None:
        return ""
    return f"{verb.upper()} {getattr(rule, verb)}" if verb != "custom" else f"{rule.custom.kind} {rule.custom.path}"
