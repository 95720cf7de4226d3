#include "tests/model/words.h"

#include <openssl/sha.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace passerelle::model {
namespace {

constexpr const char* kVerbs[] = {"nothing",
                                  "create attribute",
                                  "update attribute",
                                  "delete attribute",
                                  "create namespace",
                                  "delete namespace",
                                  "create audience",
                                  "delete audience",
                                  "create destination",
                                  "update destination",
                                  "pause",
                                  "resume",
                                  "delete destination",
                                  "create delivery",
                                  "update delivery",
                                  "delete delivery",
                                  "create consumer",
                                  "delete consumer",
                                  "consume",
                                  "seek",
                                  "batch",
                                  "delete profile",
                                  "erase",
                                  "open",
                                  "send",
                                  "finish",
                                  "leave",
                                  "delete stream",
                                  "abandon replace",
                                  "restart",
                                  "jump",
                                  "back up",
                                  "restore",
                                  "read profiles",
                                  "read members",
                                  "note",
                                  "read noted",
                                  "follow",
                                  "read streams",
                                  "read outcomes",
                                  "read logs",
                                  "read report",
                                  "read flows"};
constexpr const char* kKinds[] = {"import", "sync", "push", "replace", "append"};

// Relative to a round moment, so that it can be read.
std::string Relative(int64_t us) {
  constexpr int64_t kRound = int64_t{1'700'000'000} * kSecondUs;
  return absl::StrCat((us - kRound) / kSecondUs, "s");
}

std::string Describe(const Value& value) {
  return value.null ? "null" : absl::StrCat("'", value.text, "'");
}

std::string Describe(const DestinationSpec& spec) {
  std::string text = spec.audience_sync ? " AUDIENCE_SYNC" : " PROFILE_SYNC";
  for (const auto& [source, audience] : spec.audiences) {
    absl::StrAppend(&text, " ", source, "->", audience);
  }
  for (const MappingSpec& m : spec.mappings) {
    absl::StrAppend(&text, " [", m.source_field, "->", m.attribute, m.identity, " ", m.policy,
                    m.mandatory ? " mandatory]" : "]");
  }
  absl::StrAppend(&text, " order=", absl::StrJoin(spec.order, ","));
  if (spec.first_match) absl::StrAppend(&text, " FIRST_MATCH");
  if (spec.on_unknown == Unknown::kCreate) absl::StrAppend(&text, " CREATE");
  if (spec.on_unknown == Unknown::kKeep) absl::StrAppend(&text, " KEEP_AS_UNKNOWN");
  if (spec.keep_on_unmap) absl::StrAppend(&text, " keep on unmap");
  if (spec.record_applied) absl::StrAppend(&text, " records applied rows");
  return text;
}

std::string DescribeStream(const Operation& op) {
  std::string text;
  if (!op.session.empty()) absl::StrAppend(&text, " session=", op.session);
  if (op.resend != 0) absl::StrAppend(&text, " resend=", op.resend);
  if (op.skip != 0) absl::StrAppend(&text, " skip=", op.skip);
  if (op.altered) absl::StrAppend(&text, " altered");
  if (op.must_exist) absl::StrAppend(&text, " must exist");
  if (op.total_error != 0) absl::StrAppend(&text, " total off by ", op.total_error);
  if (op.as_of_us.has_value()) absl::StrAppend(&text, " as_of=", Relative(*op.as_of_us));
  if (op.max_refused_percent.has_value()) {
    absl::StrAppend(&text, " max_refused=", *op.max_refused_percent);
  }
  if (op.verb == Verb::kSend) absl::StrAppend(&text, " offset=", op.offset);
  return text;
}

std::string Describe(const AttributeSpec& spec) {
  std::string text = absl::StrCat(" ", spec.type, spec.read_only ? " read-only" : "");
  if (spec.consent) {
    absl::StrAppend(&text, " consent ", spec.channel, "/", spec.purpose,
                    spec.opt_in_required ? " opt-in required" : "");
  }
  return text;
}

std::string DescribeSchema(const Operation& op) {
  if (op.verb == Verb::kCreateAttribute) return Describe(op.attribute);
  if (op.verb == Verb::kCreateDestination || op.verb == Verb::kUpdateDestination) {
    return Describe(op.destination);
  }
  if (op.verb == Verb::kCreateDelivery || op.verb == Verb::kUpdateDelivery) {
    return absl::StrCat(" ", op.channel, "/", op.purpose, " ", absl::StrJoin(op.audiences, ","));
  }
  if (op.verb == Verb::kJump) return absl::StrCat(" ", op.jump_us / kSecondUs, "s");
  if (op.verb == Verb::kDeleteProfile || op.verb == Verb::kErase) {
    return absl::StrCat(" ", op.identity.first, ":", op.identity.second);
  }
  return "";
}

}  // namespace

std::string Describe(const Row& row) {
  std::string text = row.key;
  for (const auto& [ns, value] : row.identities) absl::StrAppend(&text, " ", ns, ":", value);
  for (const auto& [field, value] : row.fields) {
    absl::StrAppend(&text, " ", field, "=", Describe(value));
  }
  if (row.event_us.has_value()) absl::StrAppend(&text, " @", Relative(*row.event_us));
  if (!row.bad_field.empty()) absl::StrAppend(&text, " BAD ", row.bad_field);
  if (!row.audience.empty()) {
    absl::StrAppend(&text, row.realized ? " enters " : " exits ", row.audience);
  }
  if (row.qualified_us.has_value()) absl::StrAppend(&text, " at ", Relative(*row.qualified_us));
  return text;
}

std::string Describe(const Entry& entry) {
  std::string text = absl::StrCat(entry.key, entry.tracking ? " tracking " : " delivery ",
                                  entry.delivery, " message ", entry.message);
  if (entry.tracking) {
    absl::StrAppend(&text, " id ", entry.tracking_id, " kind ", entry.tracking_kind);
  } else {
    absl::StrAppend(&text, " status ", entry.status, " failure ", entry.failure_type, "/",
                    entry.failure_reason);
  }
  if (entry.seed) absl::StrAppend(&text, " seed");
  if (!entry.ns.empty()) absl::StrAppend(&text, " ", entry.ns, ":", entry.identity);
  if (entry.event_us.has_value()) absl::StrAppend(&text, " @", Relative(*entry.event_us));
  return text;
}

std::string Describe(const Operation& op) {
  std::string text = absl::StrCat(kVerbs[static_cast<int>(op.verb)], " ", op.id);
  if (op.verb == Verb::kBatch || op.verb == Verb::kOpen) {
    absl::StrAppend(&text, " ", kKinds[static_cast<int>(op.kind)], " ", op.target,
                    " fields=", absl::StrJoin(op.fields, ","));
  }
  absl::StrAppend(&text, DescribeSchema(op), DescribeStream(op));
  if (!op.audience.empty()) absl::StrAppend(&text, " audience=", op.audience);
  if (!op.request_id.empty()) absl::StrAppend(&text, " request=", op.request_id);
  if (op.all_or_nothing) absl::StrAppend(&text, " all or nothing");
  for (const Row& row : op.rows) absl::StrAppend(&text, "\n      ", Describe(row));
  for (const Entry& entry : op.entries) absl::StrAppend(&text, "\n      ", Describe(entry));
  return text;
}

bool IsRefusal(const std::string& outcome) {
  return outcome == "REJECTED" || outcome == "AMBIGUOUS" || outcome == "NOT_FOUND" ||
         outcome == "OUT_OF_SCOPE" || outcome == "STALE" || outcome == "SUPPRESSED";
}

std::string TextOf(const RowAnswer& row) {
  std::string text = absl::StrCat("  ", row.offset, " ", row.key, " ", row.outcome);
  if (!row.reason.empty()) absl::StrAppend(&text, " ", row.reason);
  if (!row.field.empty()) absl::StrAppend(&text, " (", row.field, ")");
  if (!row.stale.empty()) absl::StrAppend(&text, " stale=", absl::StrJoin(row.stale, ","));
  if (!row.out_of_scope.empty()) {
    absl::StrAppend(&text, " out_of_scope=", absl::StrJoin(row.out_of_scope, ","));
  }
  absl::StrAppend(&text, row.created ? " created" : "", row.membership ? " membership" : "",
                  row.attributes ? " attributes" : "", row.unknown ? " unknown" : "", "\n");
  return text;
}

std::string TextOf(const Ack& ack, bool every_row) {
  std::string text = absl::StrCat(
      "OK next=", ack.next, " received=", ack.received, " known=", ack.known, " token=", ack.token,
      ack.repeated ? " repeated" : "", ack.unverified ? " unverified" : "");
  for (const auto& [outcome, rows] : ack.counts) absl::StrAppend(&text, " ", outcome, "=", rows);
  absl::StrAppend(&text, "\n");
  for (const RowAnswer& row : ack.rows) {
    const bool listed = IsRefusal(row.outcome) || !row.stale.empty() || !row.out_of_scope.empty();
    if (every_row || listed) absl::StrAppend(&text, TextOf(row));
  }
  return text;
}

std::string HashOf(const std::string& value) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(value.data()), value.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

std::string TimeText::operator()(int64_t us) const {
  if (!exact && given.count(us) == 0) return "commit";
  return absl::StrCat(us - base_us);
}

std::string System::Do(const Operation& op) {
  Begin(op);
  switch (op.verb) {
    case Verb::kNothing:
      return kNothing;
    case Verb::kCreateAttribute:
    case Verb::kUpdateAttribute:
    case Verb::kDeleteAttribute:
      return ChangeAttribute(op);
    case Verb::kCreateNamespace:
    case Verb::kDeleteNamespace:
      return ChangeNamespace(op);
    case Verb::kCreateAudience:
    case Verb::kDeleteAudience:
      return ChangeAudience(op);
    case Verb::kCreateDestination:
    case Verb::kUpdateDestination:
    case Verb::kPause:
    case Verb::kResume:
    case Verb::kDeleteDestination:
      return ChangeDestination(op);
    case Verb::kCreateDelivery:
    case Verb::kUpdateDelivery:
    case Verb::kDeleteDelivery:
      return ChangeDelivery(op);
    case Verb::kCreateConsumer:
    case Verb::kDeleteConsumer:
      return ChangeConsumer(op);
    case Verb::kConsume:
      return Consume(op);
    case Verb::kSeek:
      return Seek(op);
    case Verb::kBatch:
      return Batch(op);
    case Verb::kDeleteProfile:
      return DeleteProfile(op);
    case Verb::kErase:
      return Erase(op);
    case Verb::kOpen:
      return Open(op);
    case Verb::kSend:
      return Send(op);
    case Verb::kFinish:
      return Finish(op);
    case Verb::kLeave:
      return Leave(op);
    case Verb::kDeleteStream:
      return DeleteStream(op);
    case Verb::kAbandon:
      return Abandon(op);
    case Verb::kRestart:
      return Restart(op);
    case Verb::kJump:
      return Jump(op);
    case Verb::kBackup:
      return Backup();
    case Verb::kRestore:
      return Restore();
    case Verb::kReadProfiles:
      return ReadProfiles();
    case Verb::kReadMembers:
      return ReadMembers(op);
    case Verb::kNote:
      return TakeNote(op);
    case Verb::kReadNoted:
      return ReadNoted(op);
    case Verb::kFollow:
      return Follow(op);
    case Verb::kReadStreams:
      return ReadStreams();
    case Verb::kReadOutcomes:
      return ReadOutcomes(op);
    case Verb::kReadLogs:
      return ReadLogs(op);
    case Verb::kReadReport:
      return ReadReport(op);
    case Verb::kReadFlows:
      return ReadFlows();
  }
  return "";
}

}  // namespace passerelle::model
