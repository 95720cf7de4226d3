// One value at a time: from what a caller sent to the cell that the store keeps, or the reason why
// not. Pure; one reader per thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/convert/byte_arena.h"
#include "server/convert/record_plan.h"
#include "storage/schema.h"
#include "storage/types.h"

namespace passerelle {

// A normalised identity and the hash that stands beside it (empty when its namespace has none).
struct CheckedIdentity {
  std::string_view value;
  std::string_view derived;
};

// Views given out point into what was read, where nothing had to be changed, or into the arena.
// The answer is kNone when the value is good; otherwise the output is unspecified.
class ValueReader {
 public:
  explicit ValueReader(ByteArena* bytes) : bytes_(bytes) {}

  storage::RowReason Identity(const IdentityPlan& plan, std::string_view value,
                              CheckedIdentity* out);
  storage::RowReason Text(Transform transform, std::string_view value, storage::Cell* out);
  // A value that replaces an identity of `plan`: transformed, then normalised. Empty text is null:
  // it leaves the identity alone.
  struct WrittenCell {
    storage::Cell* cell;
    std::string_view* derived;
  };
  storage::RowReason WrittenIdentity(Transform transform, const IdentityPlan& plan,
                                     std::string_view value, WrittenCell out);
  // For int64, timestamp (microseconds) and date (days) attributes.
  storage::RowReason Integer(storage::AttributeType type, int64_t value, storage::Cell* out);
  storage::RowReason Real(double value, storage::Cell* out);
  void Bool(bool value, storage::Cell* out);
  // `values` are texts; kept as a JSON array of at most kMaxValueBytes.
  template <class Texts>
  storage::RowReason List(const Texts& values, storage::Cell* out) {
    list_.assign("[");
    for (const auto& value : values) {
      const storage::RowReason reason = AddElement(value);
      if (reason != storage::RowReason::kNone) return reason;
    }
    return EndList(out);
  }

  ByteArena* bytes() { return bytes_; }

 private:
  storage::RowReason AddElement(std::string_view value);
  storage::RowReason EndList(storage::Cell* out);
  // `value` itself if `made` equals it, else a copy in the arena.
  std::string_view Keep(std::string_view value, const std::string& made);

  ByteArena* bytes_;
  std::string made_;
  std::string hex_;
  std::string list_;
};

}  // namespace passerelle
