#include "server/services/examine_feed.h"

#include <grpcpp/grpcpp.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/advisories.h"
#include "server/convert/names.h"
#include "server/convert/times.h"
#include "server/services/call_steps.h"
#include "server/services/requests.h"
#include "storage/examination.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using storage::Severity;

constexpr absl::Duration kProgressEvery = absl::Milliseconds(100);

v1::ExamineResponse::Severity SeverityOf(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return v1::ExamineResponse::SEVERITY_NOTE;
    case Severity::kWarning:
      return v1::ExamineResponse::SEVERITY_WARNING;
    case Severity::kError:
      break;
  }
  return v1::ExamineResponse::SEVERITY_ERROR;
}

void Write(const storage::Finding& finding, v1::ExamineResponse::Finding* out) {
  out->set_severity(SeverityOf(finding.severity));
  out->set_check(finding.check);
  if (!finding.instance.empty()) {
    out->set_instance(absl::StrCat("instances/", finding.instance));
  }
  out->set_file(finding.file);
  out->set_what(finding.what);
  out->set_advice(finding.advice);
}

class ExamineFeed final : public FeedSourceOf<v1::ExamineResponse> {
 public:
  ExamineFeed(const ServiceContext& context, const v1::ExamineRequest& request)
      : context_(context), request_(request) {}

  bool CanBeginAgain() const override { return false; }
  absl::StatusOr<FeedStep> Next(const storage::ReadContext& read,
                                v1::ExamineResponse* message) override {
    if (told_end_) return FeedStep::kEnd;
    if (examination_ == nullptr) RETURN_IF_ERROR(Begin());
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
    std::string instance;
    if (!request_.instance().empty()) {
      ASSIGN_OR_RETURN(const InstanceName name,
                       ParseInstanceName({"instance", request_.instance()}));
      instance = name.instance;
    }
    auto examination = context_.store->Examine(instance);
    if (!examination.ok()) return ForResource(examination.status(), request_.instance());
    examination_ = *std::move(examination);
    start_ = context_.clock->Now();
    for (storage::Finding& finding : GrpcAdvisories(grpc::Version())) {
      findings_.push_back(std::move(finding));
    }
    return absl::OkStatus();
  }

  absl::Status TakeStep(const storage::ReadContext& read) {
    std::vector<storage::Finding> found;
    ASSIGN_OR_RETURN(const bool more, examination_->Step(read, found));
    done_ = !more;
    for (storage::Finding& finding : found) findings_.push_back(std::move(finding));
    return absl::OkStatus();
  }

  FeedStep TellFinding(v1::ExamineResponse* message) {
    const storage::Finding& finding = findings_.front();
    if (finding.severity == Severity::kError) ++errors_;
    if (finding.severity == Severity::kWarning) ++warnings_;
    if (finding.severity == Severity::kNote) ++notes_;
    Write(finding, message->mutable_finding());
    findings_.pop_front();
    return FeedStep::kMessage;
  }

  void WriteProgress(v1::ExamineResponse::Progress* out) const {
    out->set_check(examination_->present());
    out->set_rows_read(examination_->rows_read());
    out->set_checks_done(examination_->checks_done());
  }

  FeedStep TellEnd(v1::ExamineResponse* message) {
    v1::ExamineResponse::Summary* summary = message->mutable_summary();
    summary->set_checks(examination_->checks_done());
    summary->set_rows_read(examination_->rows_read());
    summary->set_errors(errors_);
    summary->set_warnings(warnings_);
    summary->set_notes(notes_);
    SetMicros(absl::ToUnixMicros(start_), summary->mutable_start_time());
    SetMicros(absl::ToUnixMicros(context_.clock->Now()), summary->mutable_end_time());
    told_end_ = true;
    return FeedStep::kMessage;
  }

  const ServiceContext context_;
  const v1::ExamineRequest request_;
  std::unique_ptr<storage::Examination> examination_;
  std::deque<storage::Finding> findings_;  // not told yet
  absl::Time start_;
  absl::Time told_ = absl::InfinitePast();
  int64_t errors_ = 0, warnings_ = 0, notes_ = 0;
  bool done_ = false;
  bool told_end_ = false;
};

}  // namespace

std::unique_ptr<FeedSourceOf<v1::ExamineResponse>> MakeExamineFeed(
    const ServiceContext& context, const v1::ExamineRequest& request) {
  return std::make_unique<ExamineFeed>(context, request);
}

}  // namespace passerelle
