#include "server/convert/record_plan.h"

#include <gtest/gtest.h>

#include "server/convert/record_columns.h"
#include "server/convert/record_rows.h"
#include "server/grpc_status.h"
#include "tests/server/convert/sample_schema.h"

namespace passerelle {
namespace {

using storage::Cell;
using storage::RowReason;

storage::FieldMapping Mapping(std::string source, std::string attribute) {
  storage::FieldMapping mapping;
  mapping.source_field = std::move(source);
  mapping.attribute = std::move(attribute);
  return mapping;
}

class MappedRows : public testing::Test {
 protected:
  MappedRows() : keys_(KeyRing::Parse(kSampleKeys).value()), key_writer_(keys_, true) {
    destination_.id = "d";
    destination_.mappings.push_back(Mapping("town", "city"));
    destination_.mappings.push_back(Mapping("years", "age"));
  }

  absl::Status Read() {
    out_ = storage::RecordBatch();
    return ReadRows({&schema_, &destination_, "FR", &key_writer_}, rows_, &bytes_, &out_);
  }

  v1::ProfileRow* AddRow() {
    v1::ProfileRow* row = rows_.Add();
    (*row->mutable_identities())["external_id"] = "1";
    return row;
  }

  RowReason ReasonOf(std::size_t row) {
    const auto& refusal = out_.records[row].refusal;
    return refusal.has_value() ? refusal->reason : RowReason::kNone;
  }

  const storage::Schema schema_ = SampleSchema();
  const KeyRing keys_;
  const RecordKeyWriter key_writer_;
  storage::Destination destination_;
  google::protobuf::RepeatedPtrField<v1::ProfileRow> rows_;
  ByteArena bytes_;
  storage::RecordBatch out_;
};

TEST_F(MappedRows, AFieldThatIsNotMappedIsNamedAtOpen) {
  const auto plan = PlanMapped(schema_, destination_, {{"email"}, {"shoe_size"}, ""});
  EXPECT_EQ(PublicReasonOf(plan.status()), "UNMAPPED_FIELD");
}

TEST_F(MappedRows, AMandatoryFieldThatIsNotOpenedRefusesEveryRow) {
  destination_.mappings[1].mandatory = true;
  const auto plan = PlanMapped(schema_, destination_, {{"email"}, {"town"}, ""});
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->writes.size(), 2u);
  EXPECT_TRUE(plan->writes[1].mandatory);
  EXPECT_EQ(plan->targets[1].column, -1);
}

TEST_F(MappedRows, AFieldMappedTwiceIsWrittenTwice) {
  destination_.mappings.push_back(Mapping("town", ""));
  destination_.mappings.back().writable_identity = "email";
  const auto plan = PlanMapped(schema_, destination_, {{"external_id"}, {"town"}, ""});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->writes.size(), 2u);
  EXPECT_EQ(plan->written[0].id, "email");
}

TEST_F(MappedRows, ATransformIsDoneBeforeTheValueIsStored) {
  destination_.mappings[0].transform = storage::Transform::kTrim;
  (*AddRow()->mutable_fields())["town"].set_string_value("  Lyon ");
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(out_.cells[0].text, "Lyon");
}

TEST_F(MappedRows, AWritableIdentityIsNormalisedAndHashed) {
  destination_.mappings.push_back(Mapping("mail", ""));
  destination_.mappings.back().writable_identity = "email";
  (*AddRow()->mutable_fields())["mail"].set_string_value("Ann@Example.com");
  (*AddRow()->mutable_fields())["mail"].set_string_value("");
  (*AddRow()->mutable_fields())["mail"].set_string_value("nobody");
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(out_.cells[0].text, "ann@example.com");
  EXPECT_EQ(out_.derived_values[0].size(), 64u);
  EXPECT_EQ(out_.cells[1].kind, Cell::Kind::kNull);
  EXPECT_EQ(ReasonOf(2), RowReason::kMalformedEmail);
}

TEST_F(MappedRows, AReadOnlyAttributeIsRefused) {
  std::vector<storage::Attribute> attributes = schema_.attributes();
  attributes[1].read_only_for_sync = true;
  const storage::Schema schema(2, attributes, schema_.namespaces());
  const auto plan = PlanMapped(schema, destination_, {{"email"}, {"town"}, ""});
  EXPECT_EQ(PublicReasonOf(plan.status()), "ATTRIBUTE_NOT_WRITABLE");
}

TEST_F(MappedRows, UnknownFieldsNamespacesAndWrongTypesRefuseTheirRowOnly) {
  (*AddRow()->mutable_fields())["shoe_size"].set_number_value(41);
  (*AddRow()->mutable_identities())["crm"] = "x";
  (*AddRow()->mutable_fields())["years"].set_bool_value(true);
  (*AddRow()->mutable_fields())["years"].set_string_value("41");
  (*AddRow()->mutable_fields())["years"].set_number_value(4.5);
  rows_.Add();
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kUnknownField);
  EXPECT_EQ(ReasonOf(1), RowReason::kUnknownNamespace);
  EXPECT_EQ(ReasonOf(2), RowReason::kWrongType);
  EXPECT_EQ(ReasonOf(3), RowReason::kNone);
  EXPECT_EQ(ReasonOf(4), RowReason::kWrongType);
  EXPECT_EQ(ReasonOf(5), RowReason::kIdentityMissing);
}

TEST_F(MappedRows, MoreThan1000RowsAreRefusedWhole) {
  for (int i = 0; i < 1'001; ++i) AddRow();
  EXPECT_EQ(PublicReasonOf(Read()), "BATCH_TOO_LARGE");
  rows_.Clear();
  EXPECT_EQ(PublicReasonOf(Read()), "EMPTY_BATCH");
}

}  // namespace
}  // namespace passerelle
