// What became of a row: one outcome for each, and why it was refused.
#ifndef PASSERELLE_STORAGE_OUTCOME_H_
#define PASSERELLE_STORAGE_OUTCOME_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace passerelle::storage {

// Same names and numbers as passerelle.v1.Outcome.
enum class Outcome : uint8_t {
  kUnspecified = 0,
  kRejected = 1,
  kSuppressed = 2,
  kAmbiguous = 3,
  kNotFound = 4,
  kOutOfScope = 5,
  kStale = 6,
  kCreated = 7,
  kMerged = 8,
  kRealized = 9,
  kExited = 10,
  kUpdated = 11,
  kUnchanged = 12,
  kAppended = 13,
  kDuplicate = 14,
};
inline constexpr int kOutcomes = 15;

// True for outcomes after which nothing of the row is stored (of a log row that is SUPPRESSED
// nothing that tells who it is of).
constexpr bool IsRefusal(Outcome o) { return o >= Outcome::kRejected && o <= Outcome::kStale; }

// Same names and numbers as passerelle.v1.RowReason.
enum class RowReason : uint8_t {
  kNone = 0,
  kNotUtf8 = 1,
  kContainsNul = 2,
  kValueTooLong = 3,
  kRowTooLarge = 4,
  kNotFinite = 5,
  kMalformedEmail = 6,
  kMalformedPhone = 7,
  kMalformedHash = 8,
  kMalformedIdentity = 9,
  kIdentityMissing = 10,
  kIdentityInUse = 11,
  kTooManyIdentities = 12,
  kDeviceIdentityRequired = 13,
  kMandatoryFieldMissing = 14,
  kTimeInFuture = 15,
  kWrongType = 16,
  kOutOfRange = 17,
  kUnknownAudience = 18,
  kUnknownDelivery = 19,
  kUnknownField = 20,
  kUnknownNamespace = 21,
  kFieldInvalid = 22,
};

// Rows by outcome.
struct OutcomeCounts {
  std::array<int64_t, kOutcomes> rows{};
  int64_t& operator[](Outcome o) { return rows[static_cast<size_t>(o)]; }
  int64_t operator[](Outcome o) const { return rows[static_cast<size_t>(o)]; }
  int64_t Total() const {
    int64_t total = 0;
    for (int64_t n : rows) total += n;
    return total;
  }
};

// What became of one row, for rows that an ack lists and for the ledger.
struct RowResult {
  int64_t offset = 0;   // in the stream, or the index in a unary batch
  int64_t profile = 0;  // whose row it was, as far as known; for the ledger
  std::string record_key;
  Outcome outcome = Outcome::kUnspecified;
  RowReason reason = RowReason::kNone;
  std::string field;  // the caller's name of it; never its value
  std::vector<std::string> stale_fields;
  std::vector<std::string> out_of_scope_fields;
  bool profile_created = false;
  bool membership_changed = false;
  bool attributes_changed = false;
  bool profile_unknown = false;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_OUTCOME_H_
