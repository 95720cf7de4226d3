"""A made-up person whose every value is found nowhere else, and what is known of them, by everything that can be said
over the wire."""

import dataclasses
import hashlib
import uuid

import live_server

live_server.use_client()

from passerelle import Row, ingest  # noqa: E402
from passerelle.v1 import (  # noqa: E402
    audience_sync_service_pb2,
    delivery_pb2,
    destination_pb2,
    destination_service_pb2,
    ingest_pb2,
    instance_pb2,
    instance_service_pb2,
    log_entry_pb2,
    log_service_pb2,
    privacy_pb2,
    privacy_service_pb2,
    profile_pb2,
    profile_service_pb2,
    profile_sync_service_pb2,
    suppression_pb2,
    suppression_service_pb2,
)

EMAIL = "zephyrine.quillfeather@example.org"
OTHER_EMAIL = "zq.second.address@example.org"  # known by its SHA-256 only
LATER_EMAIL = "zq.third.address@example.org"  # of nobody yet: an opt-out waits for it
PHONE = "+33698765431"
EXTERNAL_ID = "zq-external-7734921"
CARD = "zq-card-5519002"  # of a namespace of the instance's own
DEVICE = "81726354909988776655443322110099887766"  # ecid
CITY = "Quillfeather-sur-Marne"
NOTES = ("likes zq-violet-lanterns", "moved from zq-Oldharbour")
REASON = "zq asked on the telephone, ticket 883421"
BOUNCE = "550 mailbox of zephyrine.quillfeather is gone, zq-bounce-4471"
URL = "https://shop.example.org/basket?who=zq-basket-token-90817"
NAMELESS_URL = "https://shop.example.org/mirror?m=zq-nameless-token-55120"
URL_CATEGORY = "zq-category-3310"
BAD_PHONE = "zq-no-phone-1108"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def identities() -> dict[str, str]:
    return {"external_id": EXTERNAL_ID, "email": EMAIL, "phone": PHONE, "card": CARD, "ecid": DEVICE,
            "email_sha256": digest(OTHER_EMAIL)}


# What an archive of theirs must hold.
HELD = (EMAIL, digest(OTHER_EMAIL), PHONE, EXTERNAL_ID, CARD, DEVICE, CITY, *NOTES, REASON, BOUNCE, URL, NAMELESS_URL,
        URL_CATEGORY, LATER_EMAIL)
# What must be found nowhere after an erasure: as text in any case, as digits, as SHA-256 in hexadecimal and as bytes.
TEXTS = (EMAIL, "zephyrine", OTHER_EMAIL, LATER_EMAIL, PHONE, PHONE[1:], EXTERNAL_ID, CARD, DEVICE, "quillfeather", *NOTES,
         REASON, BOUNCE, "zq-basket-token-90817", "zq-nameless-token-55120", URL_CATEGORY, BAD_PHONE)


def marks() -> dict[str, bytes]:
    """What to search for, by how it is told."""
    found = {text: text.encode().lower() for text in TEXTS}
    for text in (EMAIL, OTHER_EMAIL, LATER_EMAIL, PHONE):
        found[f"SHA-256 of {text}"] = digest(text).encode()
        found[f"SHA-256 of {text}, bytes"] = bytes.fromhex(digest(text))
    return found


@dataclasses.dataclass
class Crowd:
    """Everybody else."""

    size: int

    def identities(self, n: int) -> dict[str, str]:
        return {"external_id": f"crowd-{n}", "email": f"crowd{n}@example.org", "phone": f"+3361000{n:04d}"}


class Planter:
    """Tells a server everything about the person, among others."""

    def __init__(self, client, crowd: Crowd):
        self.client, self.crowd = client, crowd
        self.messages: set[int] = set()  # broadlog ids of what went to the person
        self.erased_by: list[profile_pb2.Identity] = [
            profile_pb2.Identity(namespace="email", value=EMAIL),
            profile_pb2.Identity(namespace="email", value=LATER_EMAIL),
        ]
        self.token = ""
        self._returns = 0

    def plant(self) -> None:
        self._prepare()
        self._import()
        self._push()
        self._sync()
        self._call_unary()
        self._append_logs()
        self._deny()

    def _call(self, stub, method, request):
        return self.client.call(getattr(getattr(self.client.stubs, stub), method), request)

    def _prepare(self) -> None:
        self.client.create_attribute("city", "STRING")
        self.client.create_attribute("notes", "STRING_LIST")
        self.client.create_attribute("email_ok", "BOOL", instance_pb2.Consent(channel="email"))
        self.client.create_attribute("post_ok", "BOOL", instance_pb2.Consent(channel="post"))
        card = instance_pb2.IdentityNamespace(kind="KIND_PERSON", normalization="NORMALIZATION_TRIM")
        self._call("instances", "CreateIdentityNamespace", instance_service_pb2.CreateIdentityNamespaceRequest(
            parent=self.client.instance, identity_namespace_id="card", identity_namespace=card))
        audiences = [destination_pb2.DestinationAudience(source_id=name) for name in ("vip", "regulars", "waiting")]
        mapping = destination_pb2.FieldMapping(source_field="town", attribute="city")
        for name, fields in (
            ("push", {"sync_type": "SYNC_TYPE_AUDIENCE_SYNC", "audiences": audiences}),
            ("crm", {"sync_type": "SYNC_TYPE_PROFILE_SYNC", "mappings": [mapping], "record_applied_rows": True}),
        ):
            self._call("destinations", "CreateDestination", destination_service_pb2.CreateDestinationRequest(
                parent=self.client.instance, destination_id=name, destination=destination_pb2.Destination(**fields)))
        for name in ("spring", "summer"):
            self._call("logs", "CreateDelivery", log_service_pb2.CreateDeliveryRequest(
                parent=self.client.instance, delivery_id=name, delivery=delivery_pb2.Delivery(channel="email")))

    # ---- streams that keep record keys in clear ----

    def _run(self, method, request, opening: dict, encoder, rows, stream: str) -> ingest.IngestResult:
        options = ingest_pb2.StreamOptions(stream=stream, clear_record_keys=True)
        return ingest.Ingest(method, request, request.Open(stream=options, **opening), encoder).run(rows)

    def _import(self) -> None:
        names = ["external_id", "email", "phone", "card", "ecid", "email_sha256"]
        types = self.client.attribute_types()
        fields = ["city", "notes", "email_ok"]
        request = profile_service_pb2.ImportProfilesRequest
        rows = [Row(identities=self.crowd.identities(n), fields={"city": "Lyon", "email_ok": True}, record_key=f"crowd-{n}")
                for n in range(self.crowd.size)]
        person = Row(identities=identities(), fields={"city": CITY, "notes": list(NOTES), "email_ok": True}, record_key=EMAIL)
        refused = Row(identities={"email": EMAIL, "phone": BAD_PHONE}, fields={"city": CITY}, record_key=EMAIL)
        rows[len(rows) // 2 : len(rows) // 2] = [person, refused]
        encoder = ingest.record_encoder(request.Batch, names, {name: types[name] for name in fields})
        result = self._run(self.client.stubs.profiles.ImportProfiles, request,
                           {"parent": self.client.instance, "identity_namespaces": names, "fields": fields}, encoder, rows,
                           "people")
        assert result.counts == {"CREATED": self.crowd.size + 1, "REJECTED": 1}, result.counts

    def _push(self) -> None:
        request = audience_sync_service_pb2.PushMembersRequest
        names = ["external_id", "email"]
        everybody = [Row(identities={"external_id": f"crowd-{n}"}, record_key=f"crowd-{n}") for n in range(self.crowd.size)]
        for audience, replaces in (("vip", False), ("regulars", True)):
            rows = [dataclasses.replace(row, audience=audience) for row in everybody]
            rows.insert(3, Row(identities={"email": EMAIL}, record_key=EMAIL, audience=audience))
            if not replaces:
                rows.insert(5, Row(identities={"email": LATER_EMAIL}, record_key=LATER_EMAIL, audience=audience))
            opening = {"destination": self.client.name("destinations", "push"), "identity_namespaces": names,
                       "audiences": [audience]}
            if replaces:
                opening["replace"] = request.Replace()
            encoder = ingest.push_encoder(request.Batch, names, {}, [audience])
            result = self._run(self.client.stubs.audience_sync.PushMembers, request, opening, encoder, rows,
                               f"{audience}-rows")
            assert result.counts.get("NOT_FOUND", 0) == (not replaces), result.counts
        self._leave_staged(request)

    def _leave_staged(self, request) -> None:
        """A replace that is begun and not finished keeps rows of its own."""
        options = ingest_pb2.StreamOptions(stream="waiting-rows", clear_record_keys=True)
        opening = request.Open(destination=self.client.name("destinations", "push"), stream=options,
                               identity_namespaces=["email"], audiences=["waiting"], replace=request.Replace())
        rows = [Row(identities={"email": EMAIL}, record_key=EMAIL, audience="waiting")]
        batch = ingest.push_encoder(request.Batch, ["email"], {}, ["waiting"])(0, rows)
        answers = self.client.stubs.audience_sync.PushMembers(iter([request(open=opening), request(batch=batch)]), timeout=60)
        told = []
        try:
            told.extend(answers)
        except Exception:  # noqa: BLE001 - it ends without Finish, on purpose
            pass
        assert told[-1].ack.received == 1, told

    def _sync(self) -> None:
        request = profile_sync_service_pb2.SyncProfilesRequest
        rows = [Row(identities={"email": f"crowd{n}@example.org"}, fields={"town": "Paris"}, record_key=f"crowd-{n}")
                for n in range(20)]
        rows += [Row(identities={"email": EMAIL}, fields={"town": CITY}, record_key=EMAIL),
                 Row(identities={"email": LATER_EMAIL}, fields={"town": CITY}, record_key=LATER_EMAIL)]
        types = {"town": self.client.attribute_types()["city"]}
        encoder = ingest.record_encoder(request.Batch, ["email"], types)
        result = self._run(self.client.stubs.profile_sync.SyncProfiles, request,
                           {"destination": self.client.name("destinations", "crm"), "identity_namespaces": ["email"],
                            "fields": ["town"]}, encoder, rows, "towns")
        assert result.counts == {"UPDATED": 20, "UNCHANGED": 1, "NOT_FOUND": 1}, result.counts

    # ---- calls that are answered again ----

    def _call_unary(self) -> None:
        def row(namespace, value, **more):
            return profile_pb2.ProfileRow(identities={namespace: value}, record_key=value, **more)

        known, unknown = row("email", EMAIL), row("email", LATER_EMAIL)
        refused = profile_pb2.ProfileRow(identities={"email": EMAIL, "phone": BAD_PHONE}, record_key=EMAIL)
        self._call("profiles", "BatchImportProfiles", profile_service_pb2.BatchImportProfilesRequest(
            parent=self.client.instance, rows=[known, refused], request_id=str(uuid.uuid4())))
        self._call("profile_sync", "BatchUpdateProfiles", profile_sync_service_pb2.BatchUpdateProfilesRequest(
            destination=self.client.name("destinations", "crm"), rows=[known, unknown], request_id=str(uuid.uuid4())))
        members = [audience_sync_service_pb2.MembershipRow(profile=profile, audience="vip") for profile in (known, unknown)]
        self._call("audience_sync", "BatchPushMembers", audience_sync_service_pb2.BatchPushMembersRequest(
            destination=self.client.name("destinations", "push"), rows=members, request_id=str(uuid.uuid4())))

    # ---- logs, and what follows from them ----

    def _append_logs(self) -> None:
        rows = []
        for n in range(self.crowd.size):
            rows.append(self._sent("spring", n + 1, "email", f"crowd{n}@example.org"))
            rows.append(self._tracked("spring", n + 1, "CLICK", n + 1, "email", f"crowd{n}@example.org",
                                      url="https://shop.example.org/"))
        self.messages = {900_001, 900_002, 900_003, 900_004}
        rows[7:7] = [
            self._sent("spring", 900_001, "email", EMAIL),
            self._sent("spring", 900_002, "external_id", EXTERNAL_ID),
            self._sent("summer", 900_003, "email_sha256", digest(OTHER_EMAIL)),
            self._tracked("spring", 900_001, "CLICK", 900_001, "email", EMAIL, url=URL, url_category=URL_CATEGORY),
            self._tracked("spring", 900_002, "MIRROR_PAGE", 900_002, "", "", url=NAMELESS_URL),
            self._tracked("spring", 900_001, "OPT_OUT", 900_003, "phone", PHONE),
            self._tracked("summer", 900_004, "OPT_OUT", 900_004, "email", LATER_EMAIL),
            log_entry_pb2.LogEntry(
                kind="LOG_KIND_DELIVERY", delivery="summer", broadlog_id=900_004, status="DELIVERY_STATUS_FAILED",
                failure_type="FAILURE_TYPE_HARD", failure_reason=1, reason_message=BOUNCE, identity_namespace="email",
                identity=EMAIL),
            log_entry_pb2.LogEntry(
                kind="LOG_KIND_DELIVERY", delivery="spring", broadlog_id=1, status="DELIVERY_STATUS_FAILED",
                failure_type="FAILURE_TYPE_HARD", failure_reason=1, reason_message="550 no such user",
                identity_namespace="email", identity="crowd0@example.org"),
        ]
        result = self.client.append_logs(rows, stream="log-rows")
        assert result.counts == {"APPENDED": len(rows)}, result.counts
        unary = self._tracked("spring", 900_001, "OPEN", 900_005, "email", EMAIL, url=URL)
        answer = self._call("logs", "BatchAppendLogs", log_service_pb2.BatchAppendLogsRequest(
            parent=self.client.instance, rows=[unary], request_id=str(uuid.uuid4())))
        self.token = answer.commit_token

    @staticmethod
    def _sent(delivery, message, namespace, value):
        return log_entry_pb2.LogEntry(kind="LOG_KIND_DELIVERY", delivery=delivery, broadlog_id=message,
                                      status="DELIVERY_STATUS_SENT", identity_namespace=namespace, identity=value)

    @staticmethod
    def _tracked(delivery, message, kind, number, namespace, value, **more):
        return log_entry_pb2.LogEntry(kind="LOG_KIND_TRACKING", delivery=delivery, broadlog_id=message,
                                      tracking_log_id=number, tracking_kind=f"TRACKING_KIND_{kind}",
                                      identity_namespace=namespace, identity=value, **more)

    def profile(self, email: str = EMAIL) -> str:
        lookup = profile_service_pb2.LookupProfileRequest(
            parent=self.client.instance, identity={"namespace": "email", "value": email}, commit_token=self.token)
        return self._call("profiles", "LookupProfile", lookup).name

    def _deny(self) -> None:
        for email, reason in ((EMAIL, REASON), ("crowd1@example.org", "asked for it")):
            entry = suppression_pb2.DenylistEntry(profile=self.profile(email), channel="email", reason=reason)
            self._call("suppressions", "CreateDenylistEntry", suppression_service_pb2.CreateDenylistEntryRequest(
                parent=self.client.instance, denylist_entry=entry))

    # ---- what they ask ----

    def ask(self, kind: str, name: str) -> privacy_pb2.PrivacyRequest:
        request = privacy_pb2.PrivacyRequest(kind=f"KIND_{kind}", identities=self.erased_by)
        return self._call("privacy", "CreatePrivacyRequest", privacy_service_pb2.CreatePrivacyRequestRequest(
            parent=self.client.instance, privacy_request_id=name, privacy_request=request))

    def come_back(self) -> dict[str, dict[str, int]]:
        """Sends the person anew in every way, and says what became of it."""
        def row(namespace, value):
            return profile_pb2.ProfileRow(identities={namespace: value}, record_key="again")

        rows = [row(namespace, value) for namespace, value in identities().items()]
        rows += [row("email_sha256", digest(EMAIL)), row("email", LATER_EMAIL), row("phone_sha256", digest(PHONE))]
        update = [profile_pb2.ProfileRow(identities={"email": EMAIL}, fields={"town": {"string_value": CITY}})]
        members = [audience_sync_service_pb2.MembershipRow(profile=row("email", EMAIL), audience="vip")]
        logs = [self._sent("spring", 900_010, "email", EMAIL),
                self._tracked("spring", 900_010, "CLICK", 900_011, "phone", PHONE, url=URL)]
        here = self.client
        answers = {
            "import": self._call("profiles", "BatchImportProfiles", profile_service_pb2.BatchImportProfilesRequest(
                parent=here.instance, rows=rows)),
            "sync": self._call("profile_sync", "BatchUpdateProfiles", profile_sync_service_pb2.BatchUpdateProfilesRequest(
                destination=here.name("destinations", "crm"), rows=update)),
            "push": self._call("audience_sync", "BatchPushMembers", audience_sync_service_pb2.BatchPushMembersRequest(
                destination=here.name("destinations", "push"), rows=members)),
            "logs": self._call("logs", "BatchAppendLogs", log_service_pb2.BatchAppendLogsRequest(
                parent=here.instance, rows=logs)),
        }
        told = {kind: {ingest.outcome_name(count.outcome): count.rows for count in answer.counts if count.rows}
                for kind, answer in answers.items()}
        return {**told, "stream": self._come_back_by_stream()}

    def _come_back_by_stream(self) -> dict[str, int]:
        """What is suppressed is recorded, too, and its record keys are kept in clear."""
        self._returns += 1
        request = profile_service_pb2.ImportProfilesRequest
        rows = [Row(identities={"email": value}, record_key=value) for value in (EMAIL, LATER_EMAIL)]
        encoder = ingest.record_encoder(request.Batch, ["email"], {})
        return dict(self._run(self.client.stubs.profiles.ImportProfiles, request,
                              {"parent": self.client.instance, "identity_namespaces": ["email"], "fields": []}, encoder,
                              rows, f"back-{self._returns}").counts)
