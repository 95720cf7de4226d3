// The readable twins of appends and exports in LogService.
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/convert/log_filter.h"
#include "server/convert/log_schema.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/services/call_steps.h"
#include "server/services/log_filter_names.h"
#include "server/services/log_service.h"
#include "server/services/log_wire.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

constexpr int32_t kScanLimit = 20'000;        // rows looked at in one short read
constexpr int64_t kMaxRowsPerPage = 400'000;  // after which a page ends early

// Where a list goes on; sequences of another epoch are of another history.
struct LogPlace {
  int64_t epoch = 0;
  int64_t after = 0;
};

absl::StatusOr<LogPlace> StartOfPage(const storage::LogBounds& bounds, const Pager& pager) {
  LogPlace place{bounds.epoch, bounds.earliest - 1};
  if (pager.after().empty()) return place;
  const std::vector<std::string> parts = absl::StrSplit(pager.after(), '.');
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &place.epoch) ||
      !absl::SimpleAtoi(parts[1], &place.after)) {
    return errors::PageTokenInvalid({"page_token", "not of this list"});
  }
  if (place.epoch == bounds.epoch) return place;
  return errors::StoreRestored({"page_token", "made before this store was restored"});
}

// Reads one page into the response; returns the sequence it went up to, or none at the end.
absl::StatusOr<std::optional<int64_t>> ReadPage(const Reading& reading,
                                                const storage::LogFilter& filter, int64_t after,
                                                int32_t limit, v1::ListLogsResponse* response) {
  ASSIGN_OR_RETURN(const LogFieldSet fields, ChooseLogFields(std::nullopt, {}, "fields"));
  std::size_t bytes = 0;
  int64_t last = after;
  const auto sink = [&](const storage::LogRow& row) {
    v1::LogEntry* entry = response->add_rows();
    RenderLogRow(row, fields, entry);
    bytes += entry->ByteSizeLong();
    return bytes >= kMaxPageBytes;
  };
  for (int64_t looked_at = 0; looked_at < kMaxRowsPerPage; looked_at += kScanLimit) {
    const int32_t room = limit - response->rows_size();
    if (room == 0) break;
    ASSIGN_OR_RETURN(
        const storage::LogPage page,
        reading.instance->logs().ReadLogs(filter, last, room, kScanLimit, sink, reading.context));
    last = page.after;
    if (page.at_end) return std::optional<int64_t>();
    if (bytes >= kMaxPageBytes) break;
  }
  return std::optional<int64_t>(last);
}

}  // namespace

absl::Status LogService::Serve(CallContext& call, const v1::BatchAppendLogsRequest& request,
                               v1::BatchResult* response) const {
  RETURN_IF_ERROR(passerelle::BatchAppendLogs(context_, request, call.ForReading(), response));
  call.AddTrailer("commit-token", response->commit_token());
  return absl::OkStatus();
}

absl::Status LogService::Serve(CallContext& call, const v1::ListLogsRequest& request,
                               v1::ListLogsResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const storage::LogFilter filter, ReadLogFilter(request.filter(), "filter"));
  const std::string filter_hash = HashOf(filter);
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent(), filter_hash}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  RETURN_IF_ERROR(CheckFilterNames(filter, *reading.instance, reading.context));
  ASSIGN_OR_RETURN(const storage::LogBounds bounds,
                   reading.instance->logs().Bounds(reading.context));
  ASSIGN_OR_RETURN(const LogPlace place, StartOfPage(bounds, pager));
  ASSIGN_OR_RETURN(const std::optional<int64_t> last,
                   ReadPage(reading, filter, place.after, pager.limit(), response));
  if (last.has_value()) {
    response->set_next_page_token(pager.Next(absl::StrCat(place.epoch, ".", *last)));
  }
  return absl::OkStatus();
}

}  // namespace passerelle
