// The single checks of an examination; see storage/examination.h. Each works on one file, by pages
// of keys. A finding is told for each row that contradicts another.
#ifndef PASSERELLE_STORAGE_SQLITE_CHECKS_H_
#define PASSERELLE_STORAGE_SQLITE_CHECKS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/examination.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/migrations.h"
#include "storage/store_keys.h"

namespace passerelle::storage::sqlite {

// Where a check tells what it finds.
class FindingSink {
 public:
  virtual ~FindingSink() = default;
  virtual void Add(Severity severity, std::string what, std::string advice) = 0;
  void Damage(std::string what) {
    Add(Severity::kError, std::move(what),
        "restore the last sound backup (passerelled restore); keep the damaged store, and report "
        "this line");
  }
  void Warn(std::string what, std::string advice) {
    Add(Severity::kWarning, std::move(what), std::move(advice));
  }
  void Note(std::string what, std::string advice) {
    Add(Severity::kNote, std::move(what), std::move(advice));
  }
};

class Check {
 public:
  explicit Check(std::string name) : name_(std::move(name)) {}
  virtual ~Check() = default;
  const std::string& name() const { return name_; }
  int64_t rows_read() const { return rows_read_; }

  // One read, inside one transaction of `db`; may throw SQLite::Exception. True: there is more.
  // After an error it may be called again and goes on where it was, with a shorter page.
  virtual absl::StatusOr<bool> Step(Database& db, FindingSink& sink) = 0;

 protected:
  int64_t rows_read_ = 0;

 private:
  const std::string name_;
};
using Checks = std::vector<std::unique_ptr<Check>>;

enum class KeyKind { kNumber, kText };

// Pages of one query. Each page is read at a moment of its own; it begins with the last row of the
// page before, so that neighbours can be compared within one moment.
struct PagedQuery {
  std::string name;
  // Parameters ?1 to ?k are the key to begin with, the next one is the greatest number of rows. The
  // first k columns are the key; rows come in its order.
  const char* sql;
  std::vector<KeyKind> keys;
};
// A row of a page; `db` is for look-ups beside it.
struct ExaminedRow {
  Database& db;
  Statement& columns;
  bool page_begins;  // what came before was of another moment
  bool again;        // judged before, as the last of its page; what is told now goes nowhere
};
// `judge` is called for each row, in order. Pages are sized by time.
using RowJudge = std::function<void(const ExaminedRow& row, FindingSink& sink)>;
std::unique_ptr<Check> MakePagedCheck(PagedQuery query, RowJudge judge);
// One read.
std::unique_ptr<Check> MakeSingleCheck(std::string name,
                                       std::function<void(Database& db, FindingSink& sink)> look);

// Meta, sequences, commits; `all_pages`: SQLite's integrity_check of the whole file, otherwise its
// quick_check of small files.
void AddFileChecks(FileKind kind, bool all_pages, Checks& checks);
void AddStreamChecks(FileKind kind, Checks& checks);
void AddProfileChecks(Checks& checks);
void AddMembershipChecks(Checks& checks);
void AddReachChecks(Checks& checks);
void AddPrivacyChecks(Checks& checks);
void AddLogChecks(Checks& checks);

// All of the above that belong to a file of this kind.
Checks ChecksOf(FileKind kind, bool all_pages);

// Numbers and end of the audit trail, and its MACs where there are keys, which may be null; they
// outlive the check.
std::unique_ptr<Check> MakeAuditCheck(const std::string& chain, const StoreKeys* keys);

// Log rows against the counters and sets of their delivery. Deliveries that are appended to while
// it looks are left out.
std::unique_ptr<Check> MakeReportCheck();

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_CHECKS_H_
