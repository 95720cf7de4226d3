// The rows of an audit trail, the end of its chain in meta, and what their MACs are made of. What
// they promise is said by storage/audit_store.h. All functions with a Database may throw
// SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_AUDIT_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_AUDIT_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/audit_store.h"
#include "storage/sqlite/database.h"
#include "storage/store_keys.h"

namespace passerelle::storage::sqlite {

// A row as it is stored.
struct AuditRow {
  int64_t number = 0;
  int64_t commit_us = 0;
  int64_t seq = 0;
  int64_t kind = 0;  // an AuditKind, unless somebody changed it
  Act act;
  std::optional<std::string> counts;
  int64_t exported_rows = 0;
  uint32_t key = 0;
  std::string mac;
};

// Numbers above `after`, up to `last`; at most `limit` rows.
struct AuditRange {
  int64_t after = 0;
  int64_t last = 0;
  int64_t limit = 0;
};
// Empty: any.
struct AuditFilter {
  std::string_view caller;
  std::string_view method;
  std::string_view call_id;
};
// In the order of their numbers.
std::vector<AuditRow> LoadAuditRows(Database& db, const AuditRange& range,
                                    const AuditFilter& filter);
// The least number whose row was committed at or after the time; one more than the last if there is
// none. Asks a few rows, whose times grow with their numbers.
int64_t FirstAuditNumberSince(Database& db, int64_t commit_us);
// Of the row; 0: there is none.
int64_t AuditCommitTime(Database& db, int64_t number);
void InsertAuditRow(Database& db, const AuditRow& row);
// No chain comes this far: rows with such numbers were made by hand, and are passed over.
inline constexpr int64_t kAuditNumbersEnd = int64_t{1} << 53;
// The greatest number there is below kAuditNumbersEnd; 0: there is no row.
int64_t LastAuditNumber(Database& db);
// The least number there is from kAuditNumbersEnd on.
std::optional<int64_t> AuditNumberBeyondEnd(Database& db);

// What follows whom, for MACs.
struct AuditLink {
  std::string_view chain;         // its name
  std::string_view previous_mac;  // empty: it is the first one
};
// What the first row has as previous_mac that is written after the end of the chain was found
// changed, and the end of the chain until then: no MAC, so that everybody sees that it follows
// none.
std::string_view BrokenLinkMac();
// The MAC of a row under its key; empty: there is no such key.
std::string AuditRowMac(const StoreKeys& keys, const AuditLink& link, const AuditRow& row);

// The end of a chain, as meta says. Each transaction writes it anew, so that none of before can
// stand for it.
struct AuditEnd {
  int64_t number = 0;
  int64_t seq = 0;  // the last one of the transaction that wrote it
  uint32_t key = 0;
  std::string mac;  // of the last row; empty: there is none; BrokenLinkMac: it cannot be trusted
  std::string end_mac;  // of this
};
std::string AuditEndMac(const StoreKeys& keys, std::string_view chain, const AuditEnd& end);
struct StoredAuditEnd {
  bool present = false;         // there is something
  std::optional<AuditEnd> end;  // it can be read
};
StoredAuditEnd LoadAuditEnd(Database& db);
void StoreAuditEnd(Database& db, const AuditEnd& end);

// A file of which no more was ever committed than what its making does, before there are keys, may
// have no end yet.
inline constexpr int64_t kSequencesWithoutTrail = 1;

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_AUDIT_ROWS_H_
