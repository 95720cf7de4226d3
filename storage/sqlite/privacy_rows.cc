#include "storage/sqlite/privacy_rows.h"

#include <algorithm>

#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/person_data.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kCountRunning[] = "SELECT count(*) FROM privacy_request WHERE state = 1";
constexpr char kFind[] = "SELECT number FROM privacy_request WHERE id = ?1";
constexpr char kLoad[] =
    "SELECT id, kind, state, step, rows_done, rows_total, key, profile, tombstones, failure, "
    "archive_bytes, archive_expire_us, statement, signature, public_key, signing_key, create_us, "
    "end_us, revision FROM privacy_request WHERE number = ?1";
constexpr char kNextRunning[] =
    "SELECT number FROM privacy_request WHERE state = 1 AND number > ?1 ORDER BY number LIMIT 1";
constexpr char kRunning[] = "SELECT number FROM privacy_request WHERE state = 1";
constexpr char kErasuresAt[] =
    "SELECT number FROM privacy_request WHERE state = 1 AND kind = 2 AND step = ?1 ORDER BY number";
constexpr char kList[] =
    "SELECT number FROM privacy_request WHERE number > ?1 ORDER BY number LIMIT ?2";
constexpr char kWrite[] =
    "INSERT OR REPLACE INTO privacy_request(number, id, kind, state, step, rows_done, rows_total, "
    "key, profile, tombstones, failure, archive_bytes, archive_expire_us, statement, signature, "
    "public_key, signing_key, create_us, end_us, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
    "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";
constexpr char kSetProgress[] =
    "UPDATE privacy_request SET step = ?2, rows_done = ?3, rows_total = ?4, failure = '' "
    "WHERE number = ?1";
constexpr char kSetFailure[] =
    "UPDATE privacy_request SET failure = ?2 WHERE number = ?1 AND state = 1";
constexpr char kDelete[] = "DELETE FROM privacy_request WHERE number = ?1";
constexpr char kCounts[] = "SELECT name, rows FROM privacy_count WHERE request = ?1";
constexpr char kAddCount[] =
    "INSERT INTO privacy_count(request, name, rows) VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO UPDATE SET rows = rows + excluded.rows";
constexpr char kSetCount[] =
    "INSERT OR REPLACE INTO privacy_count(request, name, rows) VALUES (?1, ?2, ?3)";
constexpr char kDeleteCounts[] = "DELETE FROM privacy_count WHERE request = ?1";
constexpr char kAddHash[] =
    "INSERT INTO privacy_hash(request, usage, key, hash) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT DO NOTHING";
constexpr char kHashes[] = "SELECT key, hash FROM privacy_hash WHERE request = ?1 AND usage = ?2";
constexpr char kForgetHashes[] = "DELETE FROM privacy_hash WHERE request = ?1";
constexpr char kAddProfile[] =
    "INSERT INTO privacy_profile(request, profile) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
constexpr char kProfiles[] =
    "SELECT profile FROM privacy_profile WHERE request = ?1 ORDER BY profile";
constexpr char kForgetProfiles[] = "DELETE FROM privacy_profile WHERE request = ?1";
constexpr char kForgetProfile[] = "UPDATE privacy_request SET profile = NULL WHERE number = ?1";
constexpr char kAddChunk[] =
    "INSERT OR REPLACE INTO privacy_archive(request, chunk, sealed) VALUES (?1, ?2, ?3)";
constexpr char kLoadChunk[] =
    "SELECT sealed FROM privacy_archive WHERE request = ?1 AND chunk = ?2";
constexpr char kDeleteChunks[] = "DELETE FROM privacy_archive WHERE request = ?1";
constexpr char kOfProfile[] =
    "SELECT request FROM privacy_profile p JOIN privacy_request r ON r.number = p.request "
    "WHERE p.profile = ?1 AND r.kind = 1";
constexpr char kOfHash[] =
    "SELECT request FROM privacy_hash h JOIN privacy_request r ON r.number = h.request "
    "WHERE h.usage = ?1 AND h.key = ?2 AND h.hash = ?3 AND r.kind = 1";
constexpr char kExpired[] =
    "SELECT number FROM privacy_request WHERE archive_expire_us > 0 AND archive_expire_us <= ?1 "
    "LIMIT ?2";

constexpr char kErasedMeanwhile[] = "the person was erased meanwhile";

int UsageOf(AddressUse use) { return use == AddressUse::kSuppression ? 1 : 2; }

std::vector<TableCount> CountsOf(Database& db, int64_t number) {
  std::vector<TableCount> counts;
  StatementScope list(db.Prepared(kCounts));
  list->BindInt(1, number);
  while (list->Step()) {
    if (list->Int(1) != 0) counts.push_back({std::string(list->Text(0)), list->Int(1)});
  }
  std::sort(counts.begin(), counts.end(), [](const TableCount& a, const TableCount& b) {
    return PlaceOfTable(a.table) < PlaceOfTable(b.table);
  });
  return counts;
}

void EndAsErased(Database& db, PrivacyRow row, int64_t now_us, int64_t revision) {
  PrivacyRequest& request = row.request;
  if (request.state == PrivacyState::kRunning) {
    request.state = PrivacyState::kFailed;
    request.step = PrivacyStep::kNone;
    request.failure = kErasedMeanwhile;
    request.end_us = now_us;
  }
  request.profile = {};
  request.archive_bytes = request.archive_expire_us = 0;
  DeleteChunks(db, row.number);
  ForgetWho(db, row.number);
  WritePrivacyRequest(db, row, revision);
}

}  // namespace

int64_t CountRunningRequests(Database& db) { return db.QueryInt(kCountRunning); }

std::optional<PrivacyRow> FindPrivacyRequest(Database& db, std::string_view id) {
  int64_t number = 0;
  {
    StatementScope find(db.Prepared(kFind));
    if (!find->BindText(1, id).Step()) return std::nullopt;
    number = find->Int(0);
  }
  return LoadPrivacyRequest(db, number);
}

std::optional<PrivacyRow> LoadPrivacyRequest(Database& db, int64_t number) {
  StatementScope get(db.Prepared(kLoad));
  if (!get->BindInt(1, number).Step()) return std::nullopt;
  PrivacyRow row;
  row.number = number;
  row.key = static_cast<uint32_t>(get->Int(6));
  row.tombstones = get->Int(8);
  PrivacyRequest& request = row.request;
  request.id = std::string(get->Text(0));
  request.kind = static_cast<PrivacyKind>(get->Int(1));
  request.state = static_cast<PrivacyState>(get->Int(2));
  request.step = static_cast<PrivacyStep>(get->Int(3));
  request.rows_done = get->Int(4);
  request.rows_total = get->Int(5);
  request.profile = ProfileId{get->Int(7)};
  request.failure = std::string(get->Text(9));
  request.archive_bytes = get->Int(10);
  request.archive_expire_us = get->Int(11);
  request.receipt = {std::string(get->Text(12)), std::string(get->Blob(13)),
                     std::string(get->Blob(14)), static_cast<uint32_t>(get->Int(15))};
  request.create_us = get->Int(16);
  request.end_us = get->Int(17);
  row.revision = get->Int(18);
  request.etag = EtagOf(row.revision);
  request.counts = CountsOf(db, number);
  return row;
}

std::optional<PrivacyRow> NextRunningRequest(Database& db, int64_t after) {
  int64_t number = 0;
  {
    StatementScope next(db.Prepared(kNextRunning));
    if (!next->BindInt(1, after).Step()) return std::nullopt;
    number = next->Int(0);
  }
  return LoadPrivacyRequest(db, number);
}

std::vector<int64_t> RunningRequests(Database& db) {
  std::vector<int64_t> numbers;
  StatementScope list(db.Prepared(kRunning));
  while (list->Step()) numbers.push_back(list->Int(0));
  return numbers;
}

std::vector<int64_t> RunningErasuresAt(Database& db, PrivacyStep step) {
  std::vector<int64_t> numbers;
  StatementScope list(db.Prepared(kErasuresAt));
  list->BindInt(1, static_cast<int64_t>(step));
  while (list->Step()) numbers.push_back(list->Int(0));
  return numbers;
}

std::vector<PrivacyRow> ListPrivacyRequests(Database& db, int64_t after, int32_t limit) {
  std::vector<int64_t> numbers;
  {
    StatementScope list(db.Prepared(kList));
    list->BindAll(after, limit);
    while (list->Step()) numbers.push_back(list->Int(0));
  }
  std::vector<PrivacyRow> rows;
  for (const int64_t number : numbers) rows.push_back(*LoadPrivacyRequest(db, number));
  return rows;
}

void WritePrivacyRequest(Database& db, const PrivacyRow& row, int64_t revision) {
  const PrivacyRequest& request = row.request;
  StatementScope write(db.Prepared(kWrite));
  write->BindInt(1, row.number).BindText(2, request.id);
  write->BindInt(3, static_cast<int64_t>(request.kind));
  write->BindInt(4, static_cast<int64_t>(request.state));
  write->BindInt(5, static_cast<int64_t>(request.step));
  write->BindInt(6, request.rows_done).BindInt(7, request.rows_total).BindInt(8, row.key);
  if (request.profile) write->BindInt(9, request.profile.value);
  write->BindInt(10, row.tombstones).BindText(11, request.failure);
  write->BindInt(12, request.archive_bytes).BindInt(13, request.archive_expire_us);
  write->BindText(14, request.receipt.statement).BindBlob(15, request.receipt.signature);
  write->BindBlob(16, request.receipt.public_key).BindInt(17, request.receipt.key);
  write->BindInt(18, request.create_us).BindInt(19, request.end_us).BindInt(20, revision);
  write->Run();
}

void SetProgress(Database& db, const PrivacyRow& row) {
  StatementScope set(db.Prepared(kSetProgress));
  set->BindAll(row.number, row.request.step, row.request.rows_done, row.request.rows_total);
  set->Run();
}

void SetFailure(Database& db, int64_t number, std::string_view failure) {
  StatementScope(db.Prepared(kSetFailure))->BindInt(1, number).BindText(2, failure).Run();
}

void DeletePrivacyRows(Database& db, int64_t number) {
  for (const char* sql : {kDelete, kDeleteCounts, kForgetHashes, kForgetProfiles, kDeleteChunks}) {
    StatementScope(db.Prepared(sql))->BindAll(number).Run();
  }
}

void AddPrivacyCount(Database& db, int64_t number, std::string_view table, int64_t rows) {
  if (rows != 0) StatementScope(db.Prepared(kAddCount))->BindAll(number, table, rows).Run();
}

void SetPrivacyCount(Database& db, int64_t number, std::string_view table, int64_t rows) {
  StatementScope(db.Prepared(kSetCount))->BindAll(number, table, rows).Run();
}

void AddPrivacyHash(Database& db, int64_t number, const PrivacyHash& hash) {
  StatementScope add(db.Prepared(kAddHash));
  add->BindInt(1, number).BindInt(2, UsageOf(hash.use)).BindInt(3, hash.key);
  add->BindBlob(4, hash.hash).Run();
}

std::vector<PrivacyHash> LoadPrivacyHashes(Database& db, int64_t number, AddressUse use) {
  std::vector<PrivacyHash> hashes;
  StatementScope list(db.Prepared(kHashes));
  list->BindAll(number, UsageOf(use));
  while (list->Step()) {
    hashes.push_back({use, static_cast<uint32_t>(list->Int(0)), std::string(list->Blob(1))});
  }
  return hashes;
}

bool AddPrivacyProfile(Database& db, int64_t number, ProfileId profile) {
  StatementScope(db.Prepared(kAddProfile))->BindAll(number, profile.value).Run();
  return sqlite3_changes(db.handle()) == 1;
}

std::vector<ProfileId> LoadPrivacyProfiles(Database& db, int64_t number) {
  std::vector<ProfileId> profiles;
  StatementScope list(db.Prepared(kProfiles));
  list->BindInt(1, number);
  while (list->Step()) profiles.push_back(ProfileId{list->Int(0)});
  return profiles;
}

void ForgetWho(Database& db, int64_t number) {
  for (const char* sql : {kForgetHashes, kForgetProfiles, kForgetProfile}) {
    StatementScope(db.Prepared(sql))->BindAll(number).Run();
  }
}

void AddChunk(Database& db, int64_t number, int64_t chunk, std::string_view sealed) {
  StatementScope add(db.Prepared(kAddChunk));
  add->BindInt(1, number).BindInt(2, chunk).BindBlob(3, sealed).Run();
}

std::optional<std::string> LoadChunk(Database& db, int64_t number, int64_t chunk) {
  StatementScope get(db.Prepared(kLoadChunk));
  get->BindAll(number, chunk);
  if (!get->Step()) return std::nullopt;
  return std::string(get->Blob(0));
}

void DeleteChunks(Database& db, int64_t number) {
  StatementScope(db.Prepared(kDeleteChunks))->BindAll(number).Run();
}

int64_t DropArchivesAbout(Database& db, const std::vector<ProfileId>& profiles,
                          const std::vector<PrivacyHash>& hashes, int64_t now_us,
                          int64_t revision) {
  absl::flat_hash_set<int64_t> numbers;
  for (const ProfileId profile : profiles) {
    StatementScope find(db.Prepared(kOfProfile));
    find->BindAll(profile.value);
    while (find->Step()) numbers.insert(find->Int(0));
  }
  for (const PrivacyHash& hash : hashes) {
    StatementScope find(db.Prepared(kOfHash));
    find->BindInt(1, UsageOf(hash.use)).BindInt(2, hash.key).BindBlob(3, hash.hash);
    while (find->Step()) numbers.insert(find->Int(0));
  }
  for (const int64_t number : numbers) {
    EndAsErased(db, *LoadPrivacyRequest(db, number), now_us, revision);
  }
  return static_cast<int64_t>(numbers.size());
}

int ExpireArchives(Database& db, int64_t now_us, int limit) {
  std::vector<int64_t> numbers;
  {
    StatementScope find(db.Prepared(kExpired));
    find->BindAll(now_us, limit);
    while (find->Step()) numbers.push_back(find->Int(0));
  }
  for (const int64_t number : numbers) {
    PrivacyRow row = *LoadPrivacyRequest(db, number);
    row.request.archive_bytes = row.request.archive_expire_us = 0;
    DeleteChunks(db, number);
    StatementScope(db.Prepared(kForgetHashes))->BindAll(number).Run();
    WritePrivacyRequest(db, row, row.revision);
  }
  return static_cast<int>(numbers.size());
}

}  // namespace passerelle::storage::sqlite
