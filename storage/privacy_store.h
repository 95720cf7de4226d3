// What people ask of whoever holds data on them: a copy of everything (access), or that it is
// erased. One request is work of several steps over both files of an instance (a saga): a row with
// its step in the profiles file; each step can be repeated; it is gone on with after a restart.
//
// A person is known here by keyed hashes of identities (StoreKeys, AddressUse::kTombstone), so that
// neither a request nor a tombstone tells who it is about.
#ifndef PASSERELLE_STORAGE_PRIVACY_STORE_H_
#define PASSERELLE_STORAGE_PRIVACY_STORE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/read_context.h"
#include "storage/types.h"

namespace passerelle::storage {

inline constexpr int64_t kMaxRunningPrivacyRequests = 1'000;
inline constexpr int64_t kArchiveKeptUs = int64_t{30} * 24 * 3600 * 1'000'000;

enum class PrivacyKind : uint8_t { kAccess = 1, kErase = 2 };
enum class PrivacyState : uint8_t { kRunning = 1, kSucceeded = 2, kFailed = 3 };
enum class PrivacyStep : uint8_t {
  kNone = 0,
  kProfile = 1,    // the profile and what hangs on it
  kLedger = 2,     // outcomes of rows and answers of requests, in both files
  kLogs = 3,       // log rows and messages
  kEmptyLogs = 4,  // erase: the write-ahead logs of both files
  kScan = 5,       // erase: every table once more
};

struct TableCount {
  std::string table;  // "profiles.identity"
  int64_t rows = 0;
};

// Who: a profile by its number, or identities (normalised; derived_value: the SHA-256 in the
// namespace derived from ns, where there is one).
struct PrivacySubject {
  struct Identity {
    NamespaceNumber ns;
    std::string value;
    std::string derived_value;
  };
  ProfileId profile;  // 0: none is named
  std::vector<Identity> identities;
};

struct SignedStatement {
  std::string statement;   // JSON
  std::string signature;   // 64 bytes
  std::string public_key;  // 32 bytes
  uint32_t key = 0;        // master key id
};

struct PrivacyRequest {
  std::string id;
  PrivacyKind kind = PrivacyKind::kAccess;
  ProfileId profile;  // who; 0: nobody was found, or an erasure is done
  PrivacyState state = PrivacyState::kRunning;
  PrivacyStep step = PrivacyStep::kNone;
  int64_t rows_done = 0;           // of this step
  int64_t rows_total = 0;          // of this step, about
  std::string failure;             // why it failed; of an erasure that runs: what is in its way
  std::vector<TableCount> counts;  // those that are not 0, in the order of files and tables
  int64_t archive_bytes = 0;       // of the archive as it is read, not as it is sealed
  int64_t archive_expire_us = 0;   // 0: there is none
  SignedStatement receipt;         // of an erasure that succeeded
  int64_t create_us = 0;
  int64_t end_us = 0;  // 0: it runs
  std::string etag;
};

// Thread-safe. Writes block until durable: call them from a work pool. Creating and deleting are
// kRelieving: a full disk must not keep anybody from being erased.
class PrivacyStore {
 public:
  virtual ~PrivacyStore() = default;

  // Begins one; only id and kind of `request` are looked at. With an erasure the profile is gone
  // and its tombstones are there when it returns: one transaction deletes the profile (exits are
  // told as by a deletion) and writes a tombstone of each of its identities and each that is given;
  // it is also what everybody who writes is judged by from then on:
  //   imports, pushes, syncs   a row with an identity that has a tombstone is SUPPRESSED
  //   log rows                 appended with outcome SUPPRESSED, without identity and texts
  // It is in the erasure journal too when this returns, if that can be written; otherwise as soon
  // as it can, and nothing else of the request is done before. The rest is done in the background
  // and tried until it is done: an erasure never fails. Pending opt-outs, quarantine and denylist
  // go; suppressions stay, they are hashes. ALREADY_EXISTS kAlreadyExists; NOT_FOUND kNotFound: the
  // profile that is named; INVALID_ARGUMENT kIdentityConflict: the identities lead to several
  // profiles; RESOURCE_EXHAUSTED kLimitReached; FAILED_PRECONDITION kSuppressionKeyMissing: the
  // store has no key. Otherwise as SchemaStore.
  virtual absl::StatusOr<Written<PrivacyRequest>> CreateRequest(const PrivacyRequest& request,
                                                                const PrivacySubject& subject,
                                                                const AdminWrite& write) = 0;
  // NOT_FOUND kNotFound.
  virtual absl::StatusOr<PrivacyRequest> GetRequest(std::string_view id,
                                                    const ReadContext& context) const = 0;
  // In the order of their creation.
  virtual absl::StatusOr<Page<PrivacyRequest>> ListRequests(const PageRequest& page,
                                                            const ReadContext& context) const = 0;
  // With its archive. NOT_FOUND kNotFound, ABORTED kEtagMismatch, FAILED_PRECONDITION kInUse while
  // it runs.
  virtual absl::StatusOr<CommitPosition> DeleteRequest(std::string_view id,
                                                       const AdminWrite& write) = 0;

  // The archive from this place on, at most some 256 KiB; empty at its end. NOT_FOUND kNotFound:
  // there is none (any more); DATA_LOSS kDamagedFile: it cannot be opened.
  virtual absl::StatusOr<std::string> ReadArchive(std::string_view id, int64_t offset,
                                                  const ReadContext& context) const = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_PRIVACY_STORE_H_
