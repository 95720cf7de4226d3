#include "storage/sqlite/archive.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/fault_point.h"
#include "storage/sqlite/clear_record_keys.h"
#include "storage/sqlite/columns.h"
#include "storage/sqlite/person_data.h"
#include "storage/sqlite/person_text.h"
#include "storage/sqlite/privacy_logs.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kLastChange[] = "SELECT max(seq) FROM change";
constexpr char kSuppressed[] =
    "SELECT key, hash, channel, reason, create_us FROM suppression WHERE key = ?1 AND hash = ?2";
constexpr char kOutcome[] =
    "SELECT stream, row_offset, record_key, outcome, reason, field, flags, stale, out_of_scope, "
    "create_us, profile FROM row_outcome WHERE stream = ?1 AND row_offset = ?2";
constexpr int64_t kRangeSequences = 20'000;
constexpr int64_t kPageRows = 4'000;

using Lines = std::vector<std::string>;

class Gathering {
 public:
  Gathering(InstanceContext& context, const PrivacyRow& row, const std::atomic<bool>& stop)
      : context_(context), row_(row), stop_(stop) {}

  absl::Status Run() {
    RETURN_IF_ERROR(Begin());
    for (const PersonTable& table : ProfilesTables()) {
      if (table.name != std::string_view("row_outcome")) RETURN_IF_ERROR(GatherTable(table));
    }
    RETURN_IF_ERROR(Enter(PrivacyStep::kLedger));
    RETURN_IF_ERROR(GatherTable(*FindPersonTable(FileKind::kProfiles, "row_outcome")));
    RETURN_IF_ERROR(GatherByRecordKey(FileKind::kProfiles));
    RETURN_IF_ERROR(GatherByRecordKey(FileKind::kLogs));
    RETURN_IF_ERROR(Enter(PrivacyStep::kLogs));
    RETURN_IF_ERROR(GatherLogs());
    return End();
  }

 private:
  using Change = absl::FunctionRef<void(Database&)>;

  // Writes only as long as the request runs: an erasure may end it at any moment.
  absl::Status Write(Change change) {
    if (stop_) return absl::CancelledError("the instance is being closed");
    const auto write = [&](Transaction& transaction) -> absl::Status {
      const auto present = LoadPrivacyRequest(transaction.db(), row_.number);
      if (!present.has_value() || present->request.state != PrivacyState::kRunning) {
        return absl::CancelledError("the request has ended");
      }
      change(transaction.db());
      return absl::OkStatus();
    };
    return context_.profiles->Write(write, WriteKind::kRelieving).status();
  }

  absl::Status Read(absl::FunctionRef<void(Database&)> body) {
    return context_.profiles->Read({}, "privacy: gather", [&](const ReadLease& lease) {
      body(lease.db());
      return absl::OkStatus();
    });
  }

  absl::Status Begin() {
    RETURN_IF_ERROR(Enter(PrivacyStep::kProfile));
    RETURN_IF_ERROR(Write([&](Database& db) { DeleteChunks(db, row_.number); }));
    RETURN_IF_ERROR(Read([&](Database& db) {
      profiles_ = LoadPrivacyProfiles(db, row_.number);
      names_ = std::make_unique<PersonNames>(db);
      matcher_ =
          std::make_unique<PersonMatcher>(context_.schema.Get(), *context_.store_keys, row_.key);
      for (PrivacyHash& hash : LoadPrivacyHashes(db, row_.number, AddressUse::kTombstone)) {
        matcher_->Add(std::move(hash.hash));
      }
      suppressed_ = LoadPrivacyHashes(db, row_.number, AddressUse::kSuppression);
    }));
    const std::string time = absl::FormatTime(
        "%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(row_.request.create_us), absl::UTCTimeZone());
    return Add({absl::StrCat(R"({"archive":"passerelle access request","version":1,"instance":")",
                             context_.id, R"(","request":")", row_.request.id,
                             R"(","create_time":")", time, "\"}\n")});
  }

  absl::Status Enter(PrivacyStep step) {
    row_.request.step = step;
    row_.request.rows_done = row_.request.rows_total = 0;
    return Write([&](Database& db) { SetProgress(db, row_); });
  }

  absl::Status GatherTable(const PersonTable& table) {
    if (table.name == std::string_view("profile")) return GatherProfiles(table);
    if (table.name == std::string_view("suppression")) return GatherSuppressions(table);
    for (const ProfileId profile : profiles_) {
      if (table.of_profile != nullptr) RETURN_IF_ERROR(GatherOf(table, profile));
      if (table.of_profile_in_range != nullptr) RETURN_IF_ERROR(GatherInRanges(table, profile));
    }
    return table.identities == nullptr ? absl::OkStatus() : GatherByIdentity(table);
  }

  absl::Status GatherProfiles(const PersonTable& table) {
    Lines lines;
    RETURN_IF_ERROR(Read([&](Database& db) {
      lines.clear();
      std::vector<AttributeNumber> numbers;
      for (const HeldAttribute& held : names_->attributes()) numbers.push_back(held.number);
      for (const ProfileId profile : profiles_) {
        StatementScope row(db.PreparedGenerated(SelectProfileSql(numbers)));
        if (row->BindInt(1, profile.value).Step()) lines.push_back(names_->ProfileLineOf(*row));
      }
    }));
    return AddRows(table, std::move(lines));
  }

  absl::Status GatherSuppressions(const PersonTable& table) {
    Lines lines;
    RETURN_IF_ERROR(Read([&](Database& db) {
      lines.clear();
      for (const PrivacyHash& hash : suppressed_) {
        StatementScope rows(db.Prepared(kSuppressed));
        rows->BindInt(1, hash.key).BindBlob(2, hash.hash);
        while (rows->Step()) lines.push_back(names_->LineOf(table, *rows));
      }
    }));
    return AddRows(table, std::move(lines));
  }

  absl::Status GatherOf(const PersonTable& table, ProfileId profile) {
    Lines lines;
    RETURN_IF_ERROR(Read([&](Database& db) {
      lines.clear();
      StatementScope rows(db.Prepared(table.of_profile));
      rows->BindAll(profile.value);
      while (rows->Step()) lines.push_back(names_->LineOf(table, *rows));
    }));
    return AddRows(table, std::move(lines));
  }

  absl::Status GatherInRanges(const PersonTable& table, ProfileId profile) {
    int64_t last = 0;
    RETURN_IF_ERROR(Read([&](Database& db) { last = db.QueryInt(kLastChange); }));
    for (int64_t from = 0; from < last; from += kRangeSequences) {
      Lines lines;
      RETURN_IF_ERROR(Read([&](Database& db) {
        lines.clear();
        StatementScope rows(db.Prepared(table.of_profile_in_range));
        rows->BindAll(profile.value, from, from + kRangeSequences);
        while (rows->Step()) lines.push_back(names_->LineOf(table, *rows));
      }));
      RETURN_IF_ERROR(AddRows(table, std::move(lines)));
    }
    return absl::OkStatus();
  }

  // Rows that are of the profile too are in the archive already.
  bool IsGathered(const PersonTable& table, const Statement& row) const {
    if (table.of_profile == nullptr) return false;
    for (int column = 0; column < row.column_count(); ++column) {
      if (row.Name(column) != "profile") continue;
      return std::find(profiles_.begin(), profiles_.end(), ProfileId{row.Int(column)}) !=
             profiles_.end();
    }
    return false;
  }

  absl::Status GatherByIdentity(const PersonTable& table) {
    bool more = true;
    for (int64_t after = 0; more;) {
      Lines lines;
      int64_t last = after;
      RETURN_IF_ERROR(Read([&](Database& db) {
        lines.clear();
        int64_t seen = 0;
        StatementScope next(db.Prepared(table.identities));
        next->BindAll(after, kPageRows);
        for (; next->Step(); ++seen) {
          last = next->Int(0);
          if (!matcher_->Matches(NamespaceNumber{next->Int(1)}, next->Text(2))) continue;
          StatementScope row(db.Prepared(table.by_number));
          row->BindAll(last);
          if (row->Step() && !IsGathered(table, *row)) lines.push_back(names_->LineOf(table, *row));
        }
        more = seen == kPageRows;
      }));
      after = last;
      RETURN_IF_ERROR(AddRows(table, std::move(lines)));
    }
    return absl::OkStatus();
  }

  // Outcomes of rows that were refused before it was known whose they are.
  absl::Status GatherByRecordKey(FileKind kind) {
    const File& file = kind == FileKind::kProfiles ? *context_.profiles : *context_.logs;
    const PersonTable& table = *FindPersonTable(kind, "row_outcome");
    const auto gather = [&](const std::vector<OutcomePlace>& places) -> absl::Status {
      Lines lines;
      RETURN_IF_ERROR(file.Read({}, "privacy: gather", [&](const ReadLease& lease) {
        lines.clear();
        for (const OutcomePlace& place : places) {
          StatementScope row(lease.db().Prepared(kOutcome));
          row->BindAll(place.stream, place.offset);
          if (row->Step() && !IsGathered(table, *row)) lines.push_back(names_->LineOf(table, *row));
        }
        return absl::OkStatus();
      }));
      return AddRows(table, std::move(lines));
    };
    return FindRecordKeys(file, *context_.schema.Get(), *matcher_, stop_, gather);
  }

  absl::Status GatherLogs() {
    SearchedPerson person{row_.number, *matcher_, {}};
    for (const ProfileId profile : profiles_) person.profiles.insert(profile.value);
    PersonLogs logs(context_, person, stop_);
    RETURN_IF_ERROR(logs.End());
    RETURN_IF_ERROR(logs.Begin());
    RETURN_IF_ERROR(context_.logs->Read({}, "privacy: names", [&](const ReadLease& lease) {
      names_->LoadDeliveries(lease.db());
      return absl::OkStatus();
    }));
    const auto progress = [&](int64_t done, int64_t total) {
      row_.request.rows_done = done;
      row_.request.rows_total = total;
      return Write([&](Database& db) { SetProgress(db, row_); });
    };
    RETURN_IF_ERROR(
        logs.Search([](const PersonLogs::Names&) { return absl::OkStatus(); }, progress));
    RETURN_IF_ERROR(
        logs.Visit([&](const std::vector<int64_t>& rows) { return GatherRows(rows); }, progress));
    ASSIGN_OR_RETURN(const auto messages, logs.Messages());
    for (const PersonTable& table : LogsTables()) {
      if (table.of_message != nullptr) RETURN_IF_ERROR(GatherMessages(table, messages));
    }
    return logs.End();
  }

  absl::Status GatherRows(const std::vector<int64_t>& sequences) {
    const PersonTable& table = *FindPersonTable(FileKind::kLogs, "log");
    Lines lines;
    RETURN_IF_ERROR(context_.logs->Read({}, "privacy: gather", [&](const ReadLease& lease) {
      lines.clear();
      for (const int64_t seq : sequences) {
        StatementScope row(lease.db().Prepared(table.by_number));
        if (row->BindInt(1, seq).Step()) lines.push_back(names_->LineOf(table, *row));
      }
      return absl::OkStatus();
    }));
    return AddRows(table, std::move(lines));
  }

  absl::Status GatherMessages(const PersonTable& table,
                              const std::vector<PersonLogs::Message>& messages) {
    Lines lines;
    RETURN_IF_ERROR(context_.logs->Read({}, "privacy: gather", [&](const ReadLease& lease) {
      lines.clear();
      for (const auto& [delivery, broadlog_id] : messages) {
        StatementScope row(lease.db().Prepared(table.of_message));
        row->BindAll(delivery, broadlog_id);
        if (row->Step()) lines.push_back(names_->LineOf(table, *row));
      }
      return absl::OkStatus();
    }));
    return AddRows(table, std::move(lines));
  }

  absl::Status AddRows(const PersonTable& table, Lines lines) {
    const auto count = static_cast<int64_t>(lines.size());
    if (count == 0) return absl::OkStatus();
    counts_[PlaceOfTable(QualifiedName(table))] += count;
    return Add(std::move(lines));
  }

  absl::Status Add(Lines lines) {
    for (std::string& line : lines) {
      text_ += line;
      while (static_cast<int64_t>(text_.size()) >= kArchiveChunkBytes) RETURN_IF_ERROR(Flush());
    }
    return absl::OkStatus();
  }

  absl::Status Flush() {
    const std::string plain = text_.substr(0, kArchiveChunkBytes);
    text_.erase(0, plain.size());
    const std::string sealed =
        context_.store_keys->Seal(plain, ChunkContext(row_.request.id, chunks_));
    RETURN_IF_ERROR(Write([&](Database& db) { AddChunk(db, row_.number, chunks_, sealed); }));
    FAULT_POINT("archive-chunk-written");
    bytes_ += static_cast<int64_t>(plain.size());
    ++chunks_;
    return absl::OkStatus();
  }

  absl::Status End() {
    if (!text_.empty()) RETURN_IF_ERROR(Flush());
    const auto write = [&](Transaction& transaction) -> absl::Status {
      Database& db = transaction.db();
      auto present = LoadPrivacyRequest(db, row_.number);
      if (!present.has_value() || present->request.state != PrivacyState::kRunning) {
        return absl::CancelledError("the request has ended");
      }
      for (const auto* tables : {&profiles_tables_, &logs_tables_}) {
        for (const PersonTable& table : *tables) {
          const auto found = counts_.find(PlaceOfTable(QualifiedName(table)));
          if (found == counts_.end()) continue;
          SetPrivacyCount(db, row_.number, QualifiedName(table), found->second);
        }
      }
      PrivacyRequest& request = present->request;
      request.state = PrivacyState::kSucceeded;
      request.step = PrivacyStep::kNone;
      request.rows_done = request.rows_total = 0;
      request.archive_bytes = bytes_;
      request.end_us = transaction.commit_us();
      request.archive_expire_us = transaction.commit_us() + kArchiveKeptUs;
      WritePrivacyRequest(db, *present, transaction.NextSeq());
      return absl::OkStatus();
    };
    return context_.profiles->Write(write, WriteKind::kRelieving).status();
  }

  InstanceContext& context_;
  PrivacyRow row_;
  const std::atomic<bool>& stop_;
  const absl::Span<const PersonTable> profiles_tables_ = ProfilesTables();
  const absl::Span<const PersonTable> logs_tables_ = LogsTables();
  std::vector<ProfileId> profiles_;
  std::vector<PrivacyHash> suppressed_;
  std::unique_ptr<PersonNames> names_;
  std::unique_ptr<PersonMatcher> matcher_;
  absl::flat_hash_map<size_t, int64_t> counts_;  // by the place of the table
  std::string text_;
  int64_t chunks_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace

std::string ChunkContext(std::string_view request, int64_t chunk) {
  return absl::StrCat("privacy_archive/", std::string(request), "/", chunk);
}

absl::Status GatherArchive(InstanceContext& context, const PrivacyRow& row,
                           const std::atomic<bool>& stop) {
  return Gathering(context, row, stop).Run();
}

}  // namespace passerelle::storage::sqlite
