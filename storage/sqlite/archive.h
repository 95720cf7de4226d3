// The archive of an access request: what is held on a person, gathered table by table as
// person_data.h says.
//
// It is a text of JSON lines, UTF-8. The first tells what it is; each other one is a row:
//   {"table":"profiles.identity","row":{"namespace":"email","value":"..."}}
// Times are RFC 3339 under names that end in _time; numbers of namespaces, audiences, deliveries
// and attributes are their ids; attribute values are in "attributes" of profiles.profile; bytes
// that are no text are base64.
#ifndef PASSERELLE_STORAGE_SQLITE_ARCHIVE_H_
#define PASSERELLE_STORAGE_SQLITE_ARCHIVE_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/privacy_rows.h"

namespace passerelle::storage::sqlite {

// Chunks are of this size, but for the last.
inline constexpr int64_t kArchiveChunkBytes = 256 * 1024;
// What a chunk is sealed for.
std::string ChunkContext(std::string_view request, int64_t chunk);

// Gathers the archive of a request that runs, from its beginning, and ends the request. CANCELLED:
// it no longer runs, or `stop` is true. For the thread that works on requests.
absl::Status GatherArchive(InstanceContext& context, const PrivacyRow& row,
                           const std::atomic<bool>& stop);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ARCHIVE_H_
