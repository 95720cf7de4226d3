#include "server/convert/outcome_filter.h"

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace passerelle {
namespace {

struct EnumList {
  std::string path;
  const google::protobuf::RepeatedField<int>& values;
  const google::protobuf::EnumDescriptor& type;
};

// The values as a set of bits. The store's numbers are the wire's.
absl::StatusOr<uint32_t> ReadBits(const EnumList& list) {
  uint32_t bits = 0;
  for (int i = 0; i < list.values.size(); ++i) {
    const int value = list.values.Get(i);
    if (value <= 0 || list.type.FindValueByNumber(value) == nullptr) {
      return errors::FieldInvalid({absl::StrCat(list.path, "[", i, "]"),
                                   absl::StrCat("got ", value, ", wanted a value of ",
                                                list.type.name(), " that rows can have")});
    }
    bits |= uint32_t{1} << value;
  }
  return bits;
}

}  // namespace

absl::StatusOr<storage::OutcomeFilter> ReadOutcomeFilter(const v1::RowOutcomeFilter& filter,
                                                         const std::string& path,
                                                         const RecordKeyWriter& record_keys) {
  static_assert(v1::Outcome_MAX < 32 && v1::RowReason_MAX < 32, "the store keeps them in 32 bits");
  storage::OutcomeFilter read;
  const auto outcomes =
      ReadBits({absl::StrCat(path, ".outcomes"), filter.outcomes(), *v1::Outcome_descriptor()});
  if (!outcomes.ok()) return outcomes.status();
  const auto reasons =
      ReadBits({absl::StrCat(path, ".reasons"), filter.reasons(), *v1::RowReason_descriptor()});
  if (!reasons.ok()) return reasons.status();
  ByteArena bytes;
  std::string_view key;
  if (record_keys.Write(filter.record_key(), &bytes, &key) != storage::RowReason::kNone) {
    return errors::FieldInvalid(
        {absl::StrCat(path, ".record_key"),
         absl::StrCat("got text of ", filter.record_key().size(), " bytes, wanted at most ",
                      kMaxRecordKeyBytes, " bytes without U+0000")});
  }
  read.outcomes = *outcomes;
  read.reasons = *reasons;
  read.field = filter.field();
  read.record_key = std::string(key);
  return read;
}

}  // namespace passerelle
