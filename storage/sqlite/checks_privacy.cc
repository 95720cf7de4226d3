// Checks of privacy requests and tombstones, in the profiles file, and of what is kept for requests
// in the logs file. Whom they are about only their keys tell, which the doctor does not have.
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/privacy_store.h"
#include "storage/reason.h"
#include "storage/sqlite/archive.h"
#include "storage/sqlite/checks.h"
#include "storage/sqlite/erase_together.h"
#include "storage/sqlite/examination.h"
#include "storage/sqlite/privacy_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// Each with how many hashes and chunks there are.
constexpr char kRequests[] =
    "SELECT r.number, r.kind, r.state, r.step, r.archive_bytes, r.archive_expire_us, "
    "length(r.statement), r.profile IS NOT NULL, "
    "(SELECT count(*) FROM privacy_hash h WHERE h.request = r.number AND h.usage = 2), "
    "(SELECT count(*) FROM privacy_archive a WHERE a.request = r.number), "
    "(SELECT count(*) FROM privacy_hash h LEFT JOIN tombstone t ON t.key = h.key "
    "AND t.hash = h.hash WHERE h.request = r.number AND h.usage = 2 AND t.hash IS NULL) "
    "FROM privacy_request r WHERE r.number >= ?1 ORDER BY r.number LIMIT ?2";
constexpr char kOrphans[] =
    "SELECT 'privacy_hash', count(*) FROM privacy_hash WHERE request NOT IN "
    "(SELECT number FROM privacy_request) UNION ALL "
    "SELECT 'privacy_profile', count(*) FROM privacy_profile WHERE request NOT IN "
    "(SELECT number FROM privacy_request) UNION ALL "
    "SELECT 'privacy_archive', count(*) FROM privacy_archive WHERE request NOT IN "
    "(SELECT number FROM privacy_request)";
int64_t ChunksOf(int64_t bytes) { return (bytes + kArchiveChunkBytes - 1) / kArchiveChunkBytes; }

void JudgeRunning(const std::string& which, const Statement& row, FindingSink& sink) {
  const bool erases = row.Int(1) == static_cast<int64_t>(PrivacyKind::kErase);
  if (erases && row.Int(8) == 0) {
    sink.Damage(absl::StrCat(which, " runs, and nothing says whom it is about"));
  }
  if (erases && row.Int(10) != 0) {
    sink.Damage(absl::StrCat(which, " runs, and lacks ", row.Int(10), " of its tombstones"));
  }
}

void JudgeEnded(const std::string& which, const Statement& row, FindingSink& sink) {
  const bool erases = row.Int(1) == static_cast<int64_t>(PrivacyKind::kErase);
  const bool succeeded = row.Int(2) == static_cast<int64_t>(PrivacyState::kSucceeded);
  if (erases && succeeded && (row.Bool(7) || row.Int(8) != 0)) {
    sink.Damage(absl::StrCat(which, " is done and still says whom it was about"));
  }
  if (erases && succeeded && row.Int(6) == 0) {
    sink.Damage(absl::StrCat(which, " is done and has no receipt"));
  }
  const int64_t wanted = row.Int(5) == 0 ? 0 : ChunksOf(row.Int(4));
  if (row.Int(9) != wanted) {
    sink.Damage(absl::StrCat(which, " has ", row.Int(9), " parts of its archive, wanted ", wanted));
  }
}

void JudgeRequest(const ExaminedRow& examined, FindingSink& sink) {
  const Statement& row = examined.columns;
  const std::string which = absl::StrCat("privacy request ", row.Int(0));
  const int64_t state = row.Int(2);
  if (row.Int(1) < 1 || row.Int(1) > 2 || state < 1 || state > 3 || row.Int(3) > 5) {
    return sink.Damage(absl::StrCat(which, " has no known kind, state or step"));
  }
  const bool runs = state == static_cast<int64_t>(PrivacyState::kRunning);
  runs ? JudgeRunning(which, row, sink) : JudgeEnded(which, row, sink);
}

void CheckOrphans(Database& db, FindingSink& sink) {
  StatementScope orphans(db.Prepared(kOrphans));
  while (orphans->Step()) {
    if (orphans->Int(1) == 0) continue;
    sink.Damage(absl::StrCat(orphans->Int(1), " rows of ", std::string(orphans->Text(0)),
                             " are of no privacy request"));
  }
}

// What is there is read first: a request that is at work then and ends has its own removed before.
class PrivacyTask : public Task {
 public:
  PrivacyTask(const ExaminedFile& profiles, const ExaminedFile& logs)
      : Task({"privacy", logs.instance, logs.name}), profiles_(profiles.reads), logs_(logs.reads) {}

  absl::StatusOr<bool> Step(const ReadContext& context, FindingSink& sink) override {
    std::set<int64_t> requests;
    const absl::Status status = Look(context, requests);
    if (ReasonOf(status) == Reason::kReadTooLong) return true;
    const bool is_of_caller = absl::IsCancelled(status) || absl::IsDeadlineExceeded(status) ||
                              ReasonOf(status) == Reason::kStoreClosed;
    if (is_of_caller) return status;
    // The checks of each file tell of any other error.
    if (status.ok() && !requests.empty()) {
      sink.Note(absl::StrCat("messages are kept for ", requests.size(),
                             " privacy requests that do not run"),
                "start the server, which forgets them; report this line if it is told again then");
    }
    return false;
  }

 private:
  absl::Status Look(const ReadContext& context, std::set<int64_t>& requests) {
    RETURN_IF_ERROR(logs_(context, [&](Database& db) {
      requests = RequestsWithMessages(db);
      return absl::OkStatus();
    }));
    return profiles_(context, [&](Database& db) {
      for (const int64_t request : RunningRequests(db)) requests.erase(request);
      return absl::OkStatus();
    });
  }

  const FileReads profiles_;
  const FileReads logs_;
};

}  // namespace

std::unique_ptr<Task> MakePrivacyTask(const ExaminedFile& profiles, const ExaminedFile& logs) {
  return std::make_unique<PrivacyTask>(profiles, logs);
}

void AddPrivacyChecks(Checks& checks) {
  checks.push_back(
      MakePagedCheck({"privacy requests", kRequests, {KeyKind::kNumber}}, JudgeRequest));
  checks.push_back(MakeSingleCheck("privacy", CheckOrphans));
}

}  // namespace passerelle::storage::sqlite
