"""The audit trail of a guarded server: one call of every method, and what the trail tells of each."""

import collections
import pathlib
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cells  # noqa: E402
from google.protobuf import json_format, message_factory  # noqa: E402
from guarded_server import GuardedServer, grpc  # noqa: E402
from passerelle.v1 import access_pb2, audit_service_pb2, audit_service_pb2_grpc  # noqa: E402

CRM = "instances/crm"
CONTROL, PROFILES, LOGS = "control", f"{CRM}/profiles", f"{CRM}/logs"
ROW = {"identities": {"external_id": "1", "email": "ada@example.org"}, "fields": {"city": "Paris"}}
SENT = {"kind": "LOG_KIND_DELIVERY", "delivery": "spring", "broadlog_id": 1, "status": "DELIVERY_STATUS_SENT"}
TO = {"identity_namespace": "external_id", "identity": "1"}
FAILED = {"status": "DELIVERY_STATUS_FAILED", "failure_type": "FAILURE_TYPE_HARD", "failure_reason": 1}
BOUNCED = {**SENT, **FAILED, "identity_namespace": "email", "identity": "ada@example.org", "quarantine": True}
LISTED = {"identity": {"namespace": "email", "value": "bob@example.org"}, "channel": "email"}


def named(kind: str, one: str) -> str:
    return f"{CRM}/{kind}/{one}"


def update(kind: str, field: str, fields: dict, **rest) -> dict:
    """An update of one field."""
    return {kind: {**fields, field: "new"}, "update_mask": "displayName", **rest}


def child(kind: str, one: str, fields: dict) -> dict:
    return {"parent": CRM, f"{kind}_id": one, kind: fields}


IMPORT = [
    {"open": {"parent": CRM, "stream": {"stream": "i"}, "identity_namespaces": ["external_id"]}},
    {"finish": {}},
]

# What changes something: its request, or those of its stream, the chains that tell of it, and the resource. Consumers of
# a source, which are in the logs file, are cleared before and made after it.
WRITES = [
    ("CreateRole", {"role_id": "r", "role": {"scopes": ["SCOPE_AUDIT_READ"]}}, [CONTROL], "roles/r"),
    ("UpdateRole", update("role", "display_name", {"name": "roles/r"}), [CONTROL], "roles/r"),
    ("CreateCredential", {"credential_id": "c", "credential": {"roles": ["roles/r"]}}, [CONTROL], "credentials/c"),
    ("UpdateCredential", update("credential", "display_name", {"name": "credentials/c"}), [CONTROL], "credentials/c"),
    ("RotateCredential", {"name": "credentials/c"}, [CONTROL], "credentials/c"),
    ("RevokeCredential", {"name": "credentials/c"}, [CONTROL], "credentials/c"),
    ("DeleteCredential", {"name": "credentials/c"}, [CONTROL], "credentials/c"),
    ("DeleteRole", {"name": "roles/r"}, [CONTROL], "roles/r"),
    ("CreateInstance", {"instance_id": "crm", "instance": {}}, [CONTROL], CRM),
    ("UpdateInstance", update("instance", "display_name", {"name": CRM}), [CONTROL], CRM),
    ("CreateAttribute", child("attribute", "city", {"type": "ATTRIBUTE_TYPE_STRING"}), [PROFILES],
     named("attributes", "city")),
    ("UpdateAttribute", update("attribute", "display_name", {"name": named("attributes", "city")}), [PROFILES],
     named("attributes", "city")),
    ("CreateIdentityNamespace", child("identity_namespace", "card", {"kind": "KIND_PERSON",
     "normalization": "NORMALIZATION_TRIM"}), [PROFILES], named("identityNamespaces", "card")),
    ("UpdateIdentityNamespace", update("identity_namespace", "display_name",
     {"name": named("identityNamespaces", "card")}), [PROFILES], named("identityNamespaces", "card")),
    ("DeleteIdentityNamespace", {"name": named("identityNamespaces", "card")}, [PROFILES],
     named("identityNamespaces", "card")),
    ("CreateAudience", child("audience", "vip", {"kind": "KIND_LIST"}), [PROFILES], named("audiences", "vip")),
    ("UpdateAudience", update("audience", "display_name", {"name": named("audiences", "vip")}), [PROFILES],
     named("audiences", "vip")),
    ("CreateDestination", child("destination", "push", {"sync_type": "SYNC_TYPE_AUDIENCE_SYNC",
     "audiences": [{"source_id": "vip", "audience": "vip"}]}), [PROFILES], named("destinations", "push")),
    ("CreateDestination", child("destination", "sync", {"sync_type": "SYNC_TYPE_PROFILE_SYNC",
     "mappings": [{"source_field": "city", "attribute": "city"}]}), [PROFILES], named("destinations", "sync")),
    ("UpdateDestination", update("destination", "display_name", {"name": named("destinations", "sync")}), [PROFILES],
     named("destinations", "sync")),
    ("BatchImportProfiles", {"parent": CRM, "rows": [ROW]}, [PROFILES], CRM),
    ("ImportProfiles", IMPORT, [PROFILES], CRM),
    ("BatchUpdateProfiles", {"destination": named("destinations", "sync"), "rows": [
        {"identities": {"external_id": "1"}, "fields": {"city": "Lyon"}}]}, [PROFILES], named("destinations", "sync")),
    ("SyncProfiles", [{"open": {"destination": named("destinations", "sync"), "stream": {"stream": "s"},
     "identity_namespaces": ["external_id"], "fields": ["city"]}}, {"finish": {}}], [PROFILES], named("destinations", "sync")),
    ("BatchPushMembers", {"destination": named("destinations", "push"), "rows": [
        {"profile": {"identities": {"external_id": "1"}}, "audience": "vip"}]}, [PROFILES],
     named("destinations", "push")),
    ("PushMembers", [{"open": {"destination": named("destinations", "push"), "stream": {"stream": "p"},
     "identity_namespaces": ["external_id"], "audiences": ["vip"], "replace": {}}}], [PROFILES],
     named("destinations", "push")),
    ("AbandonReplace", {"stream": named("writeStreams", "p")}, [PROFILES], named("writeStreams", "p")),
    ("CreateDelivery", child("delivery", "spring", {"channel": "email"}), [LOGS], named("deliveries", "spring")),
    ("UpdateDelivery", update("delivery", "display_name", {"name": named("deliveries", "spring")}), [LOGS],
     named("deliveries", "spring")),
    ("CreateDelivery", child("delivery", "empty", {"channel": "email"}), [LOGS], named("deliveries", "empty")),
    ("BatchAppendLogs", {"parent": CRM, "rows": [{**SENT, **TO}, BOUNCED]}, [LOGS], CRM),
    ("AppendLogs", [{"open": {"parent": CRM, "stream": {"stream": "l"}}}, {"finish": {}}], [LOGS, PROFILES], CRM),
    ("CreateSource", child("source", "nightly", {"schema": "LOG_KIND_DELIVERY", "dataset": "d"}), [LOGS, LOGS, PROFILES],
     named("sources", "nightly")),
    ("UpdateSource", update("source", "display_name", {"name": named("sources", "nightly")}), [PROFILES],
     named("sources", "nightly")),
    ("CreateConsumer", {"parent": named("sources", "nightly"), "consumer_id": "daily", "consumer": {}}, [LOGS],
     named("sources", "nightly/consumers/daily")),
    ("UpdateConsumer", {"consumer": {"name": named("sources", "nightly/consumers/daily"), "pin_forever": True},
     "update_mask": "pinForever"}, [LOGS], named("sources", "nightly/consumers/daily")),
    ("Seek", {"name": named("sources", "nightly/consumers/daily"), "end": True}, [LOGS],
     named("sources", "nightly/consumers/daily")),
    ("Acknowledge", {"name": named("sources", "nightly/consumers/daily"), "cursor": "FILLED IN"}, [LOGS],
     named("sources", "nightly/consumers/daily")),
    ("DeleteConsumer", {"name": named("sources", "nightly/consumers/daily")}, [LOGS],
     named("sources", "nightly/consumers/daily")),
    ("ImportSuppressions", {"parent": CRM, "rows": [LISTED]}, [PROFILES], CRM),
    ("DeleteSuppressions", {"parent": CRM, "rows": [LISTED]}, [PROFILES], CRM),
    ("ReleaseQuarantinedAddress", {"parent": CRM, "identity": {"namespace": "email", "value": "ada@example.org"},
     "channel": "email"}, [PROFILES], CRM),
    ("CreateDenylistEntry", {"parent": CRM, "denylist_entry": {"profile": named("profiles", "1")}}, [PROFILES], CRM),
    ("DeleteDenylistEntry", {"profile": named("profiles", "1")}, [PROFILES], named("profiles", "1")),
    ("CreatePrivacyRequest", child("privacy_request", "copy", {"kind": "KIND_ACCESS", "identities": [
        {"namespace": "external_id", "value": "1"}]}), [PROFILES], named("privacyRequests", "copy")),
]
# After the exports, which need something to export.
ENDINGS = [
    ("DeletePrivacyRequest", {"name": named("privacyRequests", "copy")}, [PROFILES], named("privacyRequests", "copy")),
    ("DeleteProfile", {"name": named("profiles", "1")}, [PROFILES], named("profiles", "1")),
    ("DeleteWriteStream", {"name": named("writeStreams", "i")}, [PROFILES] * 2, named("writeStreams", "i")),
    ("PauseDestination", {"name": named("destinations", "push")}, [PROFILES], named("destinations", "push")),
    ("ResumeDestination", {"name": named("destinations", "push")}, [PROFILES], named("destinations", "push")),
    ("PauseDestination", {"name": named("destinations", "push")}, [PROFILES], named("destinations", "push")),
    ("DeleteDestination", {"name": named("destinations", "push")}, [PROFILES], named("destinations", "push")),
    ("PauseDestination", {"name": named("destinations", "sync")}, [PROFILES], named("destinations", "sync")),
    ("PauseSource", {"name": named("sources", "nightly")}, [PROFILES], named("sources", "nightly")),
    ("ResumeSource", {"name": named("sources", "nightly")}, [PROFILES], named("sources", "nightly")),
    ("PauseSource", {"name": named("sources", "nightly")}, [PROFILES], named("sources", "nightly")),
    ("DeleteSource", {"name": named("sources", "nightly")}, [PROFILES, LOGS], named("sources", "nightly")),
    ("DeleteDelivery", {"name": named("deliveries", "empty")}, [LOGS], named("deliveries", "empty")),
    ("DeleteAudience", {"name": named("audiences", "vip")}, [PROFILES], named("audiences", "vip")),
    ("DeleteDestination", {"name": named("destinations", "sync")}, [PROFILES], named("destinations", "sync")),
    ("DeleteAttribute", {"name": named("attributes", "city")}, [PROFILES], named("attributes", "city")),
    ("DeleteInstance", {"name": CRM}, [CONTROL], CRM),
]
SOME = -1
# What hands out data in bulk: chain, resource, rows.
EXPORTS = [
    ("StreamMembers", {"audience": named("audiences", "vip"), "reach": {"channel": "email"}}, PROFILES,
     named("audiences", "vip"), 1),
    ("ListMembers", {"parent": named("audiences", "vip"), "reach": {"channel": "email"}}, PROFILES,
     named("audiences", "vip"), 1),
    ("ListProfiles", {"parent": CRM}, PROFILES, CRM, 1),
    ("ExportLogs", {"name": CRM}, LOGS, CRM, 2),
    ("ListLogs", {"parent": CRM}, LOGS, CRM, 2),
    ("ListSuppressions", {"parent": CRM}, PROFILES, CRM, 0),
    ("ListQuarantinedAddresses", {"parent": CRM}, PROFILES, CRM, 0),
    ("ListDenylistEntries", {"parent": CRM}, PROFILES, CRM, 0),
    ("BatchGetProfiles", {"parent": CRM, "names": [named("profiles", "1")]}, PROFILES, CRM, 1),
    ("ListRowOutcomes", {"parent": named("writeStreams", "i")}, PROFILES, named("writeStreams", "i"), 0),
    ("StreamRowOutcomes", {"parent": named("writeStreams", "i")}, PROFILES, named("writeStreams", "i"), 0),
    ("Backup", {"backup_id": "b"}, CONTROL, "", 0),
    ("DownloadArchive", {"name": named("privacyRequests", "copy")}, PROFILES, named("privacyRequests", "copy"), SOME),
]
# What changes nothing and answers with several of something, and is no export all the same.
NO_EXPORTS = {
    "what the operator has set up, nobody's data": {
        "GetDestination", "GetSchema", "GetSource", "GetWriteStream", "ListAttributes", "ListAudiences", "ListConsumers",
        "ListCredentials", "ListDeliveries", "ListDestinations", "ListIdentityNamespaces", "ListInstances", "ListRoles",
        "ListSources", "ListWriteStreams",
    },
    "requests about persons, who are not in them": {"GetPrivacyRequest", "ListPrivacyRequests"},
    "numbers": {"CountMembers", "GetDeliveryReport", "GetUsage", "Reconcile"},
    "what the server found of itself": {"Examine", "ListAuditEntries", "VerifyAuditTrail"},
    "one person, whom the caller named": {"ExplainProfile", "GetProfile", "LookupProfile"},
}


class Caller:
    """Calls methods by name, each with a call id of its own, and reads what the trail tells of it."""

    def __init__(self, admin):
        self.admin = admin
        self.methods = {m.name: m for m in cells.all_methods()}
        self.trail = audit_service_pb2_grpc.AuditServiceStub(admin.channel)
        self.number = 0
        self.call_id = ""  # of the server, for the call made last

    def call(self, name: str, asked) -> tuple[list, str]:
        """The answers, and the id by which the trail tells of the call."""
        self.number += 1
        method = self.methods[name]
        described = method.descriptor
        request = message_factory.GetMessageClass(described.input_type)
        response = message_factory.GetMessageClass(described.output_type)
        requests = [json_format.ParseDict(one, request()) for one in (asked if isinstance(asked, list) else [asked])]
        kind = ("stream" if method.streams_in else "unary") + "_" + ("stream" if method.streams_out else "unary")
        invoke = getattr(self.admin.channel, kind)(
            method.path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        metadata = [*self.admin.metadata, ("x-call-id", f"call-{self.number}")]
        asked = iter(requests) if method.streams_in else requests[0]
        try:
            if method.streams_out:
                ended = invoke(asked, metadata=metadata, timeout=60)
                answers = list(ended)
            else:
                answer, ended = invoke.with_call(asked, metadata=metadata, timeout=60)
                answers = [answer]
        except grpc.RpcError as error:
            self.call_id = dict(error.trailing_metadata())["x-server-call-id"]
            raise
        self.call_id = dict(ended.trailing_metadata())["x-server-call-id"]
        return answers, self.call_id

    def told(self, call_id: str) -> list:
        request = audit_service_pb2.ListAuditEntriesRequest(call_id=call_id)
        page = self.trail.ListAuditEntries(request, metadata=self.admin.metadata, timeout=60)
        return list(page.entries)


@pytest.fixture(scope="module")
def walked():
    """Everything is called once; for each call its method, what was expected and what is told."""
    writes, exports, reads = [], [], []
    with GuardedServer() as server, server.access() as admin:
        caller = Caller(admin)

        def write(steps) -> None:
            for name, asked, chains, resource in steps:
                if name == "Acknowledge":
                    answers, _ = caller.call("GetConsumer", {"name": asked["name"]})
                    asked = {**asked, "cursor": answers[0].cursor}
                if name == "ReleaseQuarantinedAddress":
                    wait_for_quarantine(caller)
                try:
                    _, call_id = caller.call(name, asked)
                except grpc.RpcError as error:
                    # A stream that is not finished ends with an error, and has been opened all the same.
                    assert isinstance(asked, list) and len(asked) == 1, (name, error.details())
                    call_id = caller.call_id
                writes.append((name, chains, resource, caller.told(call_id)))

        write(WRITES)
        for name, asked, chain, resource, rows in EXPORTS:
            if name == "DownloadArchive":
                wait_for_archive(caller, asked["name"])
            _, call_id = caller.call(name, asked)
            exports.append((name, chain, resource, rows, caller.told(call_id)))
        reads += read_everything(caller)
        write(ENDINGS)
        yield caller, writes, exports, reads


def wait_for_quarantine(caller: Caller) -> None:
    """Bounces are followed from the log, soon."""
    until = time.monotonic() + cells.PATIENCE_SECONDS
    while not caller.call("ListQuarantinedAddresses", {"parent": CRM})[0][0].addresses:
        assert time.monotonic() < until, "the address that bounced is not in quarantine"
        time.sleep(0.05)


def wait_for_archive(caller: Caller, name: str) -> None:
    until = time.monotonic() + cells.PATIENCE_SECONDS
    while not caller.call("GetPrivacyRequest", {"name": name})[0][0].HasField("archive_expire_time"):
        assert time.monotonic() < until, "the archive is not made"
        time.sleep(0.05)


def read_everything(caller: Caller) -> list:
    """All other methods, with names of what exists; those that are refused count as well."""
    known = {step[0] for step in (*WRITES, *ENDINGS, *EXPORTS)}
    told = []
    for method in caller.methods.values():
        if method.name in known:
            continue
        for resource in (CRM, named("audiences", "vip"), named("profiles", "1"), named("sources", "nightly"),
                         named("deliveries", "spring"), named("writeStreams", "i"), named("destinations", "sync")):
            request = message_factory.GetMessageClass(method.descriptor.input_type)()
            cells.fill_with(request, resource, depth=3)
            try:
                caller.call(method.name, json_format.MessageToDict(request))
                code = grpc.StatusCode.OK
            except grpc.RpcError as error:
                code = error.code()
            told.append((method.name, code, caller.told(caller.call_id)))
    return told


def test_every_method_was_called(walked):
    caller, writes, exports, reads = walked
    called = {step[0] for step in (*writes, *exports, *reads)}
    assert called == set(caller.methods)
    fine = {name for name, code, _ in reads if code is grpc.StatusCode.OK}
    never = {name for name, _, _ in reads} - fine
    assert len(fine) > len(never), never


def test_methods_that_declare_to_export_are_those_that_do(walked):
    caller, _, exports, _ = walked
    declared = {
        method.name for method in caller.methods.values() if method.descriptor.GetOptions().Extensions[access_pb2.exports]
    }
    assert declared == {step[0] for step in exports}


def test_whatever_answers_with_many_is_an_export_or_is_told_why_not(walked):
    caller, writes, _, _ = walked
    many = {
        method.name
        for method in caller.methods.values()
        if method.streams_out or any(f.is_repeated and f.message_type for f in method.descriptor.output_type.fields)
    }
    declared = {
        method.name for method in caller.methods.values() if method.descriptor.GetOptions().Extensions[access_pb2.exports]
    }
    excepted = set().union(*NO_EXPORTS.values())
    assert not declared & excepted
    assert declared | excepted == many - {step[0] for step in writes}


def test_what_the_caller_calls_the_call_is_not_in_the_trail(walked):
    caller = walked[0]
    assert caller.told(f"call-{caller.number}") == []


def test_every_call_that_changed_something_is_told_once_in_each_of_its_transactions(walked):
    for name, chains, resource, told in walked[1]:
        by_chain = collections.Counter(entry.chain for entry in told)
        if walked[0].methods[name].streams_in:
            assert set(by_chain) == set(chains), (name, by_chain)  # opening and finishing are transactions of their own
        else:
            assert by_chain == collections.Counter(chains), (name, by_chain)
        for entry in told:
            assert entry.kind == entry.KIND_WRITE and entry.caller == "credentials/admin", entry
            assert entry.method.endswith("/" + name) and entry.resource == resource, entry
            assert entry.number > 0 and entry.commit_sequence > 0 and entry.HasField("commit_time"), entry


def test_rows_are_told_by_outcome(walked):
    rows = {name: told[0].counts for name, _, _, told in walked[1] if name.startswith("Batch")}
    assert {name: sum(count.rows for count in counts) for name, counts in rows.items()} == {
        "BatchImportProfiles": 1,
        "BatchUpdateProfiles": 1,
        "BatchPushMembers": 1,
        "BatchAppendLogs": 2,
    }


def test_every_export_is_told_with_its_rows(walked):
    for name, chain, resource, rows, told in walked[2]:
        kinds = [entry.kind for entry in told]
        entry = audit_service_pb2.ListAuditEntriesResponse().entries.add()
        begun = [entry.KIND_EXPORT_BEGUN] if walked[0].methods[name].streams_out else []
        assert kinds == [*begun, entry.KIND_EXPORT_ENDED], (name, told)
        assert {entry.chain for entry in told} == {chain} and {entry.resource for entry in told} == {resource}, told
        assert told[-1].exported_rows == rows or (rows == SOME and told[-1].exported_rows > 0), told
        assert all(entry.caller == "credentials/admin" for entry in told), told


def test_what_only_reads_or_is_refused_is_not_told(walked):
    for name, _, told in walked[3]:
        assert not told, (name, told)


def test_the_trail_is_as_it_was_written(walked):
    caller = walked[0]
    answers, _ = caller.call("VerifyAuditTrail", {})
    assert answers[-1].HasField("summary") and answers[-1].summary.findings == 0, answers
    heads = json_format.MessageToDict(answers[-1].summary)["heads"]
    again, _ = caller.call("VerifyAuditTrail", {"known_heads": heads})
    assert again[-1].summary.findings == 0, again
    heads[0] = {**heads[0], "number": "1000000", "mac": "00" * 32}
    lost, _ = caller.call("VerifyAuditTrail", {"known_heads": heads})
    assert [answer.finding.kind for answer in lost if answer.HasField("finding")] == [
        audit_service_pb2.VerifyAuditTrailResponse.Finding.KIND_HEAD_LOST
    ]


def refusal(caller: Caller, name: str, asked: dict) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(name, asked)
    return caught.value.code(), caught.value.details()


def test_requests_that_make_no_sense_are_refused(walked):
    caller = walked[0]
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    for field, value in (("caller", "somebody"), ("method", "a b"), ("call_id", "x y"), ("page_size", -1)):
        code, details = refusal(caller, "ListAuditEntries", {field: value})
        assert code is invalid and field in details, details
    assert refusal(caller, "ListAuditEntries", {"page_token": "none"})[0] is invalid
    assert refusal(caller, "ListAuditEntries", {"parent": "instances/nobody"})[0] is grpc.StatusCode.NOT_FOUND
    assert refusal(caller, "VerifyAuditTrail", {"parent": "instances/nobody"})[0] is grpc.StatusCode.NOT_FOUND
    for head in ({"chain": "other"}, {"chain": "control", "number": -1}, {"chain": "control", "number": 1, "mac": "0"}):
        code, details = refusal(caller, "VerifyAuditTrail", {"known_heads": [head]})
        assert code is invalid and "known_heads[0]" in details, details


def test_pages_hold_every_entry_once_in_order(walked):
    caller = walked[0]
    whole, token = [], ""
    while True:
        answers, _ = caller.call("ListAuditEntries", {"page_size": 3, "page_token": token})
        whole += answers[0].entries
        token = answers[0].next_page_token
        if not token:
            break
    assert len({(entry.chain, entry.number) for entry in whole}) == len(whole) > 10
    times = [entry.commit_time.ToMicroseconds() for entry in whole]
    assert times == sorted(times)
