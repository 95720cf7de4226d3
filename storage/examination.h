// The doctor: looks whether a store is sound, of what is served or of a stopped one, and tells each
// finding in plain words. It only reads.
//
// What it looks at: SQLite's own check of the pages; that sequences are above everything numbered
// with them and commits in order; that identities lead to profiles and hashes belong to clear
// values; that membership intervals do not overlap; that streams' totals and ledgers agree with
// their offsets; that report numbers and sets are those of the rows; that the follower is not ahead
// of the log; that each file has one writing connection, with safe settings; room on the disk, size
// of the write-ahead log, known bugs of the SQLite that is linked.
#ifndef PASSERELLE_STORAGE_EXAMINATION_H_
#define PASSERELLE_STORAGE_EXAMINATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/read_context.h"

namespace passerelle::storage {

enum class Severity {
  kNote,     // good to know; nothing is wrong
  kWarning,  // it will go wrong unless something is done
  kDamage,   // what is stored contradicts itself
};

struct Finding {
  Severity severity = Severity::kNote;
  std::string check;     // "identities"
  std::string instance;  // its id; empty: the store
  std::string file;      // path of the file; empty: none in particular
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

  // Takes one step and adds what it found. False: it was the last. An error ends the examination:
  // it could not look (CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE). A file that cannot be read is a
  // finding and no error.
  virtual absl::StatusOr<bool> Step(const ReadContext& context, std::vector<Finding>& findings) = 0;

  // The check of the last step: "instances/default/profiles.db: identities".
  virtual std::string present() const = 0;
  virtual int64_t rows_read() const = 0;
  virtual int checks_done() const = 0;
};

// Of a data directory that no server has open; looks at all pages of all files. Changes no byte of
// a database file or its log; SQLite may make a -shm file beside it. FAILED_PRECONDITION
// kLockedByAnotherServer: use the live examination. NOT_FOUND kNotFound: there is no store.
absl::StatusOr<std::unique_ptr<Examination>> ExamineStoppedStore(const std::string& directory);

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_EXAMINATION_H_
