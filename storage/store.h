// The store as a whole: the registry of instances, and each instance's narrow stores.
#ifndef PASSERELLE_STORAGE_STORE_H_
#define PASSERELLE_STORAGE_STORE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/access_store.h"
#include "storage/audience_store.h"
#include "storage/audit_store.h"
#include "storage/disk.h"
#include "storage/examination.h"
#include "storage/flow_store.h"
#include "storage/log_store.h"
#include "storage/maintenance.h"
#include "storage/privacy_store.h"
#include "storage/profile_import.h"
#include "storage/profile_store.h"
#include "storage/reach_store.h"
#include "storage/schema_store.h"
#include "storage/stream_store.h"
#include "storage/types.h"

namespace passerelle::storage {

struct Instance {
  std::string id;
  std::string display_name;
  std::string time_zone = "UTC";
  std::string default_region;
  int64_t create_us = 0;
  int64_t update_us = 0;
  std::string etag;
};

// What an instance holds, all of about one moment.
struct Usage {
  int64_t profiles = 0, attributes = 0, identity_namespaces = 0, audiences = 0, destinations = 0;
  int64_t sources = 0, deliveries = 0, write_streams = 0, database_bytes = 0;
  int64_t log_rows = 0;  // kept
  int64_t consumers = 0, consumers_behind = 0, consumers_expired = 0;
  DiskSpace disk;  // of the whole store
};

// The stores of one instance; thread-safe. Holding it keeps its files open, also while the instance
// is being deleted; calls then answer NOT_FOUND or UNAVAILABLE kStoreClosed.
class InstanceStore {
 public:
  virtual ~InstanceStore() = default;
  virtual const std::string& id() const = 0;
  virtual SchemaStore& schema() = 0;
  virtual ProfileStore& profiles() = 0;
  virtual ProfileImporter& importer() = 0;
  virtual AudienceStore& audiences() = 0;
  virtual FlowStore& flows() = 0;
  virtual LogStore& logs() = 0;
  virtual StreamStore& streams() = 0;
  virtual ReachStore& reach() = 0;
  virtual PrivacyStore& privacy() = 0;

  virtual absl::StatusOr<Usage> GetUsage(const ReadContext& context) const = 0;

  // Waits until a commit is visible to reads of the profiles file: for one of the logs file, until
  // the follower has applied it; one of the control file is visible already. FAILED_PRECONDITION
  // kStoreRestored if it is of an epoch before the present one; INVALID_ARGUMENT kWrongEpoch if it
  // is of a later one or of no file, kBeyondEnd if it was never given out.
  virtual absl::Status WaitFor(const CommitPosition& position,
                               const ReadContext& context) const = 0;

  // Waits until no sweep, no opt-out that is applied later, no look for suppressed profiles and no
  // privacy request has anything left to do in the background; what comes after the call is not
  // waited for. The errors of a read that waits.
  virtual absl::Status WaitForBackground(const ReadContext& context) const = 0;

  // The last log sequence whose opt-outs and bounces are in the profiles file.
  virtual int64_t log_applied_sequence() const = 0;
};

// Thread-safe. Administrative writes block and share the rules of SchemaStore.
//
// Every write of any of the stores is of one WriteKind (disk.h) and may answer RESOURCE_EXHAUSTED
// kDiskFull: before it begins, where the disk's state refuses its kind; after all was rolled back,
// where it met a full disk. Of this interface CreateInstance and UpdateInstance are
// kAdministrative, DeleteInstance is kRelieving.
class Store {
 public:
  virtual ~Store() = default;

  // Makes the instance's files and built-in namespaces. Crash-safe: half-made ones are cleaned up
  // at the next start. kAlreadyExists.
  virtual absl::StatusOr<Written<Instance>> CreateInstance(const Instance& instance,
                                                           const AdminWrite& write) = 0;
  // Stores display_name, time_zone, default_region.
  virtual absl::StatusOr<Written<Instance>> UpdateInstance(const Instance& instance,
                                                           const AdminWrite& write) = 0;
  // Deletes it with everything in it. FAILED_PRECONDITION kInUse while it has destinations or
  // sources that are not paused.
  virtual absl::Status DeleteInstance(std::string_view id, const AdminWrite& write) = 0;
  virtual absl::StatusOr<Instance> GetInstance(std::string_view id) const = 0;
  virtual absl::StatusOr<Page<Instance>> ListInstances(const PageRequest& page) const = 0;

  // The stores of an instance. NOT_FOUND kNotFound. Never blocks for long.
  virtual absl::StatusOr<std::shared_ptr<InstanceStore>> OpenInstance(std::string_view id) = 0;

  // Who may call. Lives as long as the store.
  virtual AccessStore& access() = 0;

  // Who did what. Lives as long as the store.
  virtual AuditStore& audit() = 0;

  // OK while every file takes writes; a full disk changes nothing about that.
  virtual absl::Status CheckReady() const = 0;

  // Begins a backup in the background and returns at once; writing goes on. `on_news` is called on
  // another thread when there is progress, and after the end; it must not block. One at a time:
  // FAILED_PRECONDITION kBackupInProgress. ALREADY_EXISTS kAlreadyExists: a backup has this name.
  // NOT_FOUND kNotFound: the instance. INVALID_ARGUMENT: the name. FAILED_PRECONDITION: the store
  // was opened without a backup directory. Close cancels it.
  virtual absl::StatusOr<std::shared_ptr<BackupRun>> StartBackup(const BackupRequest& request,
                                                                 std::function<void()> on_news) = 0;

  // An examination of what is served, instance by instance, beside all other work; `instance`: only
  // this one, empty: all. Files are opened as OpenInstance does. It ends with UNAVAILABLE
  // kStoreClosed after Close, and must not outlive the store. NOT_FOUND kNotFound.
  virtual absl::StatusOr<std::unique_ptr<Examination>> Examine(std::string_view instance) = 0;

  // Finishes waiting writes, empties the write-ahead logs, closes. Later calls answer UNAVAILABLE
  // kStoreClosed. Idempotent.
  virtual absl::Status Close() = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_STORE_H_
