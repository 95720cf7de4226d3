// PrivacyStore over the profiles file; the work is done by PrivacyWorker.
#ifndef PASSERELLE_STORAGE_SQLITE_PRIVACY_H_
#define PASSERELLE_STORAGE_SQLITE_PRIVACY_H_

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/privacy_store.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Thread-safe. `context` outlives it, and it outlives the writer of the profiles file. `on_request`
// is called when there is a new request to work on, on the writer's thread.
class SqlitePrivacy : public PrivacyStore {
 public:
  SqlitePrivacy(InstanceContext& context, std::function<void()> on_request)
      : context_(context), on_request_(std::move(on_request)) {}

  absl::StatusOr<Written<PrivacyRequest>> CreateRequest(const PrivacyRequest& request,
                                                        const PrivacySubject& subject,
                                                        const AdminWrite& write) override;
  absl::StatusOr<PrivacyRequest> GetRequest(std::string_view id,
                                            const ReadContext& context) const override;
  absl::StatusOr<Page<PrivacyRequest>> ListRequests(const PageRequest& page,
                                                    const ReadContext& context) const override;
  absl::StatusOr<CommitPosition> DeleteRequest(std::string_view id,
                                               const AdminWrite& write) override;
  absl::StatusOr<std::string> ReadArchive(std::string_view id, int64_t offset,
                                          const ReadContext& context) const override;

 private:
  InstanceContext& context_;
  const std::function<void()> on_request_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PRIVACY_H_
