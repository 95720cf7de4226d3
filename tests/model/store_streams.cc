#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/model/store_system.h"

namespace passerelle::model {
namespace {

using storage::StreamKind;

StreamKind KindOf(Kind kind) {
  switch (kind) {
    case Kind::kImport:
      return StreamKind::kImportProfiles;
    case Kind::kSync:
      return StreamKind::kSyncProfiles;
    case Kind::kPush:
      return StreamKind::kPushMembers;
    case Kind::kReplace:
      return StreamKind::kReplaceMembers;
    case Kind::kAppend:
      return StreamKind::kAppendLogs;
  }
  return StreamKind::kImportProfiles;
}

std::string TextOfStream(const storage::StreamState& stream, const TimeText& times) {
  std::string text =
      absl::StrCat("OK next=", stream.next_offset, " token=", stream.source_token,
                   stream.finished ? " finished" : "", stream.expired_us != 0 ? " expired" : "");
  if (stream.replace.has_value()) {
    absl::StrAppend(&text, " replaces ", stream.replace->audience, " as of ",
                    times(stream.replace->as_of_us.value_or(0)), " ",
                    stream.replace->max_refused_percent.value_or(0), "%");
  }
  return text + "\n";
}

bool HasTarget(Kind kind) { return kind != Kind::kImport && kind != Kind::kAppend; }

}  // namespace

std::string StoreSystem::Open(const Operation& op) {
  Session session;
  session.stream = op.id;
  if (const absl::Status made = MakePlan(op, session.plan); !made.ok()) return TextOf(made);
  storage::OpenStream open;
  open.stream = op.id;
  open.kind = KindOf(op.kind);
  if (HasTarget(op.kind)) open.target = op.target;
  open.must_exist = op.must_exist;
  open.clear_record_keys = true;
  if (op.kind == Kind::kReplace) {
    const auto destination = instance().flows().GetDestination(op.target, {});
    open.replace = storage::ReplaceOptions{"", op.as_of_us, op.max_refused_percent};
    for (const auto& audience : destination->audiences) {
      if (audience.source_id == op.audience) open.replace->audience = audience.audience;
    }
  }
  const auto opened = instance().streams().Open(open);
  if (!opened.ok()) return TextOf(opened.status());
  // Streams of logs are kept apart from the others, and so are their epochs.
  int64_t& epoch = epochs_[absl::StrCat(op.id, op.kind == Kind::kAppend ? " of logs" : "")];
  if (opened->value.epoch <= epoch) return absl::StrCat("epoch went back to ", opened->value.epoch);
  session.epoch = epoch = opened->value.epoch;
  sessions_[op.session] = session;
  return TextOfStream(opened->value, times_);
}

std::string StoreSystem::Send(const Operation& op) {
  const auto found = sessions_.find(op.session);
  if (found == sessions_.end()) return "there is no such session";
  const Session session = found->second;
  storage::WriteOptions options;
  options.position = storage::StreamPosition{session.stream, session.epoch, op.offset, op.token};
  if (planted_.Is(Plant::kDoubleOnRetry) && op.resend != 0) {
    (void)Submit(session.plan, op, {});
  }
  const AckOr ack = Submit(session.plan, op, options);
  LearnProfiles();
  if (ack.ok()) return TextOf(AckOf(*ack), true);
  sessions_.erase(op.session);
  return TextOf(ack.status());
}

std::string StoreSystem::Finish(const Operation& op) {
  const auto found = sessions_.find(op.session);
  if (found == sessions_.end()) return "there is no such session";
  const Session session = found->second;
  sessions_.erase(found);
  const auto finished = instance().streams().Finish(session.stream, session.epoch, op.total);
  if (!finished.ok()) return TextOf(finished.status());
  return absl::StrCat("OK next=", finished->value.next_offset, "\n");
}

std::string StoreSystem::Leave(const Operation& op) {
  sessions_.erase(op.session);
  return "OK";
}

std::string StoreSystem::DeleteStream(const Operation& op) {
  if (op.verb == Verb::kDeleteStream) {
    const auto deleted = instance().streams().DeleteStream(op.id);
    return deleted.ok() ? "OK" : TextOf(deleted.status());
  }
  const auto abandoned = instance().streams().AbandonReplace(op.id);
  if (!abandoned.ok()) return TextOf(abandoned.status());
  return absl::StrCat("OK ", abandoned->value, " records");
}

std::string StoreSystem::ReadStreams() {
  std::string text = "OK\n";
  std::string after;
  do {
    const auto page = instance().streams().ListStreams({after, 3}, {});
    if (!page.ok()) return TextOf(page.status());
    for (const storage::StreamState& stream : page->items) {
      absl::StrAppend(&text, "  ", stream.stream, " kind ", static_cast<int>(stream.kind) - 1, " ",
                      stream.target, " ", TextOfStream(stream, times_));
      storage::WriteAck totals;
      totals.counts = stream.totals;
      for (const auto& [outcome, rows] : AckOf(totals).counts) {
        absl::StrAppend(&text, "    ", outcome, "=", rows, "\n");
      }
    }
    after = page->next;
  } while (!after.empty());
  return text;
}

std::string StoreSystem::ReadOutcomes(const Operation& op) {
  std::string text = "OK\n";
  storage::OutcomeScan scan;
  scan.limit = 3;
  while (true) {
    const auto page = instance().streams().ListRowOutcomes(op.id, {}, scan, {});
    if (!page.ok()) return TextOf(page.status());
    for (const storage::RowResult& row : page->rows) {
      RowAnswer told = AnswerOf(row);
      if (told.outcome == "SUPPRESSED") told.key.clear();
      absl::StrAppend(&text, TextOf(told));
    }
    if (page->at_end) return text;
    scan.after_offset = page->after_offset;
  }
}

}  // namespace passerelle::model
