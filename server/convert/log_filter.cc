#include "server/convert/log_filter.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/convert/names.h"
#include "server/convert/text.h"
#include "server/errors.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using Ids = google::protobuf::RepeatedPtrField<std::string>;

absl::StatusOr<std::vector<std::string>> ReadIds(const Ids& ids, const std::string& path) {
  if (ids.size() > kMaxFilterIds) {
    return errors::FieldInvalid({path, absl::StrCat(ids.size(), " ids, limit ", kMaxFilterIds)});
  }
  for (int i = 0; i < ids.size(); ++i) {
    const std::string field = absl::StrCat(path, "[", i, "]");
    RETURN_IF_ERROR(CheckId(IdForm::kResource, {field, ids[i]}));
  }
  return std::vector<std::string>(ids.begin(), ids.end());
}

absl::Status ReadTimes(const v1::LogFilter& filter, std::string_view path,
                       storage::LogFilter* read) {
  if (filter.has_start_time()) {
    ASSIGN_OR_RETURN(read->start_us,
                     ReadTime(absl::StrCat(AbslView(path), ".start_time"), filter.start_time()));
  }
  if (filter.has_end_time()) {
    ASSIGN_OR_RETURN(read->end_us,
                     ReadTime(absl::StrCat(AbslView(path), ".end_time"), filter.end_time()));
  }
  if (read->start_us && read->end_us && *read->end_us <= *read->start_us) {
    return errors::FieldInvalid({absl::StrCat(AbslView(path), ".end_time"),
                                 "not after start_time, wanted a later time: it is exclusive"});
  }
  return absl::OkStatus();
}

std::string JoinSorted(std::vector<std::string> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::string joined;
  for (const std::string& id : ids) absl::StrAppend(&joined, id, "/");
  return joined;
}

std::string TimeText(std::optional<int64_t> us) { return us ? absl::StrCat(*us) : std::string(); }

}  // namespace

absl::StatusOr<storage::LogFilter> ReadLogFilter(const v1::LogFilter& filter,
                                                 std::string_view path) {
  storage::LogFilter read;
  for (int i = 0; i < filter.kinds_size(); ++i) {
    if (filter.kinds(i) != v1::LOG_KIND_DELIVERY && filter.kinds(i) != v1::LOG_KIND_TRACKING) {
      return errors::FieldInvalid({absl::StrCat(AbslView(path), ".kinds[", i, "]"),
                                   absl::StrCat("got ", static_cast<int>(filter.kinds(i)),
                                                ", wanted LOG_KIND_DELIVERY or "
                                                "LOG_KIND_TRACKING")});
    }
    read.kinds.push_back(static_cast<storage::LogKind>(filter.kinds(i)));
  }
  ASSIGN_OR_RETURN(read.deliveries,
                   ReadIds(filter.deliveries(), absl::StrCat(AbslView(path), ".deliveries")));
  ASSIGN_OR_RETURN(read.audiences,
                   ReadIds(filter.audiences(), absl::StrCat(AbslView(path), ".audiences")));
  RETURN_IF_ERROR(ReadTimes(filter, path, &read));
  return read;
}

storage::LogFilter FilterOf(const storage::Source& source) {
  storage::LogFilter filter;
  filter.kinds.push_back(static_cast<storage::LogKind>(source.schema));
  filter.deliveries = source.deliveries;
  filter.audiences = source.audiences;
  filter.start_us = source.start_us;
  filter.end_us = source.end_us;
  return filter;
}

std::string HashOf(const storage::LogFilter& filter) {
  std::vector<std::string> kinds;
  for (const storage::LogKind kind : filter.kinds) {
    kinds.push_back(absl::StrCat(static_cast<int>(kind)));
  }
  const std::string joined_kinds = JoinSorted(std::move(kinds));
  const std::string deliveries = JoinSorted(filter.deliveries);
  const std::string audiences = JoinSorted(filter.audiences);
  const std::string start = TimeText(filter.start_us);
  const std::string end = TimeText(filter.end_us);
  return FilterHash({joined_kinds, deliveries, audiences, start, end});
}

absl::StatusOr<int64_t> ReadExportCursor(const TokenCodec& tokens, const CursorText& cursor,
                                         const ExportCursor& wanted) {
  const std::string field(cursor.field);
  if (cursor.text.empty()) return errors::FieldRequired(field);
  ExportCursor got;
  TokenProblem problem = tokens.Decode(cursor.text, &got);
  if (problem != TokenProblem::kOk) {
    return errors::CursorInvalid({field, std::string(Describe(problem))});
  }
  problem = CheckBinding(got, wanted);
  if (problem == TokenProblem::kOtherEpoch) {
    return errors::StoreRestored(
        {field, absl::StrCat(AbslView(Describe(problem)),
                             "; rows after the backup may have gone out that this store does not "
                             "have; start without a cursor, or Seek a consumer to a time before "
                             "the backup, and expect rows again")});
  }
  if (problem != TokenProblem::kOk) {
    return errors::CursorMismatch(
        {field, absl::StrCat(AbslView(Describe(problem)),
                             "; hand in one of this source and its present filter (GetConsumer "
                             "tells that of a consumer), or start without")});
  }
  return static_cast<int64_t>(got.seq);
}

}  // namespace passerelle
