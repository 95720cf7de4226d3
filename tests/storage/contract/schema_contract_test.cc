#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/storage/contract/profile_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;

class SchemaContract : public ProfileContractBase {
 protected:
  SchemaStore& schemas() { return instance().schema(); }
  std::shared_ptr<const Schema> Present() { return schemas().schema(); }
  static Attribute Named(const std::string& id) {
    Attribute attribute;
    attribute.id = id;
    return attribute;
  }
  static IdentityNamespace NamedSpace(const std::string& id) {
    IdentityNamespace ns;
    ns.id = id;
    return ns;
  }
  Destination AddDestination(const std::string& id, const std::string& attribute,
                             const std::string& ns) {
    Destination destination;
    destination.id = id;
    FieldMapping mapping;
    mapping.source_field = "f";
    mapping.attribute = attribute;
    destination.mappings.push_back(mapping);
    destination.namespace_order = {ns};
    auto created = instance().flows().CreateDestination(destination, {});
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->value : Destination{};
  }
};
PASSERELLE_CONTRACT(SchemaContract);

const RefusalOf kMissing{StatusCode::kNotFound, Reason::kNotFound};
const RefusalOf kExisting{StatusCode::kAlreadyExists, Reason::kAlreadyExists};
const RefusalOf kUsed{StatusCode::kFailedPrecondition, Reason::kInUse};
const RefusalOf kOtherEtag{StatusCode::kAborted, Reason::kEtagMismatch};

TEST_P(SchemaContract, ANewInstanceHasTheBuiltInNamespaces) {
  ASSERT_EQ(Present()->namespaces().size(), 6u);
  const IdentityNamespace* mail = Present()->FindNamespace("email");
  ASSERT_NE(mail, nullptr);
  EXPECT_TRUE(mail->built_in);
  EXPECT_EQ(mail->normalization, Normalization::kEmail);
  ASSERT_NE(Present()->DerivedFrom(*mail), nullptr);
  EXPECT_EQ(Present()->DerivedFrom(*mail)->id, "email_sha256");
  EXPECT_EQ(Present()->FindNamespace("ecid")->kind, NamespaceKind::kDevice);
}

TEST_P(SchemaContract, AnAttributeIsKeptWithAllItsProperties) {
  Attribute attribute = Named("sms_promo");
  attribute.display_name = "SMS \"promo\"";
  attribute.type = AttributeType::kBool;
  attribute.personal = true;
  attribute.read_only_for_sync = true;
  attribute.consent = Consent{"sms", "promo", true};
  const auto written = schemas().CreateAttribute(attribute, {});
  ASSERT_TRUE(written.ok()) << written.status();
  ReopenAsAfterACrash();
  const Attribute* kept = Present()->FindAttribute(written->value.number);
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(kept->display_name, attribute.display_name);
  EXPECT_EQ(kept->type, AttributeType::kBool);
  EXPECT_TRUE(kept->personal && kept->read_only_for_sync);
  ASSERT_TRUE(kept->consent.has_value());
  EXPECT_EQ(kept->consent->purpose, "promo");
  EXPECT_TRUE(kept->consent->opt_in_required);
  EXPECT_EQ(kept->create_us, now_us());
  EXPECT_EQ(kept->etag, written->value.etag);
  EXPECT_EQ(Refused(schemas().CreateAttribute(Named("sms_promo"), {})), kExisting);
}

TEST_P(SchemaContract, ANewAttributeIsNullForEverybodyWhateverItsNumber) {
  ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")});
  AttributeNumber last;
  for (int i = 0; i < 140; ++i) last = AddAttribute(absl::StrCat("x", i), AttributeType::kInt64);
  EXPECT_EQ(last.value, 144);
  EXPECT_EQ(IntOf("1", last), -1);
  ImportOne({FieldFor(last), FieldFor(city)}, {{external, "1"}}, {Int(7), Text("Nice")});
  EXPECT_EQ(IntOf("1", last), 7);
  EXPECT_EQ(TextOf("1", city), "Nice");
}

TEST_P(SchemaContract, ThousandAttributesAreTheLimitDeletedOnesIncluded) {
  const int already = static_cast<int>(Present()->attributes().size());
  for (int i = already; i < kAttributesMax; ++i) AddAttribute(absl::StrCat("x", i), {});
  ASSERT_TRUE(schemas().DeleteAttribute("x999", {}).ok());
  const auto refused = schemas().CreateAttribute(Named("one_more"), {});
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kResourceExhausted, Reason::kLimitReached}));
  EXPECT_EQ(Detail(refused.status(), "limit"), "1000");
}

TEST_P(SchemaContract, AnUpdateStoresWhatMayChangeAndNothingElse) {
  Attribute changed = Named("city");
  changed.type = AttributeType::kDate;
  changed.display_name = "Town";
  changed.personal = true;
  changed.read_only_for_sync = true;
  const int64_t revision = Present()->revision();
  Advance(absl::Seconds(1));
  const auto written = schemas().UpdateAttribute(changed, {});
  ASSERT_TRUE(written.ok()) << written.status();
  const Attribute* kept = Present()->FindAttribute("city");
  EXPECT_EQ(kept->display_name, "Town");
  EXPECT_TRUE(kept->personal && kept->read_only_for_sync);
  EXPECT_EQ(kept->type, AttributeType::kString);
  EXPECT_EQ(kept->update_us, now_us());
  EXPECT_LT(kept->create_us, now_us());
  EXPECT_GT(Present()->revision(), revision);
  EXPECT_EQ(Refused(schemas().UpdateAttribute(Named("nobody"), {})), kMissing);
}

TEST_P(SchemaContract, AnEtagThatIsNotThePresentOneRefuses) {
  AdminWrite write;
  write.etag = Present()->FindAttribute("city")->etag;
  ASSERT_TRUE(schemas().UpdateAttribute(Named("city"), write).ok());
  EXPECT_EQ(Refused(schemas().UpdateAttribute(Named("city"), write)), kOtherEtag);
  EXPECT_EQ(Refused(schemas().DeleteAttribute("city", write)), kOtherEtag);
}

TEST_P(SchemaContract, ADeletedAttributeIsGoneAndItsNumberIsNotUsedAgain) {
  ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")});
  ASSERT_TRUE(schemas().DeleteAttribute("city", {}).ok());
  EXPECT_EQ(Present()->FindAttribute("city"), nullptr);
  EXPECT_EQ(Present()->FindAttribute(city), nullptr);
  EXPECT_EQ(TextOf("1", city), "(null)");
  EXPECT_EQ(Refused(schemas().DeleteAttribute("city", {})), kMissing);
  const AttributeNumber again = AddAttribute("city", AttributeType::kString);
  EXPECT_NE(again, city);
  EXPECT_EQ(TextOf("1", again), "(null)");
}

TEST_P(SchemaContract, WhatADestinationUsesIsNotDeleted) {
  ASSERT_TRUE(schemas().CreateNamespace(NamedSpace("crm"), {}).ok());
  AddDestination("d", "city", "crm");
  const auto attribute = schemas().DeleteAttribute("city", {});
  EXPECT_EQ(Refused(attribute), kUsed);
  EXPECT_EQ(Detail(attribute.status(), "dependents"), "destinations/d");
  EXPECT_EQ(Refused(schemas().DeleteNamespace("crm", {})), kUsed);
}

TEST_P(SchemaContract, ANamespaceWithIdentitiesOrBuiltInIsNotDeleted) {
  EXPECT_EQ(Refused(schemas().DeleteNamespace("phone", {})), kUsed) << "built in";
  const auto crm = schemas().CreateNamespace(NamedSpace("crm"), {});
  ASSERT_TRUE(crm.ok()) << crm.status();
  ImportOne({}, {{crm->value.number, "1"}}, {});
  EXPECT_EQ(Refused(schemas().DeleteNamespace("crm", {})), kUsed);
  const auto other = schemas().CreateNamespace(NamedSpace("other"), {});
  ASSERT_TRUE(schemas().DeleteNamespace("other", {}).ok());
  EXPECT_EQ(Present()->FindNamespace("other"), nullptr);
  EXPECT_NE(schemas().CreateNamespace(NamedSpace("other"), {})->value.number, other->value.number);
}

TEST_P(SchemaContract, ANamespaceIsDerivedFromOneThatExists) {
  IdentityNamespace hash = NamedSpace("crm_sha256");
  hash.normalization = Normalization::kSha256;
  hash.derived_from = "crm";
  EXPECT_EQ(Refused(schemas().CreateNamespace(hash, {})),
            (RefusalOf{StatusCode::kInvalidArgument, Reason::kUnknownNamespace}));
  ASSERT_TRUE(schemas().CreateNamespace(NamedSpace("crm"), {}).ok());
  ASSERT_TRUE(schemas().CreateNamespace(hash, {}).ok());
  Open();
  const IdentityNamespace* crm = Present()->FindNamespace("crm");
  ASSERT_NE(crm, nullptr);
  ASSERT_NE(Present()->DerivedFrom(*crm), nullptr);
  EXPECT_EQ(Present()->DerivedFrom(*crm)->id, "crm_sha256");
  EXPECT_EQ(Refused(schemas().DeleteNamespace("crm", {})), kUsed);
}

TEST_P(SchemaContract, ANamespaceUpdateStoresItsDisplayName) {
  IdentityNamespace changed = NamedSpace("email");
  changed.display_name = "Mail";
  changed.normalization = Normalization::kNone;
  ASSERT_TRUE(schemas().UpdateNamespace(changed, {}).ok());
  EXPECT_EQ(Present()->FindNamespace("email")->display_name, "Mail");
  EXPECT_EQ(Present()->FindNamespace("email")->normalization, Normalization::kEmail);
  EXPECT_EQ(Refused(schemas().UpdateNamespace(NamedSpace("nobody"), {})), kMissing);
}

TEST_P(SchemaContract, TwoHundredNamespacesAreTheLimit) {
  for (int i = 6; i < kNamespacesMax; ++i) {
    ASSERT_TRUE(schemas().CreateNamespace(NamedSpace(absl::StrCat("n", i)), {}).ok());
  }
  EXPECT_EQ(Refused(schemas().CreateNamespace(NamedSpace("more"), {})).reason,
            Reason::kLimitReached);
}

TEST_P(SchemaContract, ARepeatedRequestGivesThePresentResource) {
  AdminWrite write;
  write.request = RequestKey{"r", "CreateAttribute", "payload"};
  const auto first = schemas().CreateAttribute(Named("x"), write);
  ASSERT_TRUE(first.ok()) << first.status();
  Attribute renamed = Named("x");
  renamed.display_name = "later";
  ASSERT_TRUE(schemas().UpdateAttribute(renamed, {}).ok());
  const auto again = schemas().CreateAttribute(Named("x"), write);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->value.display_name, "later");
  write.request->payload_hash = "other";
  EXPECT_EQ(Refused(schemas().CreateAttribute(Named("x"), write)),
            (RefusalOf{StatusCode::kAlreadyExists, Reason::kRequestIdReused}));
  write.request = RequestKey{"d", "DeleteAttribute", "payload"};
  ASSERT_TRUE(schemas().DeleteAttribute("x", write).ok());
  EXPECT_TRUE(schemas().DeleteAttribute("x", write).ok()) << "the deletion is done already";
}

TEST_P(SchemaContract, ValidateOnlyChecksAndChangesNothing) {
  AdminWrite write;
  write.validate_only = true;
  const int64_t revision = Present()->revision();
  const auto checked = schemas().CreateAttribute(Named("x"), write);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->value.id, "x");
  EXPECT_EQ(Refused(schemas().CreateAttribute(Named("city"), write)), kExisting);
  EXPECT_EQ(Present()->FindAttribute("x"), nullptr);
  EXPECT_EQ(Present()->revision(), revision);
  EXPECT_TRUE(schemas().CreateAttribute(Named("x"), {}).ok());
}

TEST_P(SchemaContract, ConsentsAreThoseOfTheChannelAndThePurposeNamed) {
  AddAttribute("mail_promo", AttributeType::kBool, Consent{"email", "promo", true});
  const auto schema = Present();
  EXPECT_EQ(schema->ConsentsFor("email", "").size(), 1u);
  EXPECT_EQ(schema->ConsentsFor("email", "promo").size(), 2u);
  EXPECT_EQ(schema->ConsentsFor("email", "service").size(), 1u);
  EXPECT_TRUE(schema->ConsentsFor("push", "promo").empty());
}

}  // namespace
}  // namespace passerelle::storage
