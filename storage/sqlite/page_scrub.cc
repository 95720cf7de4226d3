#include "storage/sqlite/page_scrub.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/migrations.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kBytesPerTurn = int64_t{1} << 20;
constexpr size_t kFileHeaderBytes = 100;
constexpr unsigned char kLeafOfIndex = 10;
constexpr char kPageSize[] = "PRAGMA page_size";

// From this many pages on, the number of a page can begin like a page of this kind.
int64_t PagesUntilUnclear(unsigned char kind) { return int64_t{kind} << 24; }

size_t NumberAt(absl::Span<const unsigned char> page, size_t at) {
  return static_cast<size_t>(page[at]) << 8 | page[at + 1];
}

absl::Status Failed(const Database& db, int code) {
  return IoError("cannot zero unused bytes of", db.path(), sqlite3_errstr(code));
}

// The file of a connection, as far as it is scrubbed.
struct OpenFile {
  sqlite3_file* file = nullptr;
  int page_bytes = 0;
  int64_t pages = 0;
};

absl::StatusOr<OpenFile> OpenFileOf(Database& db) {
  OpenFile open;
  int code = sqlite3_file_control(db.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &open.file);
  if (code != SQLITE_OK || open.file == nullptr || open.file->pMethods == nullptr) {
    return Failed(db, code);
  }
  open.page_bytes = static_cast<int>(db.QueryInt(kPageSize));
  sqlite3_int64 bytes = 0;
  code = open.file->pMethods->xFileSize(open.file, &bytes);
  if (code != SQLITE_OK) return Failed(db, code);
  open.pages = bytes / open.page_bytes;
  if (open.pages < PagesUntilUnclear(kLeafOfIndex)) return open;
  return absl::FailedPreconditionError(
      absl::StrCat(db.path(), " has ", open.pages, " pages; from ", PagesUntilUnclear(kLeafOfIndex),
                   " on what lies between rows cannot be zeroed, and erasures do not end"));
}

// `wrote`: there is something to sync.
absl::Status ScrubTurn(const Database& db, const OpenFile& open, int64_t& page, bool& wrote) {
  const int64_t end = std::min(open.pages, page + kBytesPerTurn / open.page_bytes);
  std::vector<unsigned char> buffer(static_cast<size_t>(open.page_bytes));
  for (; page < end; ++page) {
    const int64_t at = page * open.page_bytes;
    int code = open.file->pMethods->xRead(open.file, buffer.data(), open.page_bytes, at);
    if (code != SQLITE_OK) return Failed(db, code);
    if (!ScrubPage(absl::MakeSpan(buffer), {open.pages, page == 0})) continue;
    wrote = true;
    code = open.file->pMethods->xWrite(open.file, buffer.data(), open.page_bytes, at);
    if (code != SQLITE_OK) return Failed(db, code);
  }
  return absl::OkStatus();
}

absl::Status Sync(const Database& db, const OpenFile& open) {
  const int code = open.file->pMethods->xSync(open.file, SQLITE_SYNC_FULL);
  return code == SQLITE_OK ? absl::OkStatus() : Failed(db, code);
}

}  // namespace

// The header of a page of rows: kind (2 and 5 inner, 10 and 13 leaf), first free block, number of
// cells, where cells begin (0: 65,536), fragments; then two bytes per cell.
bool ScrubPage(absl::Span<unsigned char> page, const PageOfFile& of) {
  const size_t header = of.is_first ? kFileHeaderBytes : 0;
  const unsigned char kind = page[header];
  const bool is_inner = kind == 2 || kind == 5;
  if (!is_inner && kind != kLeafOfIndex && kind != 13) return false;
  if (!of.is_first && of.pages >= PagesUntilUnclear(kind)) return false;
  const size_t begin = header + (is_inner ? 12 : 8) + 2 * NumberAt(page, header + 3);
  size_t end = NumberAt(page, header + 5);
  if (end == 0) end = 65'536;
  if (begin > end || end > page.size()) return false;
  const auto unused = page.subspan(begin, end - begin);
  const auto used =
      std::find_if(unused.begin(), unused.end(), [](unsigned char c) { return c != 0; });
  if (used == unused.end()) return false;
  std::fill(used, unused.end(), static_cast<unsigned char>(0));
  return true;
}

// The transaction writes nothing: it keeps others from writing between our reads and writes.
absl::StatusOr<bool> ScrubPages(Database& db, int64_t& page) {
  ASSIGN_OR_RETURN(const OpenFile open, OpenFileOf(db));
  db.Execute("BEGIN IMMEDIATE");
  bool wrote = false;
  absl::Status status = absl::UnavailableError("somebody else has written meanwhile");
  if (SizeOfFile(absl::StrCat(db.path(), "-wal")) <= 0) status = ScrubTurn(db, open, page, wrote);
  if (wrote) status.Update(Sync(db, open));
  if (!db.RollBack()) status.Update(absl::InternalError("a transaction could not be rolled back"));
  if (wrote) sqlite3_db_release_memory(db.handle());
  RETURN_IF_ERROR(status);
  return page < open.pages;
}

absl::Status ScrubFile(const std::string& path, absl::FunctionRef<absl::Status()> check) {
  DatabaseOptions options;
  options.path = path;
  options.access = Access::kWrite;
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  int64_t page = 0;
  absl::StatusOr<bool> more = true;
  while (*more) {
    RETURN_IF_ERROR(check());
    RETURN_IF_ERROR(RunRead(*db, "zeroing unused bytes", [&] {
      more = ScrubPages(*db, page);
      return more.status();
    }));
  }
  return CloseComplete(std::move(db));
}

}  // namespace passerelle::storage::sqlite
