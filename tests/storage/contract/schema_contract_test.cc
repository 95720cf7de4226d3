#include <string>

#include "tests/storage/contract/store_contract.h"

namespace passerelle::storage {
namespace {

class SchemaContract : public StoreContract {};
PASSERELLE_CONTRACT(SchemaContract);

TEST_P(SchemaContract, ANewInstanceHasTheBuiltInNamespaces) {
  const auto schema = instance().schema().schema();
  ASSERT_EQ(schema->namespaces().size(), 6u);
  const IdentityNamespace* email = schema->FindNamespace("email");
  ASSERT_NE(email, nullptr);
  EXPECT_TRUE(email->built_in);
  ASSERT_NE(schema->DerivedFrom(*email), nullptr);
  EXPECT_EQ(schema->DerivedFrom(*email)->id, "email_sha256");
}

TEST_P(SchemaContract, AWriteIsInTheSchemaWhenItReturns) {
  const AttributeNumber city = AddAttribute("city", AttributeType::kString);
  const auto schema = instance().schema().schema();
  ASSERT_NE(schema->FindAttribute("city"), nullptr);
  EXPECT_EQ(schema->FindAttribute(city)->type, AttributeType::kString);
}

}  // namespace
}  // namespace passerelle::storage
