#include "server/services/audit_feed.h"

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/convert/audit.h"
#include "server/services/call_steps.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr absl::Duration kProgressEvery = absl::Milliseconds(100);
constexpr int64_t kFindingsPerChain = 1'000;  // that are told

class AuditFeed final : public FeedSourceOf<v1::VerifyAuditTrailResponse> {
 public:
  AuditFeed(const ServiceContext& context, const v1::VerifyAuditTrailRequest& request)
      : context_(context), request_(request) {}

  bool CanBeginAgain() const override { return false; }
  absl::StatusOr<FeedStep> Next(const storage::ReadContext& read,
                                v1::VerifyAuditTrailResponse* message) override {
    if (told_end_) return FeedStep::kEnd;
    if (verification_ == nullptr) RETURN_IF_ERROR(Begin());
    if (!findings_.empty()) return TellFinding(message);
    if (done_) return TellEnd(message);
    RETURN_IF_ERROR(TakeStep(read));
    if (!findings_.empty()) return TellFinding(message);
    if (done_ || absl::Now() < told_ + kProgressEvery) return FeedStep::kMore;
    told_ = absl::Now();
    WriteProgress(message->mutable_progress());
    return FeedStep::kMessage;
  }

 private:
  absl::Status Begin() {
    ASSIGN_OR_RETURN(const std::string instance, ReadAuditParent(request_.parent()));
    ASSIGN_OR_RETURN(std::vector<storage::AuditHead> known, ReadAuditHeads(request_));
    auto verification = context_.store->audit().Verify(instance, std::move(known));
    if (!verification.ok()) return ForResource(verification.status(), request_.parent());
    verification_ = *std::move(verification);
    return absl::OkStatus();
  }

  absl::Status TakeStep(const storage::ReadContext& read) {
    std::vector<storage::AuditFinding> found;
    ASSIGN_OR_RETURN(const bool more, verification_->Step(read, found));
    done_ = !more;
    for (storage::AuditFinding& finding : found) {
      ++found_;
      if (++found_in_[finding.chain] <= kFindingsPerChain) findings_.push_back(std::move(finding));
    }
    return absl::OkStatus();
  }

  FeedStep TellFinding(v1::VerifyAuditTrailResponse* message) {
    WriteAuditFinding(findings_.front(), message->mutable_finding());
    findings_.pop_front();
    return FeedStep::kMessage;
  }

  void WriteProgress(v1::VerifyAuditTrailResponse::Progress* out) const {
    out->set_chain(verification_->chain());
    out->set_entries_read(verification_->chain_entries_read());
    out->set_entries_total(verification_->chain_entries());
  }

  FeedStep TellEnd(v1::VerifyAuditTrailResponse* message) {
    v1::VerifyAuditTrailResponse::Summary* summary = message->mutable_summary();
    summary->set_entries(verification_->entries_read());
    summary->set_findings(found_);
    for (const storage::AuditHead& head : verification_->heads()) {
      WriteAuditHead(head, summary->add_heads());
    }
    told_end_ = true;
    return FeedStep::kMessage;
  }

  const ServiceContext context_;
  const v1::VerifyAuditTrailRequest request_;
  std::unique_ptr<storage::AuditVerification> verification_;
  std::deque<storage::AuditFinding> findings_;  // not told yet
  std::map<std::string, int64_t> found_in_;     // by chain
  int64_t found_ = 0;
  absl::Time told_ = absl::InfinitePast();
  bool done_ = false;
  bool told_end_ = false;
};

}  // namespace

std::unique_ptr<FeedSourceOf<v1::VerifyAuditTrailResponse>> MakeAuditFeed(
    const ServiceContext& context, const v1::VerifyAuditTrailRequest& request) {
  return std::make_unique<AuditFeed>(context, request);
}

}  // namespace passerelle
