#include "storage/sqlite/log_messages.h"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/types/span.h"
#include "storage/sqlite/message_opt_outs.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kInsert[] =
    "INSERT INTO message(delivery, broadlog_id, status, failure_type, failure_reason, apart, "
    "event_us, seq, early_clicks, early_opens, early_opt_outs, identity_seq) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING";
constexpr char kGet[] =
    "SELECT status, failure_type, failure_reason, apart, event_us, seq, early_clicks, "
    "early_opens, early_opt_outs, identity_seq FROM message "
    "WHERE delivery = ?1 AND broadlog_id = ?2";
constexpr char kUpdate[] =
    "UPDATE message SET status = ?3, failure_type = ?4, failure_reason = ?5, apart = ?6, "
    "event_us = ?7, seq = ?8, early_clicks = ?9, early_opens = ?10, early_opt_outs = ?11, "
    "identity_seq = ?12 "
    "WHERE delivery = ?1 AND broadlog_id = ?2";
constexpr char kIsErased[] =
    "SELECT 1 FROM message WHERE delivery = ?1 AND broadlog_id = ?2 AND identity_seq = -1";

// Instead of an identity's sequence: of somebody who was erased. For ever.
constexpr int64_t kErased = -1;
// Kinds of tracking rows whose totals are reported: 1 click, 2 open, 3 opt-out.
constexpr int kReportedKinds = 3;

// A row of the table.
struct Message {
  int32_t status = 0;
  int32_t failure_type = 0;
  int32_t failure_reason = 0;
  bool apart = false;
  int64_t event_us = 0;
  int64_t seq = 0;
  std::array<int64_t, kReportedKinds> early{};
  int64_t identity_seq = 0;  // of the delivery row whose identity is the message's; 0: none yet;
                             // kErased
};

// What a group of rows makes of a message.
struct Merged {
  Message message;
  bool changed = false;
  bool first_status = false;                        // the first delivery row is among them
  bool was_early = false;                           // and tracking rows came before it
  std::array<int64_t, kReportedKinds> forgotten{};  // early rows of what proved to be apart
  MessageOptOuts opt_outs;
};

using Group = absl::Span<const MessageEvent>;

bool IsFlagged(const LogRow& row) { return (row.flags & (kSeed | kProof)) != 0; }

bool IsCounted(const Message& message, const LogRow& row) {
  return row.kind == LogKind::kTracking && !IsFlagged(row) && !message.apart;
}

void MergeStatus(const MessageEvent& event, Merged& merged) {
  Message& message = merged.message;
  const LogRow& row = *event.row;
  if (message.status == 0) {
    merged.first_status = true;
    message.apart = IsFlagged(row);
    if (message.apart) merged.forgotten = message.early;
    message.early = {};
  } else if (event.event_us < message.event_us) {
    return;
  }
  message.status = row.status;
  message.failure_type = row.failure_type;
  message.failure_reason = row.failure_reason;
  message.event_us = event.event_us;
  message.seq = event.seq;
  merged.changed = true;
}

void MergeTracking(const LogRow& row, Merged& merged) {
  if (merged.message.status != 0 || !IsCounted(merged.message, row)) return;
  merged.was_early = true;
  merged.changed = true;
  const int kind = row.tracking_kind;
  if (kind >= 1 && kind <= kReportedKinds) ++merged.message.early[kind - 1];
}

// What waited for an identity was theirs too.
void NoteErased(Merged& merged) {
  merged.changed |= merged.message.identity_seq != kErased;
  merged.message.identity_seq = kErased;
  merged.opt_outs.waiting_us.reset();
}

// The identity of the present status counts; of an earlier one as long as no other is known.
void NoteIdentity(const MessageEvent& event, Merged& merged) {
  Message& message = merged.message;
  if (!event.row->identity_ns || message.identity_seq == kErased) return;
  if (message.identity_seq != 0 && message.seq != event.seq) return;
  if (message.identity_seq == 0) merged.opt_outs.named_seq = event.seq;
  message.identity_seq = event.seq;
  merged.changed = true;
}

void NoteBounce(const MessageEvent& event, Merged& merged) {
  if (event.row->identity_ns || merged.message.identity_seq <= 0 || !IsBounce(*event.row)) return;
  merged.opt_outs.known.push_back({event.seq, merged.message.identity_seq, std::nullopt});
}

// One that waits has its message stored, so that the delivery row finds it.
void NoteOptOut(const MessageEvent& event, Merged& merged) {
  if (event.row->tracking_kind != kTrackingOptOut || event.row->identity_ns) return;
  MessageOptOuts& opt_outs = merged.opt_outs;
  if (merged.message.identity_seq == kErased) return;
  if (merged.message.identity_seq != 0) {
    opt_outs.known.push_back({event.seq, merged.message.identity_seq, event.event_us});
  } else {
    opt_outs.waiting_us = std::max(opt_outs.waiting_us, std::optional<int64_t>(event.event_us));
    merged.changed = true;
  }
}

// `stored`: whether `before` is a row of the table.
Merged Merge(const Message& before, bool stored, Group group) {
  Merged merged;
  merged.message = before;
  merged.was_early = stored && before.status == 0;
  for (const MessageEvent& event : group) {
    if (event.row->kind == LogKind::kDelivery) {
      MergeStatus(event, merged);
      NoteIdentity(event, merged);
      if (!event.suppressed) NoteBounce(event, merged);
    } else {
      MergeTracking(*event.row, merged);
      if (!event.suppressed) NoteOptOut(event, merged);
    }
    if (event.suppressed) NoteErased(merged);
  }
  return merged;
}

class MessageWriter {
 public:
  MessageWriter(Transaction& transaction, ReportNumbers& numbers)
      : db_(transaction.db()),
        numbers_(numbers),
        insert_(db_.Prepared(kInsert)),
        get_(db_.Prepared(kGet)),
        update_(db_.Prepared(kUpdate)) {}

  void Apply(Group group) {
    const MessageKey key{group[0].delivery, group[0].row->broadlog_id};
    // The first row of most messages is their first status: one search of the tree does.
    if (group[0].row->kind == LogKind::kDelivery) {
      Merged made = Merge(Message{}, /*stored=*/false, group);
      if (Insert(key, made.message)) {
        Count(key, Message{}, made, group);
        return Write(key, std::move(made.opt_outs), /*stored=*/false);
      }
    }
    Message before;
    const bool stored = Get(key, before);
    Merged merged = Merge(before, stored, group);
    if (merged.changed) stored ? Update(key, merged.message) : void(Insert(key, merged.message));
    Count(key, before, merged, group);
    Write(key, std::move(merged.opt_outs), stored);
  }

  // Some rows told of whom an opt-out without an identity is.
  bool has_opt_outs() const { return has_opt_outs_; }

 private:
  static void Bind(Statement& statement, const MessageKey& key, const Message& m) {
    statement.BindAll(
        key.delivery, key.broadlog_id, m.status, m.failure_type, m.failure_reason, m.apart,
        m.event_us, m.seq, m.early[0], m.early[1], m.early[2],
        m.identity_seq == m.seq ? std::nullopt : std::optional<int64_t>(m.identity_seq));
  }

  void Write(const MessageKey& key, MessageOptOuts&& opt_outs, bool stored) {
    if (WriteOptOuts(db_, key, std::move(opt_outs), stored)) has_opt_outs_ = true;
  }

  bool Insert(const MessageKey& key, const Message& message) {
    Bind(*insert_, key, message);
    insert_->Run();
    return sqlite3_changes(db_.handle()) == 1;
  }

  void Update(const MessageKey& key, const Message& message) {
    Bind(*update_, key, message);
    update_->Run();
  }

  bool Get(const MessageKey& key, Message& m) {
    get_->BindAll(key.delivery, key.broadlog_id);
    const bool found = get_->Step();
    if (found) {
      m.status = static_cast<int32_t>(get_->Int(0));
      m.failure_type = static_cast<int32_t>(get_->Int(1));
      m.failure_reason = static_cast<int32_t>(get_->Int(2));
      m.apart = get_->Bool(3);
      m.event_us = get_->Int(4);
      m.seq = get_->Int(5);
      for (int i = 0; i < kReportedKinds; ++i) m.early[i] = get_->Int(6 + i);
      m.identity_seq = get_->IsNull(9) ? m.seq : get_->Int(9);
    }
    get_->Reset();
    return found;
  }

  void Count(const MessageKey& key, const Message& before, const Merged& merged, Group group) {
    // Rows between an unknown message and the status that proves it apart are counted, then
    // forgotten.
    Message present = before;
    for (const MessageEvent& event : group) {
      const LogRow& row = *event.row;
      if (row.kind == LogKind::kDelivery) {
        present.apart = merged.message.apart;
      } else if (IsCounted(present, row)) {
        numbers_.CountTracking(key, row.tracking_kind);
      }
    }
    if (merged.message.apart) return CountApart(key, merged);
    CountStatus(key, before, merged.message);
  }

  void CountApart(const MessageKey& key, const Merged& merged) {
    if (!merged.first_status) return;
    numbers_.CountApart(key.delivery);
    if (!merged.was_early) return;
    for (int i = 0; i < kReportedKinds; ++i) {
      numbers_.ForgetTracking(key, i + 1, merged.forgotten[i]);
    }
    numbers_.ForgetMessage(key);
  }

  void CountStatus(const MessageKey& key, const Message& before, const Message& after) {
    const int64_t old_failure = FailureKey(before.failure_type, before.failure_reason);
    const int64_t new_failure = FailureKey(after.failure_type, after.failure_reason);
    if (before.status == after.status && old_failure == new_failure) return;
    if (before.status != 0) numbers_.CountMessage(key.delivery, before.status, old_failure, -1);
    if (after.status != 0) numbers_.CountMessage(key.delivery, after.status, new_failure, 1);
  }

  Database& db_;
  ReportNumbers& numbers_;
  StatementScope insert_;
  StatementScope get_;
  StatementScope update_;
  bool has_opt_outs_ = false;
};

bool SameMessage(const MessageEvent& a, const MessageEvent& b) {
  return a.delivery == b.delivery && a.row->broadlog_id == b.row->broadlog_id;
}

bool ByMessage(const MessageEvent& a, const MessageEvent& b) {
  return std::tie(a.delivery, a.row->broadlog_id, a.seq) <
         std::tie(b.delivery, b.row->broadlog_id, b.seq);
}

}  // namespace

bool ErasedMessages::Has(const MessageKey& message) {
  if (added_.contains(std::pair(message.delivery, message.broadlog_id))) return true;
  StatementScope find(db_.Prepared(kIsErased));
  find->BindAll(message.delivery, message.broadlog_id);
  return find->Step();
}

bool ApplyToMessages(Transaction& transaction, ReportNumbers& numbers,
                     std::vector<MessageEvent>& events) {
  if (!std::is_sorted(events.begin(), events.end(), ByMessage)) {
    std::sort(events.begin(), events.end(), ByMessage);
  }
  MessageWriter writer(transaction, numbers);
  for (size_t begin = 0; begin < events.size();) {
    size_t end = begin + 1;
    while (end < events.size() && SameMessage(events[begin], events[end])) ++end;
    writer.Apply(Group(events.data() + begin, end - begin));
    begin = end;
  }
  return writer.has_opt_outs();
}

}  // namespace passerelle::storage::sqlite
