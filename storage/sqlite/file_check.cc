#include "storage/sqlite/file_check.h"

#include <sys/stat.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kListTables[] = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
constexpr char kQuickCheck[] = "PRAGMA quick_check(1)";
constexpr int64_t kQuickCheckMaxBytes = 32 * 1024 * 1024;

int64_t SizeOf(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

absl::Status Damaged(const std::string& path, absl::string_view how) {
  return MakeError(absl::StatusCode::kDataLoss, Reason::kDamagedFile, absl::StrCat(path, ": ", how),
                   {{"file", path}});
}

void TouchEachTable(Database& db) {
  std::vector<std::string> names;
  {
    StatementScope list(db.Prepared(kListTables));
    while (list->Step()) names.emplace_back(list->Text(0));
  }
  for (const std::string& name : names) {
    Statement first_row(db.handle(), absl::StrCat("SELECT 1 FROM \"", name, "\" LIMIT 1"));
    first_row.Step();
  }
}

absl::Status CheckPages(Database& db) {
  StatementScope check(db.Prepared(kQuickCheck));
  const bool sound = check->Step() && check->Text(0) == "ok";
  return sound ? absl::OkStatus() : Damaged(db.path(), "SQLite's quick_check finds damaged pages");
}

// Only the log can hold a schema newer than the header's.
absl::Status CheckSchema(const Database& db, FileKind kind, const FileMeta& meta) {
  if (meta.kind != FileKindName(kind)) return Damaged(db.path(), "meta names another kind of file");
  if (meta.schema <= NewestSchema(kind)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kNewerSchema,
                   absl::StrCat(db.path(), ": schema ", meta.schema,
                                ", this version knows schemas up to ", NewestSchema(kind)),
                   {{"file", db.path()}});
}

}  // namespace

absl::StatusOr<FileMeta> CheckFile(const std::string& path, FileKind kind) {
  RETURN_IF_ERROR(CheckFileHeader(path, kind));
  const bool closed_cleanly = SizeOf(absl::StrCat(path, "-wal")) == 0;
  const bool check_pages = !closed_cleanly && SizeOf(path) <= kQuickCheckMaxBytes;
  DatabaseOptions options;
  options.path = path;
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  ASSIGN_OR_RETURN(const FileMeta meta, ReadMeta(*db));
  RETURN_IF_ERROR(CheckSchema(*db, kind, meta));
  RETURN_IF_ERROR(RunRead(*db, absl::StrCat("checking ", path), [&] {
    TouchEachTable(*db);
    return check_pages ? CheckPages(*db) : absl::OkStatus();
  }));
  return meta;
}

}  // namespace passerelle::storage::sqlite
