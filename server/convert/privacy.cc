#include "server/convert/privacy.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/hash.h"
#include "server/convert/identity.h"
#include "server/convert/store_subkeys.h"
#include "server/convert/times.h"
#include "server/errors.h"
#include "server/limits.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr char kProfileField[] = "privacy_request.profile";
constexpr char kIdentitiesField[] = "privacy_request.identities";

v1::PrivacyRequest::Kind KindOf(storage::PrivacyKind kind) {
  return kind == storage::PrivacyKind::kAccess ? v1::PrivacyRequest::KIND_ACCESS
                                               : v1::PrivacyRequest::KIND_ERASE;
}

v1::PrivacyRequest::State StateOf(storage::PrivacyState state) {
  switch (state) {
    case storage::PrivacyState::kRunning:
      return v1::PrivacyRequest::STATE_RUNNING;
    case storage::PrivacyState::kSucceeded:
      return v1::PrivacyRequest::STATE_SUCCEEDED;
    case storage::PrivacyState::kFailed:
      break;
  }
  return v1::PrivacyRequest::STATE_FAILED;
}

v1::PrivacyRequest::Step StepOf(storage::PrivacyStep step) {
  switch (step) {
    case storage::PrivacyStep::kProfile:
      return v1::PrivacyRequest::STEP_PROFILE;
    case storage::PrivacyStep::kLedger:
      return v1::PrivacyRequest::STEP_LEDGER;
    case storage::PrivacyStep::kLogs:
      return v1::PrivacyRequest::STEP_LOGS;
    case storage::PrivacyStep::kEmptyLogs:
      return v1::PrivacyRequest::STEP_EMPTY_LOGS;
    case storage::PrivacyStep::kScan:
      return v1::PrivacyRequest::STEP_SCAN;
    case storage::PrivacyStep::kNone:
      break;
  }
  return v1::PrivacyRequest::STEP_UNSPECIFIED;
}

void Write(const storage::SignedStatement& receipt, v1::Receipt* out) {
  out->set_statement(receipt.statement);
  out->set_signature(receipt.signature);
  out->set_public_key(receipt.public_key);
  out->set_key_id(KeyIdText(receipt.key));
}

absl::StatusOr<storage::ProfileId> ReadProfile(const PrivacyContext& context,
                                               const std::string& text) {
  ASSIGN_OR_RETURN(const ProfileName name, ParseProfileName({kProfileField, text}));
  if (name.instance == context.instance.instance) return name.id;
  return errors::NameInvalid(
      {kProfileField, absl::StrCat("got one of ", ToText(InstanceName{name.instance}),
                                   ", wanted one of ", ToText(context.instance))});
}

// The value of a namespace that has a derived one is known by its SHA-256 too.
absl::StatusOr<storage::PrivacySubject::Identity> ReadOne(const PrivacyContext& context,
                                                          const v1::Identity& identity, int at) {
  const std::string field = absl::StrCat(kIdentitiesField, "[", at, "]");
  ASSIGN_OR_RETURN(StoredIdentity stored,
                   ReadIdentity({field, context.schema, context.region}, identity));
  storage::PrivacySubject::Identity read;
  read.ns = stored.ns;
  read.value = std::move(stored.value);
  const storage::IdentityNamespace* ns = context.schema.FindNamespace(stored.ns);
  if (ns != nullptr && context.schema.DerivedFrom(*ns) != nullptr) {
    read.derived_value = Sha256Hex(read.value);
  }
  return read;
}

}  // namespace

absl::StatusOr<storage::PrivacyKind> ReadPrivacyKind(const v1::PrivacyRequest& request) {
  switch (request.kind()) {
    case v1::PrivacyRequest::KIND_ACCESS:
      return storage::PrivacyKind::kAccess;
    case v1::PrivacyRequest::KIND_ERASE:
      return storage::PrivacyKind::kErase;
    case v1::PrivacyRequest::KIND_UNSPECIFIED:
      return errors::FieldRequired("privacy_request.kind");
    default:
      return errors::FieldInvalid({"privacy_request.kind", absl::StrCat("got ", request.kind(),
                                                                        ", wanted KIND_ACCESS or "
                                                                        "KIND_ERASE")});
  }
}

absl::StatusOr<storage::PrivacySubject> ReadPrivacySubject(const PrivacyContext& context,
                                                           const v1::PrivacyRequest& request) {
  const auto count = static_cast<std::size_t>(request.identities_size());
  if (request.profile().empty() && count == 0) return errors::FieldRequired(kProfileField);
  if (!request.profile().empty() && count != 0) {
    return errors::FieldInvalid({kIdentitiesField, "got profile too, wanted one of the two"});
  }
  if (count > kMaxIdentitiesPerProfile) {
    return errors::FieldInvalid(
        {kIdentitiesField, absl::StrCat(count, " identities, limit ", kMaxIdentitiesPerProfile)});
  }
  storage::PrivacySubject subject;
  if (count == 0) {
    ASSIGN_OR_RETURN(subject.profile, ReadProfile(context, request.profile()));
  }
  for (int i = 0; i < request.identities_size(); ++i) {
    ASSIGN_OR_RETURN(auto identity, ReadOne(context, request.identities(i), i));
    subject.identities.push_back(std::move(identity));
  }
  return subject;
}

v1::PrivacyRequest ToProto(const InstanceName& instance, const storage::PrivacyRequest& request) {
  v1::PrivacyRequest shown;
  shown.set_name(ToText(PrivacyRequestName{instance.instance, request.id}));
  shown.set_kind(KindOf(request.kind));
  if (request.profile.value != 0) {
    shown.set_profile(ToText(ProfileName{instance.instance, request.profile}));
  }
  shown.set_state(StateOf(request.state));
  shown.set_step(StepOf(request.step));
  shown.set_rows_done(request.rows_done);
  shown.set_rows_total(request.rows_total);
  shown.set_failure(request.failure);
  for (const storage::TableCount& count : request.counts) {
    v1::TableCount* out = shown.add_counts();
    out->set_table(count.table);
    out->set_rows(count.rows);
  }
  shown.set_archive_bytes(request.archive_bytes);
  if (request.archive_expire_us != 0) {
    SetMicros(request.archive_expire_us, shown.mutable_archive_expire_time());
  }
  if (!request.receipt.signature.empty()) Write(request.receipt, shown.mutable_receipt());
  SetMicros(request.create_us, shown.mutable_create_time());
  if (request.end_us != 0) SetMicros(request.end_us, shown.mutable_end_time());
  shown.set_etag(request.etag);
  return shown;
}

}  // namespace passerelle
