// One instance in service: its two files and the parts that work on them.
#ifndef PASSERELLE_STORAGE_SQLITE_INSTANCE_H_
#define PASSERELLE_STORAGE_SQLITE_INSTANCE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/open.h"
#include "storage/sqlite/data_directory.h"
#include "storage/sqlite/instance_context.h"
#include "storage/store.h"

namespace passerelle::storage::sqlite {

// Opens one file with the store's settings. `letter` as in File::Open; `disk` may be null and
// outlives the file.
absl::StatusOr<std::unique_ptr<File>> OpenFile(char letter, const std::string& path,
                                               const StoreOptions& options, DiskMonitor* disk);

class SqliteInstance : public InstanceStore {
 public:
  // Opens both files (which exist and are migrated), makes the built-in namespaces of a new
  // instance, starts the follower, the work on privacy requests and the chores.
  // `journal` may be null; people whom it says to be erased are, before this returns.
  static absl::StatusOr<std::shared_ptr<SqliteInstance>> Open(
      const InstanceFiles& files, const StoreOptions& options, std::shared_ptr<DiskMonitor> disk,
      std::shared_ptr<ErasureJournal> journal);
  ~SqliteInstance() override;

  const std::string& id() const override { return context_.id; }
  SchemaStore& schema() override;
  ProfileStore& profiles() override;
  ProfileImporter& importer() override;
  AudienceStore& audiences() override;
  FlowStore& flows() override;
  LogStore& logs() override;
  StreamStore& streams() override;
  ReachStore& reach() override;
  PrivacyStore& privacy() override;

  absl::StatusOr<Usage> GetUsage(const ReadContext& context) const override;
  absl::Status WaitFor(const CommitPosition& position, const ReadContext& context) const override;
  absl::Status WaitForBackground(const ReadContext& context) const override;
  int64_t log_applied_sequence() const override;

  const InstanceContext& files() const { return context_; }

  // Starts what housekeeping.h lists. Does nothing once closed.
  void StartChores();

  // OK while both files take writes; UNAVAILABLE kStoreFailed otherwise.
  absl::Status CheckReady() const;

  // Ends the follower, finishes waiting writes, empties the write-ahead logs; later calls answer
  // UNAVAILABLE kStoreClosed. Idempotent, thread-safe.
  absl::Status Close();

 private:
  struct Parts;
  SqliteInstance();
  absl::Status OpenParts(const InstanceFiles& files, const StoreOptions& options);
  absl::Status LoadErased();
  void MakeParts(const StoreOptions& options);

  InstanceContext context_;
  std::unique_ptr<Parts> parts_;
  absl::Mutex close_mutex_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_INSTANCE_H_
