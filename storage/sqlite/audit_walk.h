// Reads one chain of the audit trail from its first entry to its end, page by page.
#ifndef PASSERELLE_STORAGE_SQLITE_AUDIT_WALK_H_
#define PASSERELLE_STORAGE_SQLITE_AUDIT_WALK_H_

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/audit_store.h"
#include "storage/sqlite/audit_rows.h"
#include "storage/sqlite/database.h"
#include "storage/store_keys.h"

namespace passerelle::storage::sqlite {

class AuditWalk {
 public:
  // `keys` may be null: then only numbers are looked at, and no file is asked why it has no trail.
  // They outlive the walk.
  AuditWalk(std::string chain, const StoreKeys* keys);

  // An entry that was there once.
  void Expect(const AuditHead& head) {
    if (head.number > 0) expected_[head.number].insert(head.mac);
  }

  // One page, inside one transaction of `db`; true: there is more. May throw SQLite::Exception;
  // then it may be called again and goes on where it was.
  bool Step(Database& db, std::vector<AuditFinding>& findings);

  const std::string& chain() const { return chain_; }
  int64_t entries_read() const { return entries_read_; }
  int64_t entries() const { return last_; }
  // The end, as far as it was read.
  AuditHead head() const { return {chain_, previous_.number, previous_.stored}; }

 private:
  struct Previous {
    int64_t number = 0;
    std::string stored;    // its MAC
    std::string computed;  // what it should be
  };
  void Begin(Database& db);
  void Judge(const AuditRow& row, std::vector<AuditFinding>& findings);
  void JudgeMac(const AuditRow& row, bool after_gap, std::vector<AuditFinding>& findings);
  void JudgeExpected(const AuditRow& row, std::vector<AuditFinding>& findings) const;
  void JudgeEnd(std::vector<AuditFinding>& findings);
  void JudgeEndNote(const AuditEnd& end, std::vector<AuditFinding>& findings);
  void JudgeEndMac(const AuditEnd& end, std::vector<AuditFinding>& findings);
  void Add(AuditFinding::Kind kind, int64_t number, std::string text,
           std::vector<AuditFinding>& findings) const;
  // Rows of a key that is not there.
  struct KeylessRun {
    uint32_t key = 0;
    int64_t first = 0;
    int64_t last = 0;
  };
  void AddToRun(const AuditRow& row, std::vector<AuditFinding>& findings);
  // `is_last`: no row that can be checked follows at once.
  void EndRun(bool is_last, std::vector<AuditFinding>& findings);

  const std::string chain_;
  const StoreKeys* const keys_;
  std::map<int64_t, std::set<std::string>> expected_;  // MACs by number
  bool begun_ = false;
  StoredAuditEnd end_;
  bool is_new_ = false;   // nothing was ever done with the file
  int64_t last_ = 0;      // the greatest number there was at the beginning
  int64_t last_seq_ = 0;  // the file's at the beginning
  std::optional<int64_t> beyond_end_;
  int64_t read_to_ = std::numeric_limits<int64_t>::min();
  int64_t entries_read_ = 0;
  Previous previous_;
  std::optional<KeylessRun> run_;  // up to the row that was read last
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_AUDIT_WALK_H_
