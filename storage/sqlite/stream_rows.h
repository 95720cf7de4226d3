// The tables of write streams, which the profiles and the logs file both have: streams, content
// hashes, the ledger. All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_STREAM_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_STREAM_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/sqlite/database.h"
#include "storage/stream_store.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// StreamState::replace is not of these tables and stays empty.
std::optional<StreamState> LoadStream(Database& db, std::string_view stream);
// Its replace options filled in, if it is a replace. Only in the profiles file.
StreamState WithReplace(Database& db, StreamState state);
// NOT_FOUND kStreamNotFound, telling what to do, if it expired.
absl::Status CheckNotExpired(const StreamState& state);
// RESOURCE_EXHAUSTED kLimitReached when `max` names are taken, in both files of the instance, and
// this is none of them (one whose opening was broken off is). Only in the profiles file.
absl::Status CheckRoomForStream(Database& db, std::string_view stream, int64_t max);
// `file` is the letter of the one that has the stream.
void ReserveStreamName(Database& db, std::string_view stream, const char* file);
// Streams with ids greater than page.after, at most page.limit.
std::vector<StreamState> LoadStreams(Database& db, const PageRequest& page);
void InsertStream(Database& db, const StreamState& stream);
// Stores everything but id, kind, target, clear_record_keys and create_us.
void UpdateStream(Database& db, const StreamState& stream);

// Content hashes of records that follow each other.
struct HashRun {
  int64_t first_offset = 0;
  std::vector<uint32_t> hashes;
  int64_t end() const { return first_offset + static_cast<int64_t>(hashes.size()); }
};
// The stored runs that overlap [first, end), in order.
std::vector<HashRun> LoadHashes(Database& db, std::string_view stream, int64_t first, int64_t end);
void InsertHashes(Database& db, std::string_view stream, const HashRun& run);
// Forgets the runs that lie below `offset` as a whole.
void ForgetHashesBelow(Database& db, std::string_view stream, int64_t offset);

void InsertOutcome(Database& db, std::string_view stream, const RowResult& row, int64_t create_us);
// As StreamStore::ListRowOutcomes.
OutcomePage LoadOutcomes(Database& db, std::string_view stream, const OutcomeFilter& filter,
                         const OutcomeScan& scan);

// Deletes at most `limit` ledger rows and as many hash runs. True: there may be more.
bool DeleteSomeOfStream(Database& db, std::string_view stream, int64_t limit);
void DeleteStreamRow(Database& db, std::string_view stream);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_STREAM_ROWS_H_
