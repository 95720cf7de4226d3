// One write transaction, as the requests in it see it. Made by the Writer only.
//
// A transaction serves many requests. Each Decide reads rows and the overlays (what earlier
// requests of this transaction already decided), and records its own decisions in overlays. Just
// before COMMIT each overlay writes its decisions in one pass, sorted by key.
#ifndef PASSERELLE_STORAGE_SQLITE_TRANSACTION_H_
#define PASSERELLE_STORAGE_SQLITE_TRANSACTION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "storage/outcome.h"
#include "storage/sqlite/database.h"
#include "storage/store_keys.h"

namespace passerelle::storage::sqlite {

class Transaction;

// Where a commit stands: a commit token is made of it.
struct CommitInfo {
  int64_t epoch = 0;
  int64_t last_seq = 0;   // the greatest sequence of the transaction
  int64_t commit_us = 0;  // microseconds since 1970; never smaller than an earlier commit's
};

// Decisions of one kind, not yet written. One object per transaction, dropped with it.
class TransactionOverlay {
 public:
  virtual ~TransactionOverlay() = default;

  // Writes the decisions. Called once, after the last Decide. Cannot fail for a row's reason; an
  // error or exception rolls back the whole transaction. May add to overlays of a higher rank.
  virtual absl::Status Flush(Transaction& transaction) = 0;

  // Overlays flush in ascending rank, those of equal rank in order of first use.
  virtual int FlushRank() const { return 0; }
};

class Transaction {
 public:
  struct Start {
    int64_t epoch = 0;
    int64_t next_seq = 0;
    int64_t commit_us = 0;
    const StoreKeys* store_keys = nullptr;
    std::string_view audit_chain;
  };
  Transaction(Database& db, const Start& start);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // The connection, inside an open transaction. Never BEGIN, COMMIT, ROLLBACK or SAVEPOINT through
  // it.
  Database& db() { return db_; }

  // The one time of this transaction, microseconds since 1970.
  int64_t commit_us() const { return commit_us_; }
  int64_t epoch() const { return epoch_; }
  // Null: the store was given none.
  const StoreKeys* store_keys() const { return store_keys_; }
  // The name of the file's audit trail.
  std::string_view audit_chain() const { return audit_chain_; }

  // The next sequence: greater than every sequence given out before in this file. Numbers of
  // refused requests and rolled-back transactions may be skipped or given out again; committed ones
  // never are.
  int64_t NextSeq() { return next_seq_++; }
  // The first of `count` consecutive sequences.
  int64_t NextSeqs(int64_t count) { return std::exchange(next_seq_, next_seq_ + count); }

  // Outcomes of the rows that the request at hand writes, told by its Decide: for the audit trail.
  void NoteOutcomes(const OutcomeCounts& counts) { outcomes_ = counts; }

  // This transaction's T (derived from TransactionOverlay), made at first use by T(Transaction&) if
  // that exists, else by T().
  template <class T>
  T& Overlay();

  // Runs on the writer's thread after the commit is durable, in order of registration, before the
  // readers' visible sequence moves and before any request's Done; not at all when the transaction
  // is rolled back. Must not block or throw. For cache deltas.
  void OnCommitted(absl::AnyInvocable<void(const CommitInfo&)> hook) {
    hooks_.push_back(std::move(hook));
  }

  // As OnCommitted, after the readers' visible sequence has moved. For wake-ups: whoever is woken
  // finds the commit.
  void OnVisible(absl::AnyInvocable<void(const CommitInfo&)> hook) {
    visible_hooks_.push_back(std::move(hook));
  }

  // Counts towards the limit of pages changed per transaction, beside the requests' own bytes().
  void AddDirtyBytes(int64_t bytes) { dirty_bytes_ += bytes; }

  // For the writer.
  int64_t dirty_bytes() const { return dirty_bytes_; }
  // What was noted since it was asked before.
  std::optional<OutcomeCounts> TakeOutcomes() { return std::exchange(outcomes_, std::nullopt); }
  int64_t first_seq() const { return first_seq_; }
  // The sequence that the transaction ends with, once no more are taken.
  int64_t LastSeq();
  absl::Status FlushOverlays();
  // At least one sequence belongs to every transaction that commits. Writes meta and, where it is,
  // commit_log; returns what the commit stands for. Throws SQLite::Exception.
  CommitInfo Seal(bool has_commit_log);
  void RunHooks(const CommitInfo& info);
  void RunVisibleHooks(const CommitInfo& info);

 private:
  struct Slot {
    std::unique_ptr<TransactionOverlay> overlay;
    bool flushed = false;
  };
  template <class T>
  static const void* KeyOf() {
    static const char key = 0;
    return &key;
  }
  Slot* NextToFlush();

  Database& db_;
  const int64_t epoch_;
  const int64_t first_seq_;
  const int64_t commit_us_;
  const StoreKeys* const store_keys_;
  const std::string_view audit_chain_;
  int64_t next_seq_;
  std::optional<OutcomeCounts> outcomes_;
  int64_t dirty_bytes_ = 0;
  std::vector<Slot> slots_;
  absl::flat_hash_map<const void*, TransactionOverlay*> overlays_;
  std::vector<absl::AnyInvocable<void(const CommitInfo&)>> hooks_;
  std::vector<absl::AnyInvocable<void(const CommitInfo&)>> visible_hooks_;
};

template <class T>
T& Transaction::Overlay() {
  static_assert(std::is_base_of_v<TransactionOverlay, T>);
  if (auto found = overlays_.find(KeyOf<T>()); found != overlays_.end()) {
    return static_cast<T&>(*found->second);
  }
  std::unique_ptr<T> made;
  if constexpr (std::is_constructible_v<T, Transaction&>) {
    made = std::make_unique<T>(*this);
  } else {
    made = std::make_unique<T>();
  }
  T& overlay = *made;
  overlays_[KeyOf<T>()] = &overlay;
  slots_.push_back(Slot{std::move(made), false});
  return overlay;
}

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_TRANSACTION_H_
