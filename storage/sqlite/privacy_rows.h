// Rows of privacy requests in the profiles file. All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_PRIVACY_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_PRIVACY_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "storage/privacy_store.h"
#include "storage/sqlite/database.h"
#include "storage/store_keys.h"

namespace passerelle::storage::sqlite {

struct PrivacyRow {
  int64_t number = 0;
  uint32_t key = 0;
  int64_t tombstones = 0;
  int64_t revision = 0;
  PrivacyRequest request;
};

int64_t CountRunningRequests(Database& db);
std::optional<PrivacyRow> FindPrivacyRequest(Database& db, std::string_view id);
std::optional<PrivacyRow> LoadPrivacyRequest(Database& db, int64_t number);
// The first one with a greater number that runs.
std::optional<PrivacyRow> NextRunningRequest(Database& db, int64_t after);
std::vector<int64_t> RunningRequests(Database& db);
// In the order of their numbers.
std::vector<int64_t> RunningErasuresAt(Database& db, PrivacyStep step);
// Those with a greater number, in order.
std::vector<PrivacyRow> ListPrivacyRequests(Database& db, int64_t after, int32_t limit);

// A new row, or the present one as a whole, but for its counts.
void WritePrivacyRequest(Database& db, const PrivacyRow& row, int64_t revision);
// Whatever was in the way is no longer told.
void SetProgress(Database& db, const PrivacyRow& row);
// What is in the way of one that runs.
void SetFailure(Database& db, int64_t number, std::string_view failure);
// With everything that hangs on it.
void DeletePrivacyRows(Database& db, int64_t number);

void AddPrivacyCount(Database& db, int64_t number, std::string_view table, int64_t rows);
// Instead of what was counted.
void SetPrivacyCount(Database& db, int64_t number, std::string_view table, int64_t rows);

// Whom it is about.
struct PrivacyHash {
  AddressUse use = AddressUse::kTombstone;
  uint32_t key = 0;
  std::string hash;
};
void AddPrivacyHash(Database& db, int64_t number, const PrivacyHash& hash);
std::vector<PrivacyHash> LoadPrivacyHashes(Database& db, int64_t number, AddressUse use);
bool AddPrivacyProfile(Database& db, int64_t number, ProfileId profile);
std::vector<ProfileId> LoadPrivacyProfiles(Database& db, int64_t number);
void ForgetWho(Database& db, int64_t number);

// The archive.
void AddChunk(Database& db, int64_t number, int64_t chunk, std::string_view sealed);
std::optional<std::string> LoadChunk(Database& db, int64_t number, int64_t chunk);
void DeleteChunks(Database& db, int64_t number);
// Ends access requests about somebody who is being erased: those of one of the profiles, or with
// one of the hashes. Returns how many archives went.
int64_t DropArchivesAbout(Database& db, const std::vector<ProfileId>& profiles,
                          const std::vector<PrivacyHash>& hashes, int64_t now_us, int64_t revision);
// Archives past their time, at most `limit`; returns how many went.
int ExpireArchives(Database& db, int64_t now_us, int limit);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PRIVACY_ROWS_H_
