// Durable streams: opened, written, taken over, finished, deleted.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

// The content of a record, as far as it decides whether two are the same.
template <class T>
bool SameContent(const T& a, const T& b) {
  return Describe(a) == Describe(b);
}

template <class T>
void Resend(const std::vector<T>& known, int count, std::vector<T>& rows) {
  rows.insert(rows.begin(), known.end() - count, known.end());
}

}  // namespace

std::string Model::TextOfStream(const Stream& stream) const {
  std::string text =
      absl::StrCat("OK next=", stream.next, " token=", stream.token,
                   stream.finished ? " finished" : "", stream.expired ? " expired" : "");
  if (stream.kind == Kind::kReplace && !wire_) {
    absl::StrAppend(&text, " replaces ", stream.audience, " as of ", times_(stream.as_of_us), " ",
                    stream.max_refused_percent, "%");
  }
  return text + "\n";
}

std::string Model::AudienceOf(const std::string& destination, const std::string& source_id) const {
  const auto found = world_.destinations.find(destination);
  if (found == world_.destinations.end()) return "";
  for (const auto& [source, audience] : found->second.spec.audiences) {
    if (source == source_id) return audience;
  }
  return "";
}

void Model::PrepareSend(Operation& op) const {
  const auto session = world_.sessions.find(op.session);
  if (session == world_.sessions.end()) {
    op.verb = Verb::kNothing;
    return;
  }
  const Plan& plan = session->second.plan;
  op.id = session->second.stream;
  op.kind = plan.kind;
  const bool logs = plan.kind == Kind::kAppend;
  if (logs) op.rows.clear();
  if (!logs) op.entries.clear();
  if (op.verb == Verb::kSend && op.rows.empty() && op.entries.empty()) op.verb = Verb::kNothing;
  std::set<std::string> fields;
  for (const PlanField& field : plan.fields) fields.insert(field.name);
  const auto found = world_.streams.find(op.id);
  if (found == world_.streams.end()) {
    RestrictRows(plan.kind, plan.namespaces, fields, op.rows);
    return;
  }
  const Stream& stream = found->second;
  op.total = stream.next + op.total_error;
  const bool same_kind = stream.kind == plan.kind;
  const auto known = static_cast<int>(same_kind ? stream.next : 0);
  const int resend = std::min(op.resend, known);
  if (op.only_known && resend > 0) op.rows.clear();
  if (op.only_known && resend > 0) op.entries.clear();
  if (logs) {
    Resend(stream.entries, resend, op.entries);
  } else {
    if (plan.kind == Kind::kReplace) {
      for (Row& row : op.rows) row.audience = plan.audiences.begin()->first;
    }
    Resend(stream.rows, resend, op.rows);
  }
  op.offset = stream.next - resend + op.skip;
  RestrictRows(plan.kind, plan.namespaces, fields, op.rows);
  if (!op.altered) return;
  if (logs) op.entries.front().message += 1000;
  if (!logs) op.rows.front().identities["external_id"] = "altered";
}

// Only what was opened can be carried, and what there is still.
void Model::RestrictRows(Kind kind, const std::set<std::string>& namespaces,
                         const std::set<std::string>& fields, std::vector<Row>& rows) const {
  for (Row& row : rows) {
    for (auto at = row.identities.begin(); at != row.identities.end();) {
      const bool there =
          namespaces.count(at->first) != 0 && world_.namespaces.count(at->first) != 0;
      at = there ? std::next(at) : row.identities.erase(at);
    }
    for (auto at = row.fields.begin(); at != row.fields.end();) {
      at = fields.count(at->first) != 0 ? std::next(at) : row.fields.erase(at);
    }
    if (fields.count(row.bad_field) == 0) row.bad_field.clear();
    if (!row.bad_field.empty()) row.fields.erase(row.bad_field);
    if (kind == Kind::kPush || kind == Kind::kReplace) continue;
    row.audience.clear();
    row.realized = true;
    row.qualified_us.reset();
  }
}

std::string Model::Open(const Operation& op) {
  op.kind == Kind::kAppend ? LogsCommit() : ProfilesCommit();
  Session session;
  session.stream = op.id;
  if (const std::string refused = MakePlan(op, session.plan); !refused.empty()) return refused;
  if (op.kind == Kind::kReplace) DropOldStagings();
  const auto found = world_.streams.find(op.id);
  if (found == world_.streams.end()) {
    if (op.must_exist) return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
    Stream made;
    made.kind = op.kind;
    made.target = op.target;
    if (op.kind == Kind::kReplace) {
      if (const std::string refused = BeginReplace(op, made); !refused.empty()) return refused;
    }
    world_.streams[op.id] = made;
  } else if (const std::string refused = OpenAgain(op, found->second); !refused.empty()) {
    return refused;
  }
  Stream& stream = world_.streams[op.id];
  session.epoch = stream.epoch = ++world_.epochs;
  stream.used_us = commit_us_;
  world_.sessions[op.session] = session;
  return TextOfStream(stream);
}

std::string Model::OpenAgain(const Operation& op, Stream& stream) {
  // Streams of logs are kept apart from the others; a name is taken for both, expired or not.
  const bool apart = (stream.kind == Kind::kAppend) != (op.kind == Kind::kAppend);
  if (apart) return Refuse("FAILED_PRECONDITION", "STREAM_KIND_MISMATCH");
  if (stream.expired) return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
  if (stream.kind != op.kind || stream.target != op.target) {
    return Refuse("FAILED_PRECONDITION", "STREAM_KIND_MISMATCH");
  }
  if (op.kind != Kind::kReplace || stream.finished) return "";
  if (AudienceOf(op.target, op.audience) != stream.audience) {
    return Refuse("FAILED_PRECONDITION", "STREAM_KIND_MISMATCH");
  }
  Staging* staging = StagingOf(op.id);
  if (staging == nullptr) return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
  if (op.max_refused_percent.has_value()) {
    staging->max_refused_percent = stream.max_refused_percent = *op.max_refused_percent;
  }
  return "";
}

std::string Model::Judge(const Session& session, const Operation& op, int64_t& known) const {
  const auto found = world_.streams.find(session.stream);
  if (found == world_.streams.end()) return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
  const Stream& stream = found->second;
  // Streams of logs are kept apart: the one that this session wrote was deleted.
  const bool logs = session.plan.kind == Kind::kAppend;
  if (logs != (stream.kind == Kind::kAppend)) return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
  if (stream.kind != session.plan.kind) {
    return Refuse("FAILED_PRECONDITION", "STREAM_KIND_MISMATCH");
  }
  if (stream.epoch != session.epoch) return Refuse("ABORTED", "EPOCH_FENCED");
  const auto count = static_cast<int64_t>(op.rows.size() + op.entries.size());
  if (stream.finished && op.offset + count > stream.next) {
    return Refuse("FAILED_PRECONDITION", "STREAM_FINISHED");
  }
  if (op.offset > stream.next) {
    return Refuse("OUT_OF_RANGE", "OFFSET_GAP", absl::StrCat("next_offset=", stream.next));
  }
  known = std::min(count, stream.next - op.offset);
  for (int64_t i = 0; i < known; ++i) {
    const int64_t at = op.offset + i;
    const bool same = stream.kind == Kind::kAppend ? SameContent(stream.entries[at], op.entries[i])
                                                   : SameContent(stream.rows[at], op.rows[i]);
    if (!same) {
      return Refuse("FAILED_PRECONDITION", "CONTENT_MISMATCH", absl::StrCat("offset=", at));
    }
  }
  return "";
}

std::string Model::Send(const Operation& op) {
  const Session session = world_.sessions.at(op.session);
  op.kind == Kind::kAppend ? LogsCommit() : ProfilesCommit();
  if (!session.ended.empty()) {
    world_.sessions.erase(op.session);
    return session.ended;
  }
  Ack ack;
  std::string refused = Judge(session, op, ack.known);
  const auto count = static_cast<int64_t>(op.rows.size() + op.entries.size());
  if (refused.empty() && ack.known < count) refused = CheckPlan(session.plan, session.stream);
  if (!refused.empty()) {
    world_.sessions.erase(op.session);
    return refused;
  }
  Stream& stream = world_.streams.at(session.stream);
  if (ack.known < count) {
    DecideRows(session.plan, op, ack.known, ack);
    stream.next = op.offset + count;
    stream.token = op.token;
    stream.used_us = commit_us_;
    stream.rows.insert(stream.rows.end(), op.rows.begin() + (op.rows.empty() ? 0 : ack.known),
                       op.rows.end());
    stream.entries.insert(stream.entries.end(),
                          op.entries.begin() + (op.entries.empty() ? 0 : ack.known),
                          op.entries.end());
  }
  const auto destination = world_.destinations.find(session.plan.destination);
  const bool all =
      destination != world_.destinations.end() && destination->second.spec.record_applied;
  for (const RowAnswer& row : ack.rows) {
    ++stream.totals[row.outcome];
    const bool listed =
        all || IsRefusal(row.outcome) || !row.stale.empty() || !row.out_of_scope.empty();
    if (listed) stream.outcomes.emplace_back(commit_us_, row);
  }
  ack.next = stream.next;
  ack.token = stream.token;
  return TextOf(ack, !wire_);
}

std::string Model::Finish(const Operation& op) {
  const Session session = world_.sessions.at(op.session);
  world_.sessions.erase(op.session);
  op.kind == Kind::kAppend ? LogsCommit() : ProfilesCommit();
  if (!session.ended.empty()) return session.ended;
  const auto found = world_.streams.find(session.stream);
  if (found == world_.streams.end()) return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
  Stream& stream = found->second;
  if (stream.epoch != session.epoch) return Refuse("ABORTED", "EPOCH_FENCED");
  if (op.total != stream.next) {
    return Refuse("FAILED_PRECONDITION", "TOTAL_MISMATCH",
                  absl::StrCat("next_offset=", stream.next));
  }
  if (!stream.finished && stream.kind == Kind::kReplace) {
    if (const std::string refused = PublishReplace(session.stream, stream); !refused.empty())
      return refused;
  }
  if (!stream.finished) stream.used_us = commit_us_;
  stream.finished = true;
  return absl::StrCat("OK next=", stream.next, "\n");
}

std::string Model::Leave(const Operation& op) {
  world_.sessions.erase(op.session);
  return "OK";
}

std::string Model::DeleteStream(const Operation& op) {
  ProfilesCommit();
  LogsCommit();
  const auto found = world_.streams.find(op.id);
  if (found == world_.streams.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  if (found->second.kind == Kind::kReplace && StagingOf(op.id) != nullptr) {
    world_.lists.at(found->second.list).staging.reset();
  }
  world_.streams.erase(found);
  return "OK";
}

std::string Model::Abandon(const Operation& op) {
  ProfilesCommit();
  const auto found = world_.streams.find(op.id);
  if (found == world_.streams.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  Stream& stream = found->second;
  if (stream.kind != Kind::kReplace) return Refuse("FAILED_PRECONDITION", "STREAM_KIND_MISMATCH");
  if (stream.expired) return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
  if (stream.finished) return Refuse("FAILED_PRECONDITION", "STREAM_FINISHED");
  stream.used_us = commit_us_;
  const Staging* staging = StagingOf(op.id);
  const int64_t records = staging == nullptr ? 0 : staging->records;
  if (staging != nullptr) world_.lists.at(stream.list).staging.reset();
  stream.finished = true;
  return absl::StrCat("OK ", records, " records");
}

std::string Model::ReadStreams() {
  std::string text = "OK\n";
  for (const auto& [id, stream] : world_.streams) {
    absl::StrAppend(&text, "  ", id, " kind ", static_cast<int>(stream.kind), " ", stream.target,
                    " ", TextOfStream(stream));
    for (const auto& [outcome, rows] : stream.totals) {
      if (rows != 0) absl::StrAppend(&text, "    ", outcome, "=", rows, "\n");
    }
  }
  return text;
}

std::string Model::ReadOutcomes(const Operation& op) {
  const auto found = world_.streams.find(op.id);
  if (found == world_.streams.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  std::string text = "OK\n";
  for (const auto& [at_us, row] : found->second.outcomes) {
    RowAnswer told = row;
    // Whether the ledger keeps the key of a row that must not come back is not compared.
    if (told.outcome == "SUPPRESSED") told.key.clear();
    absl::StrAppend(&text, TextOf(told));
  }
  return text;
}

}  // namespace passerelle::model
