// The limits that every door, codec and service checks before anything is written. Each is a named
// constant with its unit; what an operator may change is a setting in server/options.h instead.
#ifndef PASSERELLE_SERVER_LIMITS_H_
#define PASSERELLE_SERVER_LIMITS_H_

#include <cstddef>

namespace passerelle {

inline constexpr std::size_t kMaxValueBytes = 8 * 1024;         // one attribute or identity value
inline constexpr std::size_t kMaxRecordBytes = 64 * 1024;       // one row, all its values
inline constexpr std::size_t kMaxRecordsPerMessage = 10'000;    // rows of one batch in a stream
inline constexpr std::size_t kMaxRecordsPerUnaryBatch = 1'000;  // rows of one unary batch
inline constexpr std::size_t kMaxSuppressionsPerCall = 10'000;
inline constexpr std::size_t kMaxIdentitiesPerProfile = 50;
inline constexpr std::size_t kMaxSourceTokenBytes = 1'024;  // the caller's own position
inline constexpr std::size_t kMaxEmailBytes = 254;
inline constexpr std::size_t kMaxEmailLocalPartBytes = 64;
inline constexpr std::size_t kMaxEcidDigits = 38;
inline constexpr std::size_t kMaxTokenBytes = 4'096;  // any opaque token, as text
inline constexpr std::size_t kMaxCallIdBytes = 64;    // x-call-id; a longer one is replaced
inline constexpr int kMaxPageSize = 1'000;
inline constexpr int kDefaultPageSize = 100;
// A page of rows or profiles ends early at this size, so that it fits into one message.
inline constexpr std::size_t kMaxPageBytes = 2 * 1024 * 1024;

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_LIMITS_H_
