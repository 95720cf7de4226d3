// ReachStore over the profiles file.
#ifndef PASSERELLE_STORAGE_SQLITE_REACH_H_
#define PASSERELLE_STORAGE_SQLITE_REACH_H_

#include <string_view>

#include "storage/reach_store.h"
#include "storage/sqlite/denylist.h"
#include "storage/sqlite/explain.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/quarantine.h"
#include "storage/sqlite/suppressions.h"

namespace passerelle::storage::sqlite {

// Thread-safe. `context` outlives it, and it outlives the writer of the profiles file.
class SqliteReach : public ReachStore {
 public:
  explicit SqliteReach(InstanceContext& context) : context_(context) {}

  absl::StatusOr<SuppressionAck> ImportSuppressions(const SuppressionBatch& batch,
                                                    const ReadContext& context) override {
    return sqlite::ImportSuppressions(context_, batch, context);
  }
  absl::StatusOr<SuppressionAck> DeleteSuppressions(const SuppressionBatch& batch,
                                                    const ReadContext& context) override {
    return sqlite::DeleteSuppressions(context_, batch, context);
  }
  absl::StatusOr<Page<Suppression>> ListSuppressions(const PageRequest& page,
                                                     const ReadContext& context) const override {
    return sqlite::ListSuppressions(*context_.profiles, page, context);
  }

  absl::StatusOr<Page<QuarantinedAddress>> ListQuarantine(
      const PageRequest& page, const ReadContext& context) const override {
    return sqlite::ListQuarantine(*context_.profiles, page, context);
  }
  absl::StatusOr<CommitPosition> ReleaseQuarantine(NamespaceNumber ns, std::string_view value,
                                                   std::string_view channel) override {
    return sqlite::ReleaseQuarantine(*context_.profiles, {ns, value, channel});
  }

  absl::StatusOr<Written<DenylistEntry>> CreateDenylistEntry(const DenylistEntry& entry) override {
    return sqlite::CreateDenylistEntry(*context_.profiles, entry);
  }
  absl::StatusOr<CommitPosition> DeleteDenylistEntry(ProfileId profile,
                                                     std::string_view channel) override {
    return sqlite::DeleteDenylistEntry(*context_.profiles, profile, channel);
  }
  absl::StatusOr<Page<DenylistEntry>> ListDenylist(const PageRequest& page,
                                                   const ReadContext& context) const override {
    return sqlite::ListDenylist(*context_.profiles, page, context);
  }

  absl::StatusOr<ProfileExplanation> Explain(const ProfileQuery& query,
                                             const ReadContext& context) const override {
    return sqlite::Explain(context_, query, context);
  }

 private:
  InstanceContext& context_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_REACH_H_
