#include "storage/sqlite/meta_rows.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGet[] = "SELECT value FROM meta WHERE key = ?1";
constexpr char kSet[] =
    "INSERT INTO meta(key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";

}  // namespace

std::optional<int64_t> MetaNumber(Database& db, std::string_view key) {
  StatementScope get(db.Prepared(kGet));
  get->BindText(1, key);
  if (!get->Step()) return std::nullopt;
  return get->Int(0);
}

void SetMetaNumber(Database& db, std::string_view key, int64_t value) {
  StatementScope(db.Prepared(kSet))->BindAll(key, value).Run();
}

}  // namespace passerelle::storage::sqlite
