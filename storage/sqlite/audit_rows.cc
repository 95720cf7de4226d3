#include "storage/sqlite/audit_rows.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kInsert[] =
    "INSERT INTO audit(number, commit_us, seq, kind, caller, method, call_id, resource, "
    "more_resources, counts, exported_rows, key, mac) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
constexpr char kLoad[] =
    "SELECT number, commit_us, seq, kind, caller, method, call_id, resource, more_resources, "
    "counts, exported_rows, key, mac FROM audit WHERE number > ?1 AND number <= ?2 "
    "AND (?4 = '' OR caller = ?4) AND (?5 = '' OR method = ?5) AND (?6 = '' OR call_id = ?6) "
    "ORDER BY number LIMIT ?3";
constexpr char kFirst[] = "SELECT coalesce(min(number), 0) FROM audit WHERE number > 0";
constexpr char kLast[] =
    "SELECT coalesce(max(number), 0) FROM audit WHERE number > 0 AND number < 9007199254740992";
constexpr char kBeyondEnd[] = "SELECT min(number) FROM audit WHERE number >= 9007199254740992";
static_assert(kAuditNumbersEnd == 9'007'199'254'740'992);
constexpr char kTimeOf[] = "SELECT commit_us FROM audit WHERE number = ?1";
constexpr char kNext[] =
    "SELECT number, commit_us FROM audit WHERE number >= ?1 ORDER BY number LIMIT 1";
constexpr char kGetEnd[] = "SELECT value FROM meta WHERE key = 'audit_end'";
constexpr char kSetEnd[] =
    "INSERT INTO meta(key, value) VALUES ('audit_end', ?1) "
    "ON CONFLICT DO UPDATE SET value = excluded.value";
// Texts of different use never have the same bytes.
constexpr char kRowUse[] = "passerelle audit entry 1";
constexpr char kEndUse[] = "passerelle audit end 2";

// Each part with its length, so that no two lists of parts are the same text.
class Canonical {
 public:
  explicit Canonical(std::string_view use) { Add(use); }
  Canonical& Add(std::string_view part) {
    AddNumber(static_cast<int64_t>(part.size()));
    text_.append(part);
    return *this;
  }
  Canonical& AddNumber(int64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      text_.push_back(static_cast<char>(static_cast<uint64_t>(number) >> shift));
    }
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

namespace {

AuditRow LoadAuditRow(Statement& row) {
  AuditRow loaded;
  loaded.number = row.Int(0);
  loaded.commit_us = row.Int(1);
  loaded.seq = row.Int(2);
  loaded.kind = row.Int(3);
  loaded.act.caller = row.Text(4);
  loaded.act.method = row.Text(5);
  loaded.act.call_id = row.Text(6);
  loaded.act.resource = row.Text(7);
  loaded.act.more_resources = static_cast<int32_t>(row.Int(8));
  if (!row.IsNull(9)) loaded.counts = std::string(row.Text(9));
  loaded.exported_rows = row.Int(10);
  loaded.key = static_cast<uint32_t>(row.Int(11));
  loaded.mac = row.Blob(12);
  return loaded;
}

}  // namespace

std::vector<AuditRow> LoadAuditRows(Database& db, const AuditRange& range,
                                    const AuditFilter& filter) {
  std::vector<AuditRow> rows;
  StatementScope load(db.Prepared(kLoad));
  load->BindAll(range.after, range.last, range.limit, filter.caller, filter.method, filter.call_id);
  while (load->Step()) rows.push_back(LoadAuditRow(*load));
  return rows;
}

int64_t FirstAuditNumberSince(Database& db, int64_t commit_us) {
  int64_t low = db.QueryInt(kFirst);
  int64_t high = LastAuditNumber(db) + 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    StatementScope next(db.Prepared(kNext));
    next->BindAll(middle);
    const bool is_before = next->Step() && next->Int(1) < commit_us;
    if (is_before) {
      low = next->Int(0) + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

int64_t AuditCommitTime(Database& db, int64_t number) {
  StatementScope get(db.Prepared(kTimeOf));
  get->BindAll(number);
  return get->Step() ? get->Int(0) : 0;
}

void InsertAuditRow(Database& db, const AuditRow& row) {
  StatementScope insert(db.Prepared(kInsert));
  insert->BindAll(row.number, row.commit_us, row.seq, row.kind, row.act.caller, row.act.method,
                  row.act.call_id, row.act.resource, row.act.more_resources, row.counts,
                  row.exported_rows, row.key);
  insert->BindBlob(13, row.mac).Run();
}

int64_t LastAuditNumber(Database& db) { return db.QueryInt(kLast); }

std::optional<int64_t> AuditNumberBeyondEnd(Database& db) {
  StatementScope get(db.Prepared(kBeyondEnd));
  if (!get->Step() || get->IsNull(0)) return std::nullopt;
  return get->Int(0);
}

std::string_view BrokenLinkMac() { return "no entry before this one can be trusted"; }

std::string AuditRowMac(const StoreKeys& keys, const AuditLink& link, const AuditRow& row) {
  Canonical text(kRowUse);
  text.Add(link.chain).Add(link.previous_mac).AddNumber(row.number).AddNumber(row.commit_us);
  text.AddNumber(row.seq).AddNumber(row.kind).Add(row.act.caller).Add(row.act.method);
  text.Add(row.act.call_id).Add(row.act.resource).AddNumber(row.act.more_resources);
  text.AddNumber(row.counts.has_value() ? 1 : 0).Add(row.counts.value_or(""));
  text.AddNumber(row.exported_rows).AddNumber(row.key);
  return keys.AuditMac(row.key, text.text());
}

std::string AuditEndMac(const StoreKeys& keys, std::string_view chain, const AuditEnd& end) {
  Canonical text(kEndUse);
  text.Add(chain).AddNumber(end.number).AddNumber(end.seq).AddNumber(end.key).Add(end.mac);
  return keys.AuditMac(end.key, text.text());
}

StoredAuditEnd LoadAuditEnd(Database& db) {
  StoredAuditEnd stored;
  StatementScope get(db.Prepared(kGetEnd));
  if (!get->Step()) return stored;
  stored.present = true;
  const std::string text(get->Text(0));
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  AuditEnd end;
  const bool read = parts.size() == 5 && absl::SimpleAtoi(parts[0], &end.number) &&
                    absl::SimpleAtoi(parts[1], &end.seq) && absl::SimpleAtoi(parts[2], &end.key) &&
                    end.number >= 0 && end.number < kAuditNumbersEnd;
  if (!read) return stored;
  end.mac = absl::HexStringToBytes(parts[3]);
  end.end_mac = absl::HexStringToBytes(parts[4]);
  stored.end = std::move(end);
  return stored;
}

void StoreAuditEnd(Database& db, const AuditEnd& end) {
  const std::string text =
      absl::StrCat(end.number, " ", end.seq, " ", end.key, " ", absl::BytesToHexString(end.mac),
                   " ", absl::BytesToHexString(end.end_mac));
  StatementScope(db.Prepared(kSetEnd))->BindAll(text).Run();
}

}  // namespace passerelle::storage::sqlite
