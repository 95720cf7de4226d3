// What changed in an audience between two moments: an incremental.
//
// Within one generation the change log says who to look at. Across generations (a replace) the
// members of both moments are compared by profile first (phase 1); then the change log says who of
// those that stayed changed (phase 2). Each profile is judged by its membership at both moments,
// so what came and went in between leaves no trace.
#ifndef PASSERELLE_STORAGE_SQLITE_MEMBER_CHANGES_H_
#define PASSERELLE_STORAGE_SQLITE_MEMBER_CHANGES_H_

#include <memory>

#include "storage/audience_store.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// The contract is AudienceStore::ReadChanges'. `instance` outlives the result.
absl::StatusOr<std::unique_ptr<MemberChanges>> MakeMemberChanges(InstanceContext& instance,
                                                                 const AudienceMoment& from,
                                                                 const AudienceMoment& to,
                                                                 const Output& output,
                                                                 MemberPosition position);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_MEMBER_CHANGES_H_
