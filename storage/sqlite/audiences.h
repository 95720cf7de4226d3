// AudienceStore over the profiles file of one instance.
#ifndef PASSERELLE_STORAGE_SQLITE_AUDIENCES_H_
#define PASSERELLE_STORAGE_SQLITE_AUDIENCES_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/audience_store.h"
#include "storage/sqlite/destination_rules.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Thread-safe. `context` outlives it.
class SqliteAudiences : public AudienceStore {
 public:
  explicit SqliteAudiences(InstanceContext& context) : context_(context) {}

  absl::StatusOr<Written<Audience>> CreateAudience(const Audience& audience,
                                                   const AdminWrite& write) override;
  absl::StatusOr<Written<Audience>> UpdateAudience(const Audience& audience,
                                                   const AdminWrite& write) override;
  absl::StatusOr<Written<Audience>> DeleteAudience(std::string_view id,
                                                   const std::vector<std::string>& deliveries,
                                                   const AdminWrite& write) override;
  absl::StatusOr<Audience> GetAudience(std::string_view id,
                                       const ReadContext& context) const override;
  absl::StatusOr<Page<Audience>> ListAudiences(const PageRequest& page,
                                               const ReadContext& context) const override;

  absl::Status SubmitPush(PushBatch& batch, Done<WriteAck>& done) override;

  absl::StatusOr<AudienceMoment> MomentOf(std::string_view id, std::optional<int64_t> as_of_us,
                                          const ReadContext& context) const override;
  absl::StatusOr<MemberCount> CountMembers(const AudienceMoment& moment,
                                           absl::Span<const Output> reaches,
                                           const ReadContext& context) const override;
  absl::StatusOr<std::optional<MemberPosition>> ReadMembers(
      const AudienceMoment& moment, const Output& output, MemberPosition position, int32_t limit,
      MemberSink sink, const ReadContext& context) const override;
  absl::StatusOr<std::unique_ptr<MemberChanges>> ReadChanges(
      const AudienceMoment& from, const AudienceMoment& to, const Output& output,
      MemberPosition position) const override;

 private:
  InstanceContext& context_;
  DestinationRulesCache rules_;  // used by push requests, on the writer's thread
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_AUDIENCES_H_
