// The erasure journal: who was erased, outside of the store and its backups.
//
// A text file, one JSON object per line. The first says whose journal it is; each other one is an
// erasure. Each carries a MAC over itself and the MAC of the line before, so that no line can be
// changed, left out or put elsewhere; only lines at the end can be missing, which whoever has seen
// them notices.
//   {"journal":"123","set":"...","time":"...","mac_key":"00000007","mac":"..."}
//   {"instance":"default","request":"r1","time":"...","key":"00000007","hashes":["..."],
//    "mac_key":"00000007","mac":"..."}
#ifndef PASSERELLE_STORAGE_SQLITE_ERASURE_JOURNAL_H_
#define PASSERELLE_STORAGE_SQLITE_ERASURE_JOURNAL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/store_keys.h"

namespace passerelle::storage::sqlite {

struct JournalEntry {
  int64_t number = 0;  // from 1
  std::string instance;
  std::string request;  // id
  int64_t time_us = 0;
  uint32_t key = 0;                 // that the hashes were made with
  std::vector<std::string> hashes;  // of identities, as tombstones have them
};

// Thread-safe. One per store; the store's lock keeps others away from it.
class ErasureJournal {
 public:
  struct Place {
    std::string path;
    std::string set_id;
    std::shared_ptr<const StoreKeys> keys;  // never null
  };

  // Reads and checks the file; what was begun and not ended at its end is cut off. nullptr: there
  // is no file, or nothing complete in it. The statuses are those of StoreOptions::erasure_journal.
  static absl::StatusOr<std::shared_ptr<ErasureJournal>> Open(Place place);
  // Makes a new one, durably; whatever is at the path goes.
  static absl::StatusOr<std::shared_ptr<ErasureJournal>> Create(Place place, int64_t now_us);

  // Tells it from every other; greater than 0.
  int64_t id() const { return id_; }
  const std::string& path() const { return place_.path; }
  // The number of the last entry; 0: there is none.
  int64_t last() const;

  // Durable when it returns; gives the entry's number. An error leaves it as it was. UNAVAILABLE
  // kIoError; DATA_LOSS kDamagedFile: it is shorter than it was.
  absl::StatusOr<int64_t> Append(const JournalEntry& entry);
  // The entries of an instance with a greater number, in order; empty `instance`: of all.
  absl::StatusOr<std::vector<JournalEntry>> EntriesAfter(int64_t number,
                                                         std::string_view instance) const;

 private:
  explicit ErasureJournal(Place place) : place_(std::move(place)) {}
  absl::Status Take(std::string_view line, std::vector<JournalEntry>* entries);
  absl::Status TakeAll(std::string_view text, std::vector<JournalEntry>* entries);
  absl::Status Write(const std::string& line, int64_t at) const;
  std::string Sealed(std::string text);

  const Place place_;
  int64_t id_ = 0;
  mutable absl::Mutex mutex_;
  int64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of whole lines
  std::string last_mac_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ERASURE_JOURNAL_H_
