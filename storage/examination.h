// The doctor: looks whether a store is sound, of what is served or of a stopped one, and tells each
// finding in plain words. It only reads.
//
// What it looks at: SQLite's own check of the pages; that sequences are above everything numbered
// with them and commits in order; that identities lead to profiles and hashes belong to clear
// values; that membership intervals do not overlap; that whoever the lists keep out is marked so,
// and nobody else; that for each stream received rows are the sum
// of the outcomes, and the ledger has no more of any than were counted; that report numbers and
// sets are those of the rows; that each log row has its duplicate key; that the follower is not
// ahead of the log; that the audit trail has no gap and ends where it says, and, with the keys,
// that no entry was changed; that what is kept in memory is what the rows say; that each file has
// one writing and checkpointing connection, with safe settings; room on the disk, size of the
// write-ahead log, known bugs of the SQLite that is linked. Of a stopped store also: headers and
// kinds of the files, that all are of one store, and that none is missing or unknown.
#ifndef PASSERELLE_STORAGE_EXAMINATION_H_
#define PASSERELLE_STORAGE_EXAMINATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/read_context.h"
#include "storage/store_keys.h"

namespace passerelle::storage {

enum class Severity {
  kNote,     // good to know; nothing is wrong
  kWarning,  // it will go wrong unless something is done
  kError,    // what is stored contradicts itself, or is at risk now
};

struct Finding {
  Severity severity = Severity::kNote;
  std::string check;     // "identities"
  std::string instance;  // its id; empty: the store
  std::string file;      // within the store: "instances/default/profiles.db"; empty: none
  std::string what;      // one line; ids and numbers, never a value that a person typed
  std::string advice;    // what to do, one line
};

// At most this many findings of one check are told one by one; a last one tells how many more.
inline constexpr int kFindingsPerCheck = 20;

// One examination, by steps, so that what else is served goes on between them: each is one read of
// a page of keys, well below 50 ms. What changes while it is looked at is left out of comparisons
// that need a moment. Used by one thread at a time.
class Examination {
 public:
  virtual ~Examination() = default;

  // Takes one step and adds what it found. False: there was nothing left to do. An error ends the
  // examination: it could not look (CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE). A file that cannot
  // be read is a finding and no error; so is a page of keys that writers leave no time for (a
  // note).
  virtual absl::StatusOr<bool> Step(const ReadContext& context, std::vector<Finding>& findings) = 0;

  // The check of the last step: "instances/default/profiles.db: identities".
  virtual std::string present() const = 0;
  virtual int64_t rows_read() const = 0;
  virtual int checks_done() const = 0;
};

struct StoppedStore {
  std::string directory;       // a data directory
  int64_t disk_low_bytes = 0;  // free space below which to warn; 0: never
  // Null: the MACs of the audit trail are not looked at.
  std::shared_ptr<const StoreKeys> store_keys;
};

// Of a data directory that no server has open, which none can open as long as this lives, if its
// file LOCK is there; where it is not (in a copy, say), nothing is locked, and no server may be
// started there meanwhile. Looks at all pages of all files, each file's in one step. Changes no
// byte of a database file or its log, and makes no LOCK; SQLite may make a -shm file beside a file.
// FAILED_PRECONDITION kLockedByAnotherServer: use the live examination. NOT_FOUND kNotFound: there
// is no store.
absl::StatusOr<std::unique_ptr<Examination>> ExamineStoppedStore(const StoppedStore& store);

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_EXAMINATION_H_
