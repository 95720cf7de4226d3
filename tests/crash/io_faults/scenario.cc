#include "tests/crash/io_faults/scenario.h"

#include <sqlite3.h>

#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "storage/status.h"
#include "tests/crash/io_faults/scenario_steps.h"

namespace passerelle::crash {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kClockUs = int64_t{1'700'000'000} * 1'000'000;

std::string AskFile(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  std::string answer;
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return absl::StrCat("cannot ask: ", sqlite3_errmsg(db));
  }
  if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != nullptr) {
    answer = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  }
  sqlite3_finalize(statement);
  return answer;
}

std::string DamageOf(const std::string& path) {
  sqlite3* db = nullptr;
  if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
    sqlite3_close(db);
    return absl::StrCat(path, ": cannot be opened");
  }
  std::string found;
  const auto expect = [&](const char* sql, const char* wanted) {
    const std::string got = AskFile(db, sql);
    if (got != wanted) absl::StrAppend(&found, path, ": ", sql, " says ", got, "; ");
  };
  expect("PRAGMA integrity_check(3)", "ok");
  expect("PRAGMA foreign_key_check", "");
  const bool profiles = absl::EndsWith(path, "profiles.db");
  if (profiles || absl::EndsWith(path, "logs.db")) {
    expect(
        "SELECT count(*) FROM commit_log WHERE last_seq >= "
        "(SELECT value FROM meta WHERE key = 'next_seq')",
        "0");
    expect(profiles ? "SELECT count(*) FROM change WHERE seq >= "
                      "(SELECT value FROM meta WHERE key = 'next_seq')"
                    : "SELECT count(*) FROM log WHERE seq >= "
                      "(SELECT value FROM meta WHERE key = 'next_seq')",
           "0");
  }
  sqlite3_close(db);
  return found;
}

absl::StatusOr<std::string> FindUncountedRows(World& world) {
  ASSIGN_OR_RETURN(const auto page, world.instance->streams().ListStreams({"", 100}, {}));
  std::string found;
  for (const storage::StreamState& stream : page.items) {
    const int64_t sum = stream.totals.Total();
    if (sum != stream.next_offset) {
      absl::StrAppend(&found, "stream ", stream.stream, " has ", sum, " outcomes at offset ",
                      stream.next_offset, "; ");
    }
  }
  return found;
}

}  // namespace

absl::Status World::Open() {
  storage::StoreOptions options;
  options.directory = directory;
  options.readers_per_file = 2;
  options.cache_bytes_per_writer = 256 * 1024;
  options.wal_threshold_bytes = 192 * 1024;
  options.clock = [] { return absl::FromUnixMicros(kClockUs); };
  options.on_failure = [this](const absl::Status&) { told_of_failure = true; };
  ASSIGN_OR_RETURN(store, storage::OpenStore(options));
  ASSIGN_OR_RETURN(instance, store->OpenInstance("default"));
  // What a planted bug acknowledged and did not write may be this.
  const bool whole = instance->schema().schema()->FindNamespace("external_id") != nullptr;
  return whole ? absl::OkStatus() : absl::DataLossError("opened without its own namespaces");
}

absl::Status World::Close() {
  instance.reset();
  if (store == nullptr) return absl::OkStatus();
  const absl::Status closed = store->Close();
  store.reset();
  return closed;
}

absl::StatusOr<std::string> FindDoubled(World& world) {
  ASSIGN_OR_RETURN(std::string found, FindUncountedRows(world));
  const std::vector<std::string> deliveries = {"d"};
  ASSIGN_OR_RETURN(const int64_t log_rows, CountLogRows(world, std::nullopt));
  const auto report = world.instance->logs().Report(deliveries, {});
  const int64_t reported = report.ok() ? report->log_rows : 0;
  if (reported != log_rows) {
    absl::StrAppend(&found, "the report counts ", reported, " of ", log_rows, " log rows; ");
  }
  ASSIGN_OR_RETURN(const auto profiles, world.instance->profiles().ListProfiles({}, 1'000, {}));
  std::set<std::string> ids;
  for (const storage::Profile& profile : profiles) {
    for (const auto& identity : profile.identities) ids.insert(identity.second);
  }
  if (ids.size() != profiles.size()) {
    absl::StrAppend(&found, profiles.size(), " profiles have ", ids.size(), " identities; ");
  }
  return found;
}

std::string FindDamage(const std::string& directory) {
  std::string found;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path().string();
    if (absl::EndsWith(path, ".db")) absl::StrAppend(&found, DamageOf(path));
  }
  return found;
}

}  // namespace passerelle::crash
