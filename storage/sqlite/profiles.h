// ProfileStore over the profiles file.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILES_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILES_H_

#include <string_view>
#include <vector>

#include "storage/profile_store.h"
#include "storage/sqlite/destination_rules.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Thread-safe. `context` outlives it, and it outlives the writer of the profiles file.
class SqliteProfiles : public ProfileStore {
 public:
  explicit SqliteProfiles(InstanceContext& context) : context_(context) {}

  absl::Status SubmitUpdates(UpdateBatch& batch, Done<WriteAck>& done) override;
  absl::StatusOr<std::vector<Profile>> GetProfiles(absl::Span<const ProfileId> ids,
                                                   const ReadContext& context) const override;
  absl::StatusOr<ProfileId> LookupProfile(NamespaceNumber ns, std::string_view value,
                                          const ReadContext& context) const override;
  absl::StatusOr<std::vector<ProfileId>> LookupProfiles(absl::Span<const IdentityCell> identities,
                                                        const ReadContext& context) const override;
  absl::StatusOr<std::vector<Profile>> ListProfiles(ProfileId after, int32_t limit,
                                                    const ReadContext& context) const override;
  absl::StatusOr<Written<ProfileId>> DeleteProfile(ProfileId id, const AdminWrite& write) override;

 private:
  InstanceContext& context_;
  DestinationRulesCache rules_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILES_H_
