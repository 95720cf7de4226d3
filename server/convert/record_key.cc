#include "server/convert/record_key.h"

#include "absl/strings/escaping.h"
#include "server/convert/hash.h"
#include "server/convert/normalize.h"
#include "server/convert/record_plan.h"

namespace passerelle {
namespace {

constexpr std::size_t kKeptHashBytes = 16;

}  // namespace

RecordKeyWriter::RecordKeyWriter(const KeyRing& keys, bool clear)
    : subkey_(clear ? nullptr : keys.FindSubkey(keys.current_id(), KeyPurpose::kRecordKey)) {}

storage::RowReason RecordKeyWriter::Write(std::string_view key, ByteArena* bytes,
                                          std::string_view* out) const {
  *out = {};
  if (key.empty()) return storage::RowReason::kNone;
  const ValueProblem problem = CheckText(key, kMaxRecordKeyBytes);
  if (problem != ValueProblem::kOk) return RowReasonOf(problem, IdentityShape::kText);
  if (subkey_ == nullptr) {
    *out = key;
    return storage::RowReason::kNone;
  }
  const Sha256Digest digest = HmacSha256(*subkey_, key);
  *out = bytes->Keep(
      absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), kKeptHashBytes}));
  return storage::RowReason::kNone;
}

}  // namespace passerelle
