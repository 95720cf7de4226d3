#include "storage/sqlite/erase_together.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/acting.h"
#include "storage/fault_point.h"
#include "storage/sqlite/erasure_journal.h"
#include "storage/sqlite/journal_replay.h"
#include "storage/sqlite/privacy_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kNextWork[] = "SELECT min(request) FROM privacy_work WHERE request > ?1";
constexpr char kNextMessages[] = "SELECT min(request) FROM privacy_message WHERE request > ?1";
constexpr char kForgetWork[] = "DELETE FROM privacy_work WHERE request = ?1";
constexpr char kForgetMessages[] = "DELETE FROM privacy_message WHERE request = ?1";

bool IsAt(const std::optional<PrivacyRow>& row, PrivacyStep step) {
  return row.has_value() && row->request.kind == PrivacyKind::kErase &&
         row->request.state == PrivacyState::kRunning && row->request.step == step;
}

void Enter(Database& db, PrivacyRow row, PrivacyStep step) {
  row.request.step = step;
  row.request.rows_done = row.request.rows_total = 0;
  SetProgress(db, row);
}

absl::StatusOr<std::vector<int64_t>> ErasuresAt(const InstanceContext& context, PrivacyStep step) {
  std::vector<int64_t> requests;
  RETURN_IF_ERROR(context.profiles->Read({}, "privacy: at a step", [&](const ReadLease& lease) {
    requests = RunningErasuresAt(lease.db(), step);
    return absl::OkStatus();
  }));
  return requests;
}

absl::Status TellFailure(InstanceContext& context, const std::vector<int64_t>& requests,
                         const absl::Status& why) {
  const auto write = [&](Transaction& transaction) {
    for (const int64_t request : requests) {
      SetFailure(transaction.db(), request, {why.message().data(), why.message().size()});
    }
    return absl::OkStatus();
  };
  return context.profiles->Write(write, WriteKind::kRelieving).status();
}

absl::StatusOr<int64_t> Append(InstanceContext& context, const PrivacyRow& row,
                               std::vector<std::string> hashes) {
  FAULT_POINT("erase-before-journal");
  JournalEntry entry;
  entry.instance = context.id;
  entry.request = row.request.id;
  entry.time_us = row.request.create_us;
  entry.key = row.key;
  entry.hashes = std::move(hashes);
  ASSIGN_OR_RETURN(const int64_t number, context.journal->Append(entry));
  FAULT_POINT("erase-after-journal");
  return number;
}

void AddRequests(Database& db, const char* next, std::set<int64_t>& requests) {
  StatementScope get(db.Prepared(next));
  for (int64_t last = 0;;) {
    get->BindAll(last);
    if (!get->Step() || get->IsNull(0)) return;
    last = get->Int(0);
    requests.insert(last);
    get->Reset();
  }
}

}  // namespace

absl::Status JournalErasure(InstanceContext& context, int64_t request) {
  const ActingScope nobody(nullptr);  // it is the store's work, whoever asked for the erasure
  absl::MutexLock lock(&context.journalling);
  std::optional<PrivacyRow> row;
  std::vector<std::string> hashes;
  RETURN_IF_ERROR(
      context.profiles->Read({}, "privacy: to the journal", [&](const ReadLease& lease) {
        hashes.clear();
        row = LoadPrivacyRequest(lease.db(), request);
        for (auto& hash : LoadPrivacyHashes(lease.db(), request, AddressUse::kTombstone)) {
          hashes.push_back(std::move(hash.hash));
        }
        return absl::OkStatus();
      }));
  if (!IsAt(row, PrivacyStep::kProfile)) return absl::OkStatus();
  int64_t entry = 0;
  if (context.journal != nullptr) {
    ASSIGN_OR_RETURN(entry, Append(context, *row, std::move(hashes)));
  }
  const auto write = [&](Transaction& transaction) {
    Database& db = transaction.db();
    if (context.journal != nullptr) RememberJournal(db, *context.journal, entry);
    Enter(db, *row, PrivacyStep::kLedger);
    return absl::OkStatus();
  };
  return context.profiles->Write(write, WriteKind::kRelieving).status();
}

absl::Status JournalErasures(InstanceContext& context) {
  ASSIGN_OR_RETURN(const auto waiting, ErasuresAt(context, PrivacyStep::kProfile));
  for (size_t i = 0; i < waiting.size(); ++i) {
    const absl::Status status = JournalErasure(context, waiting[i]);
    if (status.ok()) continue;
    TellFailure(context, {waiting.begin() + static_cast<ptrdiff_t>(i), waiting.end()}, status)
        .IgnoreError();
    return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> EmptyFilesForErasures(InstanceContext& context,
                                           const std::atomic<bool>& stop) {
  ASSIGN_OR_RETURN(const auto waiting, ErasuresAt(context, PrivacyStep::kEmptyLogs));
  if (waiting.empty()) return false;
  for (File* file : {context.profiles.get(), context.logs.get()}) {
    if (PLANTED("erase-keeps-write-ahead-log")) continue;
    const absl::Status status = file->writer().EmptyLog(stop);
    if (status.ok()) continue;
    if (!absl::IsCancelled(status)) TellFailure(context, waiting, status).IgnoreError();
    return status;
  }
  const auto write = [&](Transaction& transaction) {
    Database& db = transaction.db();
    for (const int64_t request : waiting) {
      const auto row = LoadPrivacyRequest(db, request);
      if (IsAt(row, PrivacyStep::kEmptyLogs)) Enter(db, *row, PrivacyStep::kScan);
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(context.profiles->Write(write, WriteKind::kRelieving).status());
  FAULT_POINT("erase-logs-emptied");
  return true;
}

std::set<int64_t> RequestsWithMessages(Database& logs) {
  std::set<int64_t> requests;
  AddRequests(logs, kNextWork, requests);
  AddRequests(logs, kNextMessages, requests);
  return requests;
}

absl::Status ForgetMessagesOfEnded(InstanceContext& context) {
  std::set<int64_t> ended;
  RETURN_IF_ERROR(context.logs->Read({}, "privacy: found for whom", [&](const ReadLease& lease) {
    ended = RequestsWithMessages(lease.db());
    return absl::OkStatus();
  }));
  if (ended.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(context.profiles->Read({}, "privacy: running", [&](const ReadLease& lease) {
    for (const int64_t request : RunningRequests(lease.db())) ended.erase(request);
    return absl::OkStatus();
  }));
  if (ended.empty()) return absl::OkStatus();
  const auto write = [&](Transaction& transaction) {
    for (const int64_t request : ended) {
      for (const char* sql : {kForgetWork, kForgetMessages}) {
        StatementScope(transaction.db().Prepared(sql))->BindAll(request).Run();
      }
    }
    return absl::OkStatus();
  };
  return context.logs->Write(write, WriteKind::kRelieving).status();
}

}  // namespace passerelle::storage::sqlite
