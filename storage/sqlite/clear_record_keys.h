// Record keys that streams keep in clear, by the word of their callers that they tell nothing about
// anybody. Some are identities all the same.
#ifndef PASSERELLE_STORAGE_SQLITE_CLEAR_RECORD_KEYS_H_
#define PASSERELLE_STORAGE_SQLITE_CLEAR_RECORD_KEYS_H_

#include <atomic>
#include <cstdint>

#include "absl/status/statusor.h"
#include "storage/sqlite/erasure.h"
#include "storage/sqlite/file.h"

namespace passerelle::storage::sqlite {

// Empties those of a file's outcomes that are an identity of the person in any namespace, and
// returns how many; the outcomes stay. Short reads, and a transaction only where something was
// found. CANCELLED once `stop` is true.
absl::StatusOr<int64_t> ForgetRecordKeys(File& file, const Schema& schema, PersonMatcher& matcher,
                                         const std::atomic<bool>& stop);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_CLEAR_RECORD_KEYS_H_
