#include "storage/sqlite/transaction.h"

#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kSetMeta[] = "UPDATE meta SET value = ?2 WHERE key = ?1";
constexpr char kLogCommit[] = "INSERT INTO commit_log(last_seq, commit_us) VALUES (?1, ?2)";

void SetMeta(Database& db, const char* key, int64_t value) {
  StatementScope set(db.Prepared(kSetMeta));
  set->BindText(1, key).BindInt(2, value).Run();
}

}  // namespace

Transaction::Transaction(Database& db, const Start& start)
    : db_(db),
      epoch_(start.epoch),
      first_seq_(start.next_seq),
      commit_us_(start.commit_us),
      store_keys_(start.store_keys),
      audit_chain_(start.audit_chain),
      next_seq_(start.next_seq) {}

Transaction::Slot* Transaction::NextToFlush() {
  Slot* next = nullptr;
  for (Slot& slot : slots_) {
    if (slot.flushed) continue;
    if (next == nullptr || slot.overlay->FlushRank() < next->overlay->FlushRank()) next = &slot;
  }
  return next;
}

// A flush may make overlays of a higher rank, which moves the slots: look again each time.
absl::Status Transaction::FlushOverlays() {
  for (Slot* slot = NextToFlush(); slot != nullptr; slot = NextToFlush()) {
    slot->flushed = true;
    TransactionOverlay& overlay = *slot->overlay;
    RETURN_IF_ERROR(overlay.Flush(*this));
  }
  return absl::OkStatus();
}

int64_t Transaction::LastSeq() {
  if (next_seq_ == first_seq_) NextSeq();
  return next_seq_ - 1;
}

CommitInfo Transaction::Seal(bool has_commit_log) {
  const CommitInfo info{epoch_, LastSeq(), commit_us_};
  SetMeta(db_, "next_seq", next_seq_);
  SetMeta(db_, "last_commit_us", commit_us_);
  if (has_commit_log) {
    StatementScope log(db_.Prepared(kLogCommit));
    log->BindInt(1, info.last_seq).BindInt(2, commit_us_).Run();
  }
  return info;
}

void Transaction::RunHooks(const CommitInfo& info) {
  for (auto& hook : hooks_) hook(info);
}

void Transaction::RunVisibleHooks(const CommitInfo& info) {
  for (auto& hook : visible_hooks_) hook(info);
}

}  // namespace passerelle::storage::sqlite
