// Looking for the profiles that a change of the suppression list concerns and that nothing else
// leads to.
//
// After hashes were put on the list, every profile is looked at; after hashes were taken off, every
// profile that is suppressed somewhere. In the background, by laps in the order of ids, at most
// kSearchTurnProfiles per transaction and half of them for each if both are ordered, together with
// the positions suppressed_searched and unsuppressed_searched in meta of the profiles file: gone on
// with after a restart. What is ordered in the middle of a lap is done by one more lap after it.
// Profiles that are made, or given an identity, meanwhile are looked at in their own transaction;
// while a key of the list is missing that cannot be done, and all are looked at once it is back.
#ifndef PASSERELLE_STORAGE_SQLITE_SUPPRESSION_SEARCH_H_
#define PASSERELLE_STORAGE_SQLITE_SUPPRESSION_SEARCH_H_

#include <atomic>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/read_context.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

inline constexpr int kSearchTurnProfiles = 1'000;

// In the transaction that changes the list: begins it, or orders one more lap. May throw
// SQLite::Exception.
void OrderSuppressedSearch(Database& db);
void OrderUnsuppressedSearch(Database& db);
// In a transaction that changed profiles while a key is missing. Until it is done, nothing is
// given out: see CheckSuppressionKeys.
void OrderSearchOnceKeysAreBack(Database& db);

// Looks at the next profiles; true while there are more. NothingWritten when nothing was ordered,
// or what is ordered waits for a key that is missing. May throw SQLite::Exception.
absl::StatusOr<bool> SearchSuppressed(Transaction& transaction, int profiles = kSearchTurnProfiles);

// Submits SearchSuppressed by turns, between the other writes; does not wait for it. `context`
// outlives the writer's thread.
void StartSuppressionSearch(InstanceContext& context);

// Room for the one who waits, of all stores of this process: who waits takes up a thread of those
// that streams need too.
class SearchWaiter {
 public:
  // RESOURCE_EXHAUSTED kReadTooLong: it is taken.
  static absl::Status CheckRoom();
  // Nullopt: it is taken.
  static std::optional<SearchWaiter> Take();
  SearchWaiter(SearchWaiter&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
  SearchWaiter& operator=(SearchWaiter&& other) noexcept {
    std::swap(taken_, other.taken_);
    return *this;
  }
  ~SearchWaiter() {
    if (taken_ != nullptr) *taken_ = false;
  }

 private:
  explicit SearchWaiter(std::atomic<bool>* taken) : taken_(taken) {}
  std::atomic<bool>* taken_;
};

// Starts it and waits until what is ordered now is done; not for what waits for a missing key.
// DEADLINE_EXCEEDED, CANCELLED: it goes on. RESOURCE_EXHAUSTED kReadTooLong: so it does, but
// somebody else waits. UNAVAILABLE kStoreFailed.
absl::Status AwaitSuppressionSearch(InstanceContext& context, const ReadContext& caller);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_SUPPRESSION_SEARCH_H_
