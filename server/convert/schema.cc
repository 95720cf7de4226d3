#include "server/convert/schema.h"

#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/errors.h"
#include "storage/status.h"

namespace passerelle {
namespace {

absl::StatusOr<storage::AttributeType> ReadType(v1::AttributeType type) {
  if (type == v1::ATTRIBUTE_TYPE_UNSPECIFIED) return errors::FieldRequired("attribute.type");
  if (v1::AttributeType_IsValid(type)) return static_cast<storage::AttributeType>(type);
  return errors::FieldInvalid({"attribute.type", absl::StrCat("got ", static_cast<int>(type),
                                                              ", wanted an AttributeType")});
}

absl::StatusOr<storage::Consent> ReadConsent(const v1::Attribute& attribute) {
  if (attribute.type() != v1::ATTRIBUTE_TYPE_BOOL) {
    return errors::FieldInvalid(
        {"attribute.consent", absl::StrCat("got it on ", v1::AttributeType_Name(attribute.type()),
                                           ", wanted it on ATTRIBUTE_TYPE_BOOL only")});
  }
  const v1::Consent& consent = attribute.consent();
  RETURN_IF_ERROR(CheckChannel({"attribute.consent.channel", consent.channel()}));
  RETURN_IF_ERROR(CheckPurpose({"attribute.consent.purpose", consent.purpose()}));
  return storage::Consent{consent.channel(), consent.purpose(), consent.opt_in_required()};
}

absl::StatusOr<storage::Normalization> ReadNormalization(v1::IdentityNamespace::Normalization n) {
  if (n == v1::IdentityNamespace::NORMALIZATION_UNSPECIFIED) return storage::Normalization::kNone;
  if (v1::IdentityNamespace::Normalization_IsValid(n))
    return static_cast<storage::Normalization>(n);
  return errors::FieldInvalid(
      {"identity_namespace.normalization",
       absl::StrCat("got ", static_cast<int>(n), ", wanted a Normalization")});
}

}  // namespace

v1::Attribute ToProto(const InstanceName& instance, const storage::Attribute& attribute) {
  v1::Attribute shown;
  shown.set_name(ToText(AttributeName{instance.instance, attribute.id}));
  shown.set_display_name(attribute.display_name);
  shown.set_type(static_cast<v1::AttributeType>(attribute.type));
  shown.set_personal(attribute.personal);
  if (attribute.consent) {
    shown.mutable_consent()->set_channel(attribute.consent->channel);
    shown.mutable_consent()->set_purpose(attribute.consent->purpose);
    shown.mutable_consent()->set_opt_in_required(attribute.consent->opt_in_required);
  }
  shown.set_read_only_for_sync(attribute.read_only_for_sync);
  *shown.mutable_create_time() = ToTimestamp(attribute.create_us);
  *shown.mutable_update_time() = ToTimestamp(attribute.update_us);
  shown.set_etag(attribute.etag);
  return shown;
}

v1::IdentityNamespace ToProto(const InstanceName& instance, const storage::IdentityNamespace& ns) {
  v1::IdentityNamespace shown;
  shown.set_name(ToText(NamespaceName{instance.instance, ns.id}));
  shown.set_display_name(ns.display_name);
  shown.set_kind(static_cast<v1::IdentityNamespace::Kind>(ns.kind));
  shown.set_normalization(static_cast<v1::IdentityNamespace::Normalization>(ns.normalization));
  shown.set_derived_from(ns.derived_from);
  *shown.mutable_create_time() = ToTimestamp(ns.create_us);
  shown.set_etag(ns.etag);
  return shown;
}

absl::StatusOr<storage::Attribute> ReadAttribute(const v1::Attribute& attribute, std::string id) {
  storage::Attribute read;
  read.id = std::move(id);
  RETURN_IF_ERROR(CheckLabel({"attribute.display_name", attribute.display_name()}));
  ASSIGN_OR_RETURN(read.type, ReadType(attribute.type()));
  if (attribute.has_consent()) {
    ASSIGN_OR_RETURN(read.consent, ReadConsent(attribute));
  }
  read.display_name = attribute.display_name();
  read.personal = attribute.personal();
  read.read_only_for_sync = attribute.read_only_for_sync();
  return read;
}

absl::StatusOr<storage::IdentityNamespace> ReadNamespace(const v1::IdentityNamespace& ns,
                                                         std::string id) {
  storage::IdentityNamespace read;
  read.id = std::move(id);
  RETURN_IF_ERROR(CheckLabel({"identity_namespace.display_name", ns.display_name()}));
  if (ns.kind() == v1::IdentityNamespace::KIND_UNSPECIFIED) {
    return errors::FieldRequired("identity_namespace.kind");
  }
  if (!v1::IdentityNamespace::Kind_IsValid(ns.kind())) {
    return errors::FieldInvalid(
        {"identity_namespace.kind",
         absl::StrCat("got ", static_cast<int>(ns.kind()), ", wanted KIND_PERSON or KIND_DEVICE")});
  }
  read.kind = static_cast<storage::NamespaceKind>(ns.kind());
  ASSIGN_OR_RETURN(read.normalization, ReadNormalization(ns.normalization()));
  read.display_name = ns.display_name();
  return read;
}

}  // namespace passerelle
