#include "storage/sqlite/erase_run.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/fault_point.h"
#include "storage/sqlite/clear_record_keys.h"
#include "storage/sqlite/erase_together.h"
#include "storage/sqlite/erasure.h"
#include "storage/sqlite/person_data.h"
#include "storage/sqlite/privacy_logs.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int kPageRows = 4'000;
// The follower looks by itself twice a second.
constexpr absl::Duration kFollowerWait = absl::Milliseconds(20);
constexpr char kSetId[] = "SELECT value FROM meta WHERE key = 'set_id'";

std::string TimeText(int64_t us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(us), absl::UTCTimeZone());
}

std::string SetIdOf(Database& db) {
  StatementScope get(db.Prepared(kSetId));
  return get->Step() ? std::string(get->Text(0)) : "";
}

// Which store, and which of its keys, are part of what is signed.
std::string StatementOf(Database& db, const InstanceContext& context, const PrivacyRow& row) {
  const PrivacyRequest& request = row.request;
  std::string text = absl::StrCat(R"({"kind":"erasure","set":")", SetIdOf(db), R"(","key":")",
                                  absl::Hex(context.store_keys->Keys().front(), absl::kZeroPad8),
                                  R"(","instance":")", context.id, R"(","request":")", request.id,
                                  R"(","create_time":")", TimeText(request.create_us),
                                  R"(","end_time":")", TimeText(request.end_us),
                                  R"(","tombstones":)", row.tombstones, R"(,"counts":{)");
  for (const TableCount& count : request.counts) {
    absl::StrAppend(&text, text.back() == '{' ? "" : ",", "\"", count.table, "\":", count.rows);
  }
  return text + "}}";
}

class EraseRun {
 public:
  EraseRun(InstanceContext& context, const PrivacyRow& row, const std::atomic<bool>& stop)
      : context_(context), row_(row), stop_(stop) {}

  absl::Status Run() {
    while (!ended_) {
      if (stop_) return absl::CancelledError("the instance is being closed");
      if (row_.request.step == PrivacyStep::kEmptyLogs) return absl::OkStatus();
      RETURN_IF_ERROR(LoadPerson());
      RETURN_IF_ERROR(DoStep());
    }
    return absl::OkStatus();
  }

 private:
  absl::Status DoStep() {
    switch (row_.request.step) {
      case PrivacyStep::kNone:
      case PrivacyStep::kProfile:
        return Journal();
      case PrivacyStep::kLedger:
        return EraseByProfile();
      case PrivacyStep::kLogs:
        return ClearLogs();
      case PrivacyStep::kScan:
        return Scan();
      case PrivacyStep::kEmptyLogs:
        break;
    }
    return absl::InternalError("the request is at an unknown step");
  }

  absl::Status LoadPerson() {
    return context_.profiles->Read({}, "privacy: who", [&](const ReadLease& lease) {
      Database& db = lease.db();
      profiles_ = LoadPrivacyProfiles(db, row_.number);
      hashes_.clear();
      PersonMatcher matcher(context_.schema.Get(), *context_.store_keys, row_.key);
      for (PrivacyHash& hash : LoadPrivacyHashes(db, row_.number, AddressUse::kTombstone)) {
        matcher.Add(hash.hash);
        hashes_.push_back(std::move(hash.hash));
      }
      person_ =
          std::make_unique<SearchedPerson>(SearchedPerson{row_.number, std::move(matcher), {}});
      for (const ProfileId profile : profiles_) person_->profiles.insert(profile.value);
      return absl::OkStatus();
    });
  }

  absl::Status Write(absl::FunctionRef<absl::Status(Transaction&)> change) {
    return context_.profiles->Write(change, WriteKind::kRelieving).status();
  }

  // The next step, in the transaction that ends the present one.
  void Enter(Database& db, PrivacyStep step) {
    row_.request.step = step;
    row_.request.rows_done = row_.request.rows_total = 0;
    SetProgress(db, row_);
  }

  absl::Status EnterAlone(PrivacyStep step) {
    return Write([&](Transaction& transaction) {
      Enter(transaction.db(), step);
      return absl::OkStatus();
    });
  }

  absl::Status Progress(int64_t done, int64_t total) {
    row_.request.rows_done = done;
    row_.request.rows_total = total;
    return Write([&](Transaction& transaction) {
      SetProgress(transaction.db(), row_);
      return absl::OkStatus();
    });
  }

  // Before anything else follows: a backup of before can bring the person back.
  absl::Status Journal() {
    RETURN_IF_ERROR(JournalErasure(context_, row_.number));
    row_.request.step = PrivacyStep::kLedger;
    return absl::OkStatus();
  }

  absl::Status EraseByProfile() {
    RETURN_IF_ERROR(EraseRowsOfProfiles().status());
    RETURN_IF_ERROR(ForgetKeys().status());
    RETURN_IF_ERROR(EnterAlone(PrivacyStep::kLogs));
    FAULT_POINT("erase-after-ledger");
    return absl::OkStatus();
  }

  // In the outcomes of rows that were refused before it was known whose they are.
  absl::StatusOr<int64_t> ForgetKeys() {
    if (PLANTED("erase-keeps-outcomes")) return 0;
    const auto schema = context_.schema.Get();
    int64_t all = 0;
    for (const auto& [file, table] : {std::pair{context_.profiles.get(), "profiles.row_outcome"},
                                      std::pair{context_.logs.get(), "logs.row_outcome"}}) {
      ASSIGN_OR_RETURN(const int64_t forgotten,
                       ForgetRecordKeys(*file, *schema, person_->matcher, stop_));
      all += forgotten;
      if (forgotten == 0) continue;
      RETURN_IF_ERROR(Write([&, name = table](Transaction& transaction) {
        AddPrivacyCount(transaction.db(), row_.number, name, forgotten);
        return absl::OkStatus();
      }));
    }
    return all;
  }

  absl::StatusOr<int64_t> EraseRowsOfProfiles() {
    int64_t all = 0;
    for (const PersonTable& table : ProfilesTables()) {
      if (table.erase_of_profile == nullptr) continue;
      for (const ProfileId profile : profiles_) {
        int64_t erased = 1;
        while (erased != 0) {
          ASSIGN_OR_RETURN(erased, EraseSomeOf(table, profile));
          all += erased;
        }
      }
    }
    return all;
  }

  // A turn that found nothing is not committed.
  absl::StatusOr<int64_t> EraseSomeOf(const PersonTable& table, ProfileId profile) {
    if (PLANTED("erase-keeps-outcomes")) return 0;
    int64_t erased = 0;
    const absl::Status written = Write([&](Transaction& transaction) {
      Database& db = transaction.db();
      StatementScope(db.Prepared(table.erase_of_profile))->BindAll(profile.value).Run();
      erased = sqlite3_changes64(db.handle());
      if (erased == 0) return absl::CancelledError("nothing is left");
      AddPrivacyCount(db, row_.number, QualifiedName(table), erased);
      return absl::OkStatus();
    });
    if (erased == 0 && absl::IsCancelled(written)) return 0;
    RETURN_IF_ERROR(written);
    return erased;
  }

  // Addresses that were the person's; not where they are somebody else's now.
  absl::Status ForgetFormer(const PersonLogs::Names& former) {
    const auto schema = context_.schema.Get();
    return Write([&](Transaction& transaction) {
      Erasure erasure(transaction, context_, row_.number, row_.key);
      for (const auto& [ns_id, value] : former) {
        const IdentityNamespace* ns = schema->FindNamespace(ns_id);
        if (ns != nullptr) erasure.EraseAddress({ns->number, value, false});
      }
      return absl::OkStatus();
    });
  }

  absl::Status TakeFormer(const PersonLogs::Names& former) {
    former_.insert(former_.end(), former.begin(), former.end());
    return ForgetFormer(former);
  }

  // Once no row tells of them any more: the follower can have read one before, and applied it after
  // they were forgotten.
  absl::Status ForgetFollowed() {
    if (former_.empty()) return absl::OkStatus();
    const int64_t end = context_.logs->readers().visible_seq();
    while (context_.log_applied_seq < end) {
      if (stop_) return absl::CancelledError("the instance is being closed");
      absl::SleepFor(kFollowerWait);
    }
    return ForgetFormer(std::exchange(former_, {}));
  }

  absl::Status ClearLogs() {
    if (PLANTED("erase-keeps-log-rows")) return EnterAlone(PrivacyStep::kEmptyLogs);
    PersonLogs logs(context_, *person_, stop_);
    RETURN_IF_ERROR(logs.Begin());
    const auto progress = [this](int64_t done, int64_t total) { return Progress(done, total); };
    RETURN_IF_ERROR(logs.Search(
        [this](const PersonLogs::Names& former) { return TakeFormer(former); }, progress));
    ASSIGN_OR_RETURN(const int64_t cleared, logs.Clear(progress));
    RETURN_IF_ERROR(ForgetFollowed());
    RETURN_IF_ERROR(Write([&](Transaction& transaction) {
      SetPrivacyCount(transaction.db(), row_.number, "logs.log", cleared);
      Enter(transaction.db(), PrivacyStep::kEmptyLogs);
      return absl::OkStatus();
    }));
    FAULT_POINT("erase-after-logs");
    return absl::OkStatus();
  }

  absl::Status Scan() {
    PersonLogs logs(context_, *person_, stop_);
    RETURN_IF_ERROR(logs.Begin());
    ASSIGN_OR_RETURN(const int64_t holders, EraseHolders());
    ASSIGN_OR_RETURN(const int64_t by_identity, EraseByIdentity());
    ASSIGN_OR_RETURN(const int64_t by_profile, EraseRowsOfProfiles());
    ASSIGN_OR_RETURN(const int64_t by_key, ForgetKeys());
    ASSIGN_OR_RETURN(const auto messages, logs.FindAgain());
    const bool all_cleared = messages.empty() || PLANTED("erase-keeps-log-rows");
    if (holders + by_identity + by_profile + by_key != 0 || !all_cleared) {
      RETURN_IF_ERROR(logs.BeginAnew());
      // What holders had besides is not in the journal yet.
      return EnterAlone(holders != 0 ? PrivacyStep::kProfile : PrivacyStep::kLedger);
    }
    FAULT_POINT("erase-before-receipt");
    RETURN_IF_ERROR(logs.End());
    return End();
  }

  // Who has an identity that another form of led to nobody, such as the value to a hash.
  absl::StatusOr<int64_t> EraseHolders() {
    absl::flat_hash_set<int64_t> found;
    IdentityPosition position;
    bool more = true;
    while (more && !stop_) {
      RETURN_IF_ERROR(context_.profiles->Read({}, "privacy: holders", [&](const ReadLease& lease) {
        more = FindHolders(lease.db(), person_->matcher, position, kPageRows, found);
        return absl::OkStatus();
      }));
    }
    if (found.empty()) return 0;
    RETURN_IF_ERROR(Write([&](Transaction& transaction) {
      Erasure erasure(transaction, context_, row_.number, row_.key);
      for (const int64_t profile : found) erasure.EraseProfile(ProfileId{profile});
      erasure.Seal();
      return absl::OkStatus();
    }));
    return static_cast<int64_t>(found.size());
  }

  absl::StatusOr<int64_t> EraseByIdentity() {
    int64_t erased = 0;
    for (const PersonTable& table : ProfilesTables()) {
      if (table.identities == nullptr) continue;
      ASSIGN_OR_RETURN(const std::vector<int64_t> numbers, FindByIdentity(table));
      if (numbers.empty()) continue;
      RETURN_IF_ERROR(Write([&](Transaction& transaction) {
        Database& db = transaction.db();
        for (const int64_t number : numbers) {
          StatementScope(db.Prepared(table.erase_by_number))->BindAll(number).Run();
        }
        AddPrivacyCount(db, row_.number, QualifiedName(table),
                        static_cast<int64_t>(numbers.size()));
        return absl::OkStatus();
      }));
      erased += static_cast<int64_t>(numbers.size());
    }
    return erased;
  }

  absl::StatusOr<std::vector<int64_t>> FindByIdentity(const PersonTable& table) {
    std::vector<int64_t> found;
    bool more = true;
    for (int64_t last = 0; more && !stop_;) {
      RETURN_IF_ERROR(context_.profiles->Read({}, "privacy: scan", [&](const ReadLease& lease) {
        StatementScope next(lease.db().Prepared(table.identities));
        next->BindAll(last, kPageRows);
        int seen = 0;
        for (; next->Step(); ++seen) {
          last = next->Int(0);
          const bool matches =
              person_->matcher.Matches(NamespaceNumber{next->Int(1)}, next->Text(2));
          if (matches) found.push_back(last);
        }
        more = seen == kPageRows;
        return absl::OkStatus();
      }));
    }
    return found;
  }

  absl::Status End() {
    if (stop_) return absl::CancelledError("the instance is being closed");
    RETURN_IF_ERROR(Write([&](Transaction& transaction) {
      Database& db = transaction.db();
      PrivacyRow row = *LoadPrivacyRequest(db, row_.number);
      row.tombstones = static_cast<int64_t>(hashes_.size());
      PrivacyRequest& request = row.request;
      request.state = PrivacyState::kSucceeded;
      request.step = PrivacyStep::kNone;
      request.profile = {};
      request.rows_done = request.rows_total = 0;
      request.failure.clear();
      request.end_us = transaction.commit_us();
      request.receipt.statement = StatementOf(db, context_, row);
      const KeySignature signature = context_.store_keys->Sign(request.receipt.statement);
      request.receipt.signature = signature.signature;
      request.receipt.public_key = signature.public_key;
      request.receipt.key = signature.key;
      ForgetWho(db, row_.number);
      WritePrivacyRequest(db, row, transaction.NextSeq());
      return absl::OkStatus();
    }));
    ended_ = true;
    return absl::OkStatus();
  }

  InstanceContext& context_;
  PrivacyRow row_;
  const std::atomic<bool>& stop_;
  std::vector<ProfileId> profiles_;
  std::vector<std::string> hashes_;
  PersonLogs::Names former_;
  std::unique_ptr<SearchedPerson> person_;
  bool ended_ = false;
};

}  // namespace

absl::Status RunErasure(InstanceContext& context, const PrivacyRow& row,
                        const std::atomic<bool>& stop) {
  return EraseRun(context, row, stop).Run();
}

}  // namespace passerelle::storage::sqlite
