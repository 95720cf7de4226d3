#include "storage/sqlite/page_scrub.h"

#include <algorithm>
#include <vector>

#include "storage/sqlite/folders.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kBytesPerTurn = int64_t{16} << 20;
constexpr size_t kFileHeaderBytes = 100;
// From here on the number of a page, with which pages of other kinds begin, can look like the kind
// of a page of rows.
constexpr int64_t kMaxPages = 0x02000000;
constexpr char kPageSize[] = "PRAGMA page_size";

size_t NumberAt(absl::Span<const unsigned char> page, size_t at) {
  return static_cast<size_t>(page[at]) << 8 | page[at + 1];
}

absl::Status Failed(const Database& db, int code) {
  return IoError("cannot zero unused bytes of", db.path(), sqlite3_errstr(code));
}

}  // namespace

// The header of a page of rows: kind (2 and 5 inner, 10 and 13 leaf), first free block, number of
// cells, where cells begin (0: 65,536), fragments; then two bytes per cell.
bool ScrubPage(absl::Span<unsigned char> page, bool is_first) {
  const size_t header = is_first ? kFileHeaderBytes : 0;
  const unsigned char kind = page[header];
  const bool is_inner = kind == 2 || kind == 5;
  if (!is_inner && kind != 10 && kind != 13) return false;
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

absl::StatusOr<bool> ScrubPages(Database& db, int64_t& page) {
  sqlite3_file* file = nullptr;
  int code = sqlite3_file_control(db.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code != SQLITE_OK || file == nullptr || file->pMethods == nullptr) return Failed(db, code);
  const int64_t page_bytes = db.QueryInt(kPageSize);
  sqlite3_int64 bytes = 0;
  code = file->pMethods->xFileSize(file, &bytes);
  if (code != SQLITE_OK) return Failed(db, code);
  const int64_t pages = bytes / page_bytes;
  if (pages >= kMaxPages) return false;
  const int64_t end = std::min(pages, page + kBytesPerTurn / page_bytes);
  std::vector<unsigned char> buffer(static_cast<size_t>(page_bytes));
  bool wrote = false;
  for (; page < end; ++page) {
    const int64_t at = page * page_bytes;
    code = file->pMethods->xRead(file, buffer.data(), static_cast<int>(page_bytes), at);
    if (code != SQLITE_OK) return Failed(db, code);
    if (!ScrubPage(absl::MakeSpan(buffer), page == 0)) continue;
    code = file->pMethods->xWrite(file, buffer.data(), static_cast<int>(page_bytes), at);
    if (code != SQLITE_OK) return Failed(db, code);
    wrote = true;
  }
  if (wrote) {
    code = file->pMethods->xSync(file, SQLITE_SYNC_FULL);
    if (code != SQLITE_OK) return Failed(db, code);
    sqlite3_db_release_memory(db.handle());
  }
  return page < pages;
}

}  // namespace passerelle::storage::sqlite
