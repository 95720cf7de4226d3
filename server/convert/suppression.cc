#include "server/convert/suppression.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/convert/acks.h"
#include "server/convert/fields.h"
#include "server/convert/hash.h"
#include "server/convert/normalize.h"
#include "server/convert/record_plan.h"
#include "server/convert/store_subkeys.h"
#include "server/convert/text.h"
#include "server/convert/times.h"
#include "server/errors.h"
#include "server/limits.h"

namespace passerelle {
namespace {

using storage::RowReason;

constexpr std::size_t kHashDigits = 2 * storage::kAddressHashBytes;

// Reads one row; a problem is the row's refusal.
class RowReader {
 public:
  RowReader(const storage::Schema& schema, const std::string& region)
      : schema_(schema), region_(region) {}

  storage::SuppressionRow Read(const v1::SuppressionRow& row) {
    storage::SuppressionRow read;
    if (!ReadAddress(row, &read)) return read;
    if (!CheckPurpose({"channel", row.channel()}).ok()) {
      Refuse(RowReason::kFieldInvalid, "channel", &read);
    } else if (!CheckLabel({"reason", row.reason()}).ok()) {
      Refuse(RowReason::kFieldInvalid, "reason", &read);
    } else if (row.has_create_time()) {
      read.create_us = MicrosOf(row.create_time());
      if (!read.create_us.has_value()) Refuse(RowReason::kOutOfRange, "create_time", &read);
    }
    read.channel = row.channel();
    read.reason = row.reason();
    return read;
  }

 private:
  static bool Refuse(RowReason reason, std::string field, storage::SuppressionRow* read) {
    read->refusal = storage::Refusal{reason, std::move(field)};
    return false;
  }

  bool ReadAddress(const v1::SuppressionRow& row, storage::SuppressionRow* read) const {
    if (row.has_address_hash()) return ReadHash(row.address_hash(), read);
    if (!row.has_identity()) return Refuse(RowReason::kIdentityMissing, "identity", read);
    const storage::IdentityNamespace* ns = schema_.FindNamespace(row.identity().namespace_());
    if (ns == nullptr) return Refuse(RowReason::kUnknownNamespace, "identity.namespace", read);
    const IdentityRules rules = IdentityRulesOf(*ns, region_);
    const ValueProblem problem = NormalizeIdentity(rules, row.identity().value(), &read->value);
    if (problem != ValueProblem::kOk) {
      return Refuse(RowReasonOf(problem, rules.shape), "identity.value", read);
    }
    read->ns = ns->number;
    if (schema_.DerivedFrom(*ns) != nullptr) read->derived_value = Sha256Hex(read->value);
    return true;
  }

  static bool ReadHash(const v1::AddressHash& hash, storage::SuppressionRow* read) {
    if (!ReadKeyId(hash.key_id(), &read->key)) {
      return Refuse(RowReason::kFieldInvalid, "address_hash.key_id", read);
    }
    const IdentityRules rules{IdentityShape::kSha256, true, true, ""};
    std::string digits;
    if (NormalizeIdentity(rules, hash.hash(), &digits) != ValueProblem::kOk ||
        digits.size() != kHashDigits) {
      return Refuse(RowReason::kMalformedHash, "address_hash.hash", read);
    }
    read->hash = absl::HexStringToBytes(digits);
    return true;
  }

  const storage::Schema& schema_;
  const std::string& region_;
};

}  // namespace

absl::StatusOr<storage::SuppressionBatch> ReadSuppressions(
    const storage::Schema& schema, const std::string& region,
    const google::protobuf::RepeatedPtrField<v1::SuppressionRow>& rows) {
  if (static_cast<std::size_t>(rows.size()) > kMaxSuppressionsPerCall) {
    return errors::FieldInvalid(
        {"rows", absl::StrCat(rows.size(), " rows, limit ", kMaxSuppressionsPerCall)});
  }
  storage::SuppressionBatch batch;
  RowReader reader(schema, region);
  for (const v1::SuppressionRow& row : rows) batch.rows.push_back(reader.Read(row));
  return batch;
}

void WriteAnswer(const storage::SuppressionAck& ack, storage::Outcome plain,
                 const SuppressionAnswer& answer) {
  for (const storage::RowResult& row : ack.rows) {
    if (row.outcome != plain) WriteRowOutcome(row, answer.rows->Add());
  }
  WriteCounts(ack.counts, answer.counts);
}

v1::Suppression ToProto(const storage::Suppression& entry) {
  v1::Suppression shown;
  shown.mutable_address_hash()->set_key_id(KeyIdText(entry.key));
  shown.mutable_address_hash()->set_hash(absl::BytesToHexString(entry.hash));
  shown.set_channel(entry.channel);
  shown.set_reason(entry.reason);
  *shown.mutable_create_time() = ToTimestamp(entry.create_us);
  return shown;
}

v1::QuarantinedAddress ToProto(const storage::Schema& schema,
                               const storage::QuarantinedAddress& address) {
  v1::QuarantinedAddress shown;
  if (const storage::IdentityNamespace* ns = schema.FindNamespace(address.ns)) {
    shown.mutable_identity()->set_namespace_(ns->id);
    shown.mutable_identity()->set_value(address.value);
  }
  shown.set_channel(address.channel);
  *shown.mutable_quarantine_time() = ToTimestamp(address.quarantine_us);
  shown.set_failure_type(static_cast<v1::FailureType>(address.failure_type));
  shown.set_failure_reason(address.failure_reason);
  shown.set_errors(address.errors);
  return shown;
}

v1::DenylistEntry ToProto(const InstanceName& instance, const storage::DenylistEntry& entry) {
  v1::DenylistEntry shown;
  shown.set_profile(ToText(ProfileName{instance.instance, entry.profile}));
  shown.set_channel(entry.channel);
  shown.set_reason(entry.reason);
  *shown.mutable_create_time() = ToTimestamp(entry.create_us);
  return shown;
}

}  // namespace passerelle
