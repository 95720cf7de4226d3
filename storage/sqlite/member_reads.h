// Members of an audience at a moment, read in short pages.
#ifndef PASSERELLE_STORAGE_SQLITE_MEMBER_READS_H_
#define PASSERELLE_STORAGE_SQLITE_MEMBER_READS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/audience_store.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/member_output.h"
#include "storage/sqlite/readers.h"

namespace passerelle::storage::sqlite {

// The generation that is the audience at a sequence.
struct GenerationRow {
  int64_t generation = 0;
  int64_t as_of_us = 0;  // kNoAsOf: none
};
// Nullopt: the audience was not there yet.
std::optional<GenerationRow> GenerationAt(Database& db, AudienceNumber audience, int64_t sequence);

// The first profile after `after` with a row in the generation; nullopt: none.
std::optional<int64_t> NextProfile(Database& db, AudienceNumber audience, int64_t generation,
                                   int64_t after);

// That a moment can be read here. FAILED_PRECONDITION kStoreRestored (other epoch), OUT_OF_RANGE
// kBeyondEnd (after what the lease sees) or kHistoryGone (before what retention keeps), NOT_FOUND
// kNotFound (the audience was deleted).
absl::Status CheckMoment(const File& file, const ReadLease& lease, const AudienceMoment& moment);

// That the lists which keep people out of an output can be told: see CheckSuppressionKeys. OK for
// an output that names no channel.
absl::Status CheckLists(const InstanceContext& instance, Database& db, const Output& output);

// The contracts are those of AudienceStore.
absl::StatusOr<AudienceMoment> MomentOf(const File& file, std::string_view id,
                                        std::optional<int64_t> as_of_us,
                                        const ReadContext& context);
absl::StatusOr<MemberCount> CountMembers(const InstanceContext& instance,
                                         const AudienceMoment& moment,
                                         absl::Span<const Output> reaches,
                                         const ReadContext& context);
absl::StatusOr<std::optional<MemberPosition>> ReadMembers(
    const InstanceContext& instance, const AudienceMoment& moment, const Output& output,
    MemberPosition position, int32_t limit, MemberSink sink, const ReadContext& context);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_MEMBER_READS_H_
