#include "tests/bench/raw_file.h"

#include <sys/stat.h>

#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/sqlite/run.h"

namespace passerelle::bench {
namespace {

namespace sqlite = storage::sqlite;
using sqlite::StatementScope;

constexpr int kCacheKib = 64 * 1024;

constexpr char kSetMeta[] = "UPDATE meta SET value = ?2 WHERE key = ?1";
constexpr char kAddCommit[] = "INSERT INTO commit_log(last_seq, commit_us) VALUES (?1, ?2)";

}  // namespace

void Expect(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(absl::StrCat("the raw side: ", what));
}

RawFile::RawFile(const std::string& path, sqlite::FileKind kind) : path_(path) {
  const absl::Status made = sqlite::CreateFile(path, kind, {"bench", "bench"});
  if (!made.ok()) throw std::runtime_error(std::string(made.message()));
  sqlite::DatabaseOptions options;
  options.path = path;
  options.access = sqlite::Access::kWrite;
  options.cache_size_kib = kCacheKib;
  db_ = std::make_unique<sqlite::Database>(options);
}

void RawFile::Begin() {
  commit_us_ = absl::ToUnixMicros(absl::Now());
  db_->Execute("BEGIN IMMEDIATE");
}

void RawFile::Commit() {
  {
    StatementScope set(db_->Prepared(kSetMeta));
    set->BindAll("next_seq", next_seq_).Run();
    set->BindAll("last_commit_us", commit_us_).Run();
    StatementScope add(db_->Prepared(kAddCommit));
    add->BindAll(next_seq_ - 1, commit_us_).Run();
  }
  db_->Execute("COMMIT");
  CheckpointIfDue();
}

void RawFile::CheckpointIfDue() {
  struct stat wal;
  if (stat(absl::StrCat(path_, "-wal").c_str(), &wal) != 0 || wal.st_size < kWalThresholdBytes) {
    return;
  }
  const auto result = sqlite::Checkpoint(*db_, sqlite::CheckpointMode::kTruncate);
  Expect(result.ok() && *result == sqlite::CheckpointResult::kComplete, "a checkpoint failed");
}

}  // namespace passerelle::bench
