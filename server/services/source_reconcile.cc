// Reconciliation of SourceService: what was appended, and what became of it.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/convert/log_filter.h"
#include "server/errors.h"
#include "server/services/log_filter_names.h"
#include "server/services/source_service.h"

namespace passerelle {
namespace {

constexpr int64_t kMaxWindows = 10'000;
constexpr int64_t kMaxGranularitySeconds = int64_t{36'500} * 24 * 3600;

bool NamesCollection(const std::string& name, std::string_view collection) {
  return name.find(collection) != std::string::npos;
}

absl::StatusOr<storage::LogWindows> ReadWindows(const v1::ReconcileRequest& request,
                                                int64_t now_us) {
  storage::LogWindows windows;
  if (!request.has_start_time()) return errors::FieldRequired("start_time");
  ASSIGN_OR_RETURN(windows.start_us, ReadTime("start_time", request.start_time()));
  windows.end_us = now_us + 1;
  if (request.has_end_time()) {
    ASSIGN_OR_RETURN(windows.end_us, ReadTime("end_time", request.end_time()));
  }
  if (windows.end_us <= windows.start_us) {
    return errors::FieldInvalid({request.has_end_time() ? "end_time" : "start_time",
                                 "the end is not after the start, wanted a later end"});
  }
  const int64_t length_us = windows.end_us - windows.start_us;
  windows.step_us = length_us;
  if (!request.has_granularity()) return windows;
  ASSIGN_OR_RETURN(windows.step_us,
                   ReadDuration({"granularity", 1, kMaxGranularitySeconds}, request.granularity()));
  if ((length_us - 1) / windows.step_us >= kMaxWindows) {
    return errors::FieldInvalid(
        {"granularity", absl::StrCat("makes ", (length_us - 1) / windows.step_us + 1,
                                     " windows, limit ", kMaxWindows)});
  }
  return windows;
}

absl::Status MustBeEmpty(bool given, const char* field, const char* why) {
  if (!given) return absl::OkStatus();
  return errors::FieldInvalid({field, why});
}

void FillWindow(const storage::LogWindow& window, v1::ReconcileResponse::Window* shown) {
  *shown->mutable_start_time() = ToTimestamp(window.start_us);
  *shown->mutable_end_time() = ToTimestamp(window.end_us);
  shown->set_appended(window.appended);
  shown->set_exported(window.exported);
  shown->set_skipped(window.skipped);
  shown->set_pending(window.pending);
  shown->set_purged(window.purged);
}

storage::LogWindow TotalOf(const storage::LogWindows& asked,
                           const std::vector<storage::LogWindow>& windows) {
  storage::LogWindow total;
  total.start_us = asked.start_us;
  total.end_us = asked.end_us;
  for (const storage::LogWindow& window : windows) {
    total.appended += window.appended;
    total.exported += window.exported;
    total.skipped += window.skipped;
    total.pending += window.pending;
    total.purged |= window.purged;
  }
  return total;
}

absl::StatusOr<std::string> InstanceOf(const std::string& name) {
  if (NamesCollection(name, "/consumers/")) {
    ASSIGN_OR_RETURN(const ConsumerName consumer, ParseConsumerName({"name", name}));
    return consumer.instance;
  }
  if (NamesCollection(name, "/sources/")) {
    ASSIGN_OR_RETURN(const SourceName source, ParseSourceName({"name", name}));
    return source.instance;
  }
  ASSIGN_OR_RETURN(const InstanceName instance, ParseInstanceName({"name", name}));
  return instance.instance;
}

}  // namespace

absl::StatusOr<SourceService::Reconciled> SourceService::FindReconciledSource(
    const v1::ReconcileRequest& request, const Reading& reading) const {
  constexpr char kOfSource[] = "wanted none: the rows are those of the source";
  RETURN_IF_ERROR(MustBeEmpty(request.has_filter(), "filter", kOfSource));
  Reconciled result;
  SourceName name;
  if (NamesCollection(request.name(), "/consumers/")) {
    ASSIGN_OR_RETURN(const ConsumerName consumer, ParseConsumerName({"name", request.name()}));
    RETURN_IF_ERROR(MustBeEmpty(!request.cursor().empty(), "cursor",
                                "wanted none: a consumer has its own position"));
    name = {consumer.instance, consumer.source};
    result.reader = {consumer.source, consumer.id, 0};
  } else {
    ASSIGN_OR_RETURN(name, ParseSourceName({"name", request.name()}));
  }
  ASSIGN_OR_RETURN(const CursorOwner owner, FindOwner(name, *reading.instance, reading.context));
  result.filter = FilterOf(owner.source);
  if (!request.cursor().empty()) {
    ASSIGN_OR_RETURN(result.reader.position, ReadCursor(name, owner, request.cursor()));
  }
  return result;
}

absl::StatusOr<SourceService::Reconciled> SourceService::FindReconciled(
    const v1::ReconcileRequest& request, const Reading& reading) const {
  if (NamesCollection(request.name(), "/sources/")) return FindReconciledSource(request, reading);
  Reconciled result;
  ASSIGN_OR_RETURN(result.filter, ReadLogFilter(request.filter(), "filter"));
  RETURN_IF_ERROR(CheckFilterNames(result.filter, *reading.instance, reading.context));
  if (request.cursor().empty()) return result;
  ASSIGN_OR_RETURN(const storage::LogBounds bounds,
                   reading.instance->logs().Bounds(reading.context));
  ExportCursor wanted;
  wanted.instance = reading.instance->id();
  wanted.filter_hash = HashOf(result.filter);
  wanted.epoch = static_cast<uint64_t>(bounds.epoch);
  ASSIGN_OR_RETURN(result.reader.position,
                   ReadExportCursor(*context_.tokens, {"cursor", request.cursor()}, wanted));
  return result;
}

absl::Status SourceService::Serve(CallContext& call, const v1::ReconcileRequest& request,
                                  v1::ReconcileResponse* response) const {
  ASSIGN_OR_RETURN(const std::string instance, InstanceOf(request.name()));
  ASSIGN_OR_RETURN(const storage::LogWindows windows,
                   ReadWindows(request, absl::ToUnixMicros(context_.clock->Now())));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const Reconciled asked, FindReconciled(request, reading));
  const auto result =
      reading.instance->logs().Reconcile(asked.filter, windows, asked.reader, reading.context);
  if (!result.ok()) return ForResource(result.status(), request.name());
  for (const storage::LogWindow& window : result->windows)
    FillWindow(window, response->add_windows());
  FillWindow(TotalOf(windows, result->windows), response->mutable_total());
  response->set_sequence(result->end_sequence);
  return absl::OkStatus();
}

}  // namespace passerelle
