// The other side: the same work as a careful programmer would write it straight on SQLite, in one
// thread of this program.
//
// Same: tables and indexes (the program's own migrations), cache sizes, identity look-ups, the
// look-up of the open membership row, change rows, duplicate keys, message state, report counters;
// transactions of kTransactionRows, WAL, synchronous=FULL, a checkpoint (TRUNCATE) once the
// write-ahead log reaches 32 MiB. Statements are prepared once and every pass is sorted by its key.
// Left out: gRPC,
// validation, content hashes, outcomes and the ledger, write streams, reading the old values of a
// patch (the UPDATE itself compares them). There is no last checkpoint within a measured part, on
// neither side.
//
// Methods throw SQLite::Exception or std::runtime_error. One thread.
#ifndef PASSERELLE_TESTS_BENCH_RAW_STORE_H_
#define PASSERELLE_TESTS_BENCH_RAW_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/sqlite/database.h"
#include "tests/bench/data.h"
#include "tests/bench/raw_file.h"

namespace passerelle::bench {

inline constexpr int64_t kTransactionRows = 10'000;

class RawStore {
 public:
  // Makes both files in `folder`, with the attributes of data.h.
  explicit RawStore(const std::string& folder);
  ~RawStore();

  void Import(int64_t people, uint64_t seed);
  // Returns its number.
  int64_t AddAudience();
  int64_t AddDelivery(const std::string& id);

  // Durable when they return. Each throws unless every row did what the server must also say.
  void Sync(const std::vector<Patch>& patches);
  void Push(int64_t audience, const std::vector<std::string>& members);
  void Append(int64_t delivery, const std::vector<Sending>& sendings);
  // Reads the twelve columns of every row.
  ExportSum Export();
  // Reads one column of every profile; returns how many there are.
  int64_t ScanProfiles();

 private:
  std::vector<int64_t> LookUp(storage::sqlite::Database& db,
                              const std::vector<std::string_view>& external_ids);
  void PushSome(int64_t audience, const std::string* members, int64_t count);
  void SyncSome(const Patch* patches, int64_t count);
  void AppendSome(int64_t delivery, const Sending* sendings, int64_t count);
  void CountAppended(int64_t delivery, const Sending* sendings, int64_t count);

  RawFile profiles_;
  RawFile logs_;
  std::unique_ptr<storage::sqlite::Database> people_;      // reads identities for log rows
  std::unique_ptr<storage::sqlite::Database> log_reader_;  // exports
  std::vector<std::string> delivery_ids_;                  // by number, from 1
};

}  // namespace passerelle::bench

#endif  // PASSERELLE_TESTS_BENCH_RAW_STORE_H_
