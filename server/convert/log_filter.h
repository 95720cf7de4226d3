// Which log rows a list, an export or a source is about, and the cursors bound to that choice.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "passerelle/v1/log_service.pb.h"
#include "server/convert/tokens.h"
#include "storage/flow_store.h"
#include "storage/log_store.h"

namespace passerelle {

inline constexpr int kMaxFilterIds = 1'000;  // deliveries or audiences of one filter

// The filter of a request; `path` is its field ("filter"). FIELD_INVALID for an unspecified kind, a
// malformed id, too many ids, a malformed time, or an end that is not after the start. That the ids
// exist is not asked here (see CheckFilterNames).
absl::StatusOr<storage::LogFilter> ReadLogFilter(const v1::LogFilter& filter,
                                                 std::string_view path);

// What a source exports.
storage::LogFilter FilterOf(const storage::Source& source);

// Stands for a filter in cursors and page tokens. The order in which ids were given does not count.
std::string HashOf(const storage::LogFilter& filter);

// The sequence of a cursor that was made for `wanted` (instance, source, filter hash, epoch; its
// seq is ignored). CURSOR_INVALID, CURSOR_MISMATCH or STORE_RESTORED naming `field`.
struct CursorText {
  std::string_view field;
  std::string_view text;
};
absl::StatusOr<int64_t> ReadExportCursor(const TokenCodec& tokens, const CursorText& cursor,
                                         const ExportCursor& wanted);

}  // namespace passerelle
