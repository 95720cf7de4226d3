// Record keys that streams keep in clear, by the word of their callers that they tell nothing about
// anybody. Some are identities all the same.
#ifndef PASSERELLE_STORAGE_SQLITE_CLEAR_RECORD_KEYS_H_
#define PASSERELLE_STORAGE_SQLITE_CLEAR_RECORD_KEYS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite/erasure.h"
#include "storage/sqlite/file.h"

namespace passerelle::storage::sqlite {

// Of an outcome.
struct OutcomePlace {
  std::string stream;
  int64_t offset = -1;
};

// Gives, page by page, the places of a file's outcomes whose key is an identity of the person in
// any namespace: as it is, or as callers write identities before they are normalised (spaces
// around, capitals, a phone number with its country code and signs between the digits; a national
// one is not known). Short reads. CANCELLED once `stop` is true; errors of `take`.
absl::Status FindRecordKeys(const File& file, const Schema& schema, PersonMatcher& matcher,
                            const std::atomic<bool>& stop,
                            absl::FunctionRef<absl::Status(const std::vector<OutcomePlace>&)> take);

// Empties them, and returns how many; the outcomes stay. A transaction only where something was
// found.
absl::StatusOr<int64_t> ForgetRecordKeys(File& file, const Schema& schema, PersonMatcher& matcher,
                                         const std::atomic<bool>& stop);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_CLEAR_RECORD_KEYS_H_
