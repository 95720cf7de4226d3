#include "server/services/archive_feed.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/convert/names.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/requests.h"
#include "storage/status.h"

namespace passerelle {
namespace {

class ArchiveFeed final : public FeedSourceOf<v1::DownloadArchiveResponse> {
 public:
  ArchiveFeed(const ServiceContext& context, const v1::DownloadArchiveRequest& request)
      : context_(context), request_(request) {}

  // Its first line tells what it is.
  int64_t rows_made() const override { return std::max<int64_t>(lines_ - 1, 0); }

  absl::StatusOr<FeedStep> Next(const storage::ReadContext& read,
                                v1::DownloadArchiveResponse* message) override {
    if (instance_ == nullptr) RETURN_IF_ERROR(Open());
    auto data = instance_->privacy().ReadArchive(id_, offset_, read);
    if (!data.ok()) return ForResource(data.status(), request_.name());
    if (data->empty()) return FeedStep::kEnd;
    offset_ += static_cast<int64_t>(data->size());
    lines_ += std::count(data->begin(), data->end(), '\n');
    message->set_data(*std::move(data));
    return FeedStep::kMessage;
  }

 private:
  absl::Status Open() {
    ASSIGN_OR_RETURN(PrivacyRequestName name, ParsePrivacyRequestName({"name", request_.name()}));
    ASSIGN_OR_RETURN(instance_, OpenInstance(context_, name.instance));
    id_ = std::move(name.id);
    return absl::OkStatus();
  }

  const ServiceContext context_;
  const v1::DownloadArchiveRequest request_;
  std::shared_ptr<storage::InstanceStore> instance_;
  std::string id_;
  int64_t offset_ = 0;
  int64_t lines_ = 0;
};

}  // namespace

std::unique_ptr<FeedSourceOf<v1::DownloadArchiveResponse>> MakeArchiveFeed(
    const ServiceContext& context, const v1::DownloadArchiveRequest& request) {
  return std::make_unique<ArchiveFeed>(context, request);
}

}  // namespace passerelle
