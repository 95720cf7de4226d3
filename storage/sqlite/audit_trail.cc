#include "storage/sqlite/audit_trail.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/sqlite/audit.h"
#include "storage/sqlite/audit_rows.h"
#include "storage/sqlite/audit_walk.h"
#include "storage/sqlite/instance_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr absl::Duration kRoomMayTake = absl::Seconds(10);
// A page that writers cut this often in a row is given up.
constexpr int kCutsMax = 50;
constexpr char kDeletes[] = "InstanceService/DeleteInstance";
constexpr int64_t kDeletionsMax = 100'000;

absl::Status NoKeys() {
  return absl::FailedPreconditionError(
      "the store was opened without keys: it keeps no audit trail");
}

// An export that has been made must not be left out because much else is written.
absl::Status WriteOnceThereIsRoom(File& file,
                                  absl::FunctionRef<absl::Status(Transaction&)> decide) {
  const absl::Time until = absl::Now() + kRoomMayTake;
  for (;;) {
    const absl::Status status = file.Write(decide, WriteKind::kRelieving).status();
    if (ReasonOf(status) != Reason::kQueueFull || absl::Now() >= until) return status;
    const auto room = std::make_shared<absl::Notification>();
    file.writer().OnSpace([room] { room->Notify(); });
    room->WaitForNotificationWithTimeout(until - absl::Now());
  }
}

class ChainVerification : public AuditVerification {
 public:
  ChainVerification(AuditFiles files, const std::vector<AuditChain>& chains,
                    std::vector<AuditHead> known)
      : files_(std::move(files)), chains_(chains.begin(), chains.end()), known_(std::move(known)) {}

  absl::StatusOr<bool> Step(const ReadContext& context,
                            std::vector<AuditFinding>& findings) override {
    if (walk_ == nullptr && !BeginChain()) return false;
    bool more = false;
    const absl::Status status = files_.With(at_, [&](File& file) {
      return file.Read(context, "audit: verify", [&](const ReadLease& lease) {
        more = walk_->Step(lease.db(), findings);
        return absl::OkStatus();
      });
    });
    if (ReasonOf(status) == Reason::kReadTooLong && ++cuts_ < kCutsMax) return true;
    if (!status.ok() && !IsGone()) return status;
    cuts_ = 0;
    if (status.ok() && more) return true;
    EndChain(status.ok());
    return !chains_.empty();
  }

  const std::string& chain() const override { return chain_; }
  int64_t chain_entries_read() const override { return walk_ ? walk_->entries_read() : 0; }
  int64_t chain_entries() const override { return walk_ ? walk_->entries() : 0; }
  int64_t entries_read() const override { return entries_ended_ + chain_entries_read(); }
  const std::vector<AuditHead>& heads() const override { return heads_; }

 protected:
  const AuditFiles& files() const { return files_; }

 private:
  bool BeginChain() {
    if (chains_.empty()) return false;
    at_ = chains_.front();
    chains_.pop_front();
    chain_ = NameOf(at_);
    walk_ = std::make_unique<AuditWalk>(chain_, files_.store_keys.get());
    for (const AuditHead& head : known_) {
      if (head.chain == chain_) walk_->Expect(head);
    }
    return true;
  }

  void EndChain(bool was_read) {
    if (was_read) heads_.push_back(walk_->head());
    entries_ended_ += walk_->entries_read();
    walk_.reset();
  }

  bool IsGone() const {
    return !at_.instance.empty() && absl::IsNotFound(files_.open(at_.instance).status());
  }

  const AuditFiles files_;
  std::deque<AuditChain> chains_;  // to be read
  const std::vector<AuditHead> known_;
  AuditChain at_;
  std::string chain_;
  std::unique_ptr<AuditWalk> walk_;
  int cuts_ = 0;
  int64_t entries_ended_ = 0;
  std::vector<AuditHead> heads_;
};

// Also tells of chains that were there once.
class WholeVerification : public ChainVerification {
 public:
  WholeVerification(AuditFiles files, const std::vector<AuditChain>& chains,
                    const std::vector<AuditHead>& known)
      : ChainVerification(std::move(files), chains, known) {
    for (const AuditHead& head : known) {
      if (head.chain == NameOf(AuditChain{})) control_number_ = head.number;
      const bool is_there = std::any_of(chains.begin(), chains.end(), [&](const AuditChain& chain) {
        return NameOf(chain) == head.chain;
      });
      if (!is_there && head.number > 0) gone_.push_back(head);
    }
  }

  absl::StatusOr<bool> Step(const ReadContext& context,
                            std::vector<AuditFinding>& findings) override {
    if (!gone_.empty()) RETURN_IF_ERROR(JudgeGone(context, findings));
    return ChainVerification::Step(context, findings);
  }

 private:
  // An instance that somebody deleted since takes its chains with it: the trail of control, which
  // is read too, says so.
  absl::Status JudgeGone(const ReadContext& context, std::vector<AuditFinding>& findings) {
    std::vector<AuditRow> deletions;
    RETURN_IF_ERROR(files().control->Read(context, "audit: verify", [&](const ReadLease& lease) {
      deletions = LoadAuditRows(lease.db(), {control_number_, kAuditNumbersEnd, kDeletionsMax},
                                {{}, kDeletes, {}});
      return absl::OkStatus();
    }));
    for (const AuditHead& head : std::exchange(gone_, {})) {
      const auto chain = AuditChainNamed(head.chain);
      const std::string name = absl::StrCat("instances/", chain.has_value() ? chain->instance : "");
      const bool was_deleted =
          std::any_of(deletions.begin(), deletions.end(),
                      [&](const AuditRow& deletion) { return deletion.act.resource == name; });
      if (was_deleted) continue;
      findings.push_back({AuditFinding::Kind::kHeadLost, head.chain, head.number,
                          "there is no such file any more, and the trail of control does not say "
                          "that somebody deleted the instance since"});
    }
    return absl::OkStatus();
  }

  std::vector<AuditHead> gone_;
  int64_t control_number_ = 0;  // of the known head; what is older tells of other deletions
};

}  // namespace

absl::Status AuditFiles::With(const AuditChain& chain,
                              absl::FunctionRef<absl::Status(File&)> body) const {
  if (chain.file == AuditFile::kControl) return body(*control);
  ASSIGN_OR_RETURN(const auto instance, open(chain.instance));
  const InstanceContext& files = instance->files();
  return body(chain.file == AuditFile::kProfiles ? *files.profiles : *files.logs);
}

absl::StatusOr<std::vector<AuditChain>> AuditFiles::ChainsOf(std::string_view instance) const {
  std::vector<std::string> instances{std::string(instance)};
  std::vector<AuditChain> chains;
  if (instance.empty()) {
    chains.push_back({});
    RETURN_IF_ERROR(control->Read({}, "instances: list", [&](const ReadLease& lease) {
      instances = LoadInstanceIds(lease.db());
      return absl::OkStatus();
    }));
  } else {
    RETURN_IF_ERROR(open(instances[0]).status());
  }
  for (const std::string& id : instances) {
    chains.push_back({AuditFile::kLogs, id});
    chains.push_back({AuditFile::kProfiles, id});
  }
  return chains;
}

absl::Status SqliteAudit::RecordExport(const AuditChain& chain, const Act& act,
                                       const ExportEntry& entry) {
  if (files_.store_keys == nullptr) return absl::OkStatus();
  // The entry is told in its own words, not as a write of the call.
  const ActingScope nobody(nullptr);
  const auto made = std::make_shared<const Act>(act);
  return files_.With(chain, [&](File& file) {
    return WriteOnceThereIsRoom(file, [&](Transaction& transaction) {
      transaction.Overlay<AuditOverlay>().AddExport(made, entry);
      return absl::OkStatus();
    });
  });
}

absl::StatusOr<AuditPage> SqliteAudit::List(const AuditQuery& query,
                                            const ReadContext& context) const {
  ASSIGN_OR_RETURN(const auto chains, files_.ChainsOf(query.instance));
  return ListAudit(files_, chains, query, context);
}

absl::StatusOr<std::unique_ptr<AuditVerification>> SqliteAudit::Verify(
    std::string_view instance, std::vector<AuditHead> known) const {
  if (files_.store_keys == nullptr || files_.store_keys->Keys().empty()) return NoKeys();
  ASSIGN_OR_RETURN(const auto chains, files_.ChainsOf(instance));
  if (!instance.empty()) {
    return std::make_unique<ChainVerification>(files_, chains, std::move(known));
  }
  return std::make_unique<WholeVerification>(files_, chains, known);
}

}  // namespace passerelle::storage::sqlite
