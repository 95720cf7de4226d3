// The audit trail: who did what, when. Every write that a call submits (acting.h) is told by one
// entry of the file it changed, in the same transaction, or in the first one of a write that goes
// on by turns (deleting a stream with many rows); exports are told by their door. Entries are never
// changed or deleted by the store; they go with their file.
//
// The entries of a file are a chain: numbered from 1 without gaps, each with a MAC of itself and of
// the one before under a subkey of the master key (StoreKeys::AuditMac). The file's last number and
// MAC are kept beside them with the sequence of its last transaction, under a MAC too. Whoever has
// no key can neither make, change, remove nor move one unseen; all that is left is to put back a
// whole file of before, which is seen by whoever kept the end of the chain elsewhere. A store that
// has no keys keeps no trail.
#ifndef PASSERELLE_STORAGE_AUDIT_STORE_H_
#define PASSERELLE_STORAGE_AUDIT_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/acting.h"
#include "storage/outcome.h"
#include "storage/read_context.h"

namespace passerelle::storage {

// Same names and numbers as passerelle.v1.AuditEntry.Kind.
enum class AuditKind : uint8_t { kWrite = 1, kExportBegun = 2, kExportEnded = 3 };

// A file that has a trail.
enum class AuditFile : uint8_t { kControl, kProfiles, kLogs };
struct AuditChain {
  AuditFile file = AuditFile::kControl;
  std::string instance;  // empty: the control file
};
// "control", "instances/crm/profiles" or "instances/crm/logs"; and back: nullopt for anything else.
std::string NameOf(const AuditChain& chain);
std::optional<AuditChain> AuditChainNamed(std::string_view name);

struct AuditEntry {
  std::string chain;
  int64_t number = 0;
  int64_t commit_us = 0;
  int64_t sequence = 0;  // the last one of its transaction
  AuditKind kind = AuditKind::kWrite;
  Act act;
  OutcomeCounts counts;  // of the rows that were written; all zero where none were
  int64_t exported_rows = 0;
};

// The end of a chain; number 0: it has no entry.
struct AuditHead {
  std::string chain;
  int64_t number = 0;
  std::string mac;  // kAuditMacBytes
};

struct ExportEntry {
  AuditKind kind = AuditKind::kExportEnded;
  int64_t rows = 0;
};

// A place between entries of all chains, in the order of a list.
struct AuditPlace {
  int64_t commit_us = 0;
  std::string chain;
  int64_t number = 0;
  friend bool operator<(const AuditPlace& a, const AuditPlace& b) {
    return std::tie(a.commit_us, a.chain, a.number) < std::tie(b.commit_us, b.chain, b.number);
  }
};

// Which entries; what is empty or absent does not matter.
struct AuditQuery {
  std::string instance;  // its two files; empty: all files
  std::string caller;    // id
  std::string method;
  std::string call_id;
  std::optional<int64_t> start_us;  // at or after
  std::optional<int64_t> end_us;    // before
  std::optional<AuditPlace> after;
  int32_t limit = 100;
};

struct AuditPage {
  std::vector<AuditEntry> entries;  // by time, those of one chain by number
  // Where the next page goes on; nullopt: this was the last. A page may be empty and have one.
  std::optional<AuditPlace> next;
};

struct AuditFinding {
  // Same names and numbers as passerelle.v1.VerifyAuditTrailResponse.Finding.Kind.
  enum class Kind : uint8_t {
    kChanged = 1,
    kMissing = 2,
    kCutOff = 3,
    kHeadLost = 4,
    kKeyMissing = 5
  };
  Kind kind = Kind::kChanged;
  std::string chain;
  int64_t number = 0;
  std::string text;  // what it is and what to do; ids and numbers only
  // kKeyMissing: entries that can be checked follow, as after some that were changed.
  bool others_follow = false;
};

// Reads whole chains, by steps that are one short read each. Used by one thread at a time.
class AuditVerification {
 public:
  virtual ~AuditVerification() = default;
  // Takes one step and adds what it found. False: all was read. Entries that come meanwhile are
  // left out; an instance that is deleted meanwhile is passed over. An error ends it: CANCELLED,
  // DEADLINE_EXCEEDED, UNAVAILABLE, DATA_LOSS kDamagedFile.
  virtual absl::StatusOr<bool> Step(const ReadContext& context,
                                    std::vector<AuditFinding>& findings) = 0;
  virtual const std::string& chain() const = 0;    // the one at hand
  virtual int64_t chain_entries_read() const = 0;  // of it
  virtual int64_t chain_entries() const = 0;       // that it has
  virtual int64_t entries_read() const = 0;        // of all
  // The ends of the chains that were read.
  virtual const std::vector<AuditHead>& heads() const = 0;
};

// Thread-safe.
class AuditStore {
 public:
  virtual ~AuditStore() = default;

  // Tells of an export; returns once the entry is durable. Blocks; waits for room in the writer's
  // queue, for 10 seconds at most. A write of kind kRelieving. RESOURCE_EXHAUSTED kDiskFull: there
  // is no room for it at all. NOT_FOUND kNotFound: the instance. OK without an entry where the
  // store has no keys.
  virtual absl::Status RecordExport(const AuditChain& chain, const Act& act,
                                    const ExportEntry& entry) = 0;

  // NOT_FOUND kNotFound: the instance.
  virtual absl::StatusOr<AuditPage> List(const AuditQuery& query,
                                         const ReadContext& context) const = 0;

  // `instance`: its two chains; empty: all. Of `known` those of other chains are not looked at.
  // NOT_FOUND kNotFound: the instance. FAILED_PRECONDITION: the store has no keys.
  virtual absl::StatusOr<std::unique_ptr<AuditVerification>> Verify(
      std::string_view instance, std::vector<AuditHead> known) const = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_AUDIT_STORE_H_
