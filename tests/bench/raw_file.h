// A database file as the raw side of the benchmark writes it: see raw_store.h.
#ifndef PASSERELLE_TESTS_BENCH_RAW_FILE_H_
#define PASSERELLE_TESTS_BENCH_RAW_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "storage/sqlite/database.h"
#include "storage/sqlite/migrations.h"

namespace passerelle::bench {

inline constexpr int64_t kWalThresholdBytes = 32 * 1024 * 1024;

// A file with one writing connection and the transaction it is in.
class RawFile {
 public:
  // Makes `path`.
  RawFile(const std::string& path, storage::sqlite::FileKind kind);

  storage::sqlite::Database& db() { return *db_; }
  int64_t commit_us() const { return commit_us_; }
  int64_t NextSeq() { return next_seq_++; }

  void Begin();
  // Also writes meta and commit_log, and checkpoints when it is time.
  void Commit();

 private:
  void CheckpointIfDue();

  const std::string path_;
  std::unique_ptr<storage::sqlite::Database> db_;
  int64_t next_seq_ = 1;
  int64_t commit_us_ = 0;
};

// Throws std::runtime_error with `what` unless it holds.
void Expect(bool holds, const char* what);

}  // namespace passerelle::bench

#endif  // PASSERELLE_TESTS_BENCH_RAW_FILE_H_
