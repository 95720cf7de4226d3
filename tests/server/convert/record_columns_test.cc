#include "server/convert/record_columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "passerelle/v1/profile_service.pb.h"
#include "server/convert/hash.h"
#include "server/grpc_status.h"
#include "server/limits.h"
#include "tests/server/convert/sample_schema.h"

namespace passerelle {
namespace {

using storage::Cell;
using storage::RowReason;
using testing::HasSubstr;

class ReadingColumns : public testing::Test {
 protected:
  ReadingColumns()
      : keys_(KeyRing::Parse(kSampleKeys).value()), key_writer_(keys_, /*clear=*/false) {}

  // Opens namespaces and attributes, as a caller names them.
  void Open(std::vector<std::string> namespaces, std::vector<std::string> fields) {
    plan_ = PlanImport(schema_, {std::move(namespaces), std::move(fields), "FR"}).value();
    batch_.Clear();
  }

  v1::Column* AddIdentities(const std::vector<std::string>& values) {
    v1::Column* column = batch_.add_identities();
    for (const std::string& value : values) column->add_texts(value);
    batch_.set_records(static_cast<int32_t>(values.size()));
    return column;
  }

  absl::Status Read() {
    out_ = storage::RecordBatch();
    return ReadColumns({&plan_, &key_writer_, true, nullptr}, ColumnsOf(batch_), &bytes_, &out_);
  }

  // "REASON": the public reason of a batch that is refused as a whole.
  std::string Refused() { return PublicReasonOf(Read()); }

  RowReason ReasonOf(std::size_t record) {
    const auto& refusal = out_.records[record].refusal;
    return refusal.has_value() ? refusal->reason : RowReason::kNone;
  }
  std::string FieldOf(std::size_t record) {
    const auto& refusal = out_.records[record].refusal;
    return refusal.has_value() ? refusal->field : "";
  }

  const storage::Schema schema_ = SampleSchema();
  const KeyRing keys_;
  const RecordKeyWriter key_writer_;
  RecordPlan plan_;
  v1::ImportProfilesRequest::Batch batch_;
  ByteArena bytes_;
  storage::RecordBatch out_;
};

TEST_F(ReadingColumns, ValuesBecomeCellsAndNullAndAbsentAreToldApart) {
  Open({"external_id"}, {"city", "age"});
  AddIdentities({"1", "2", "3"});
  v1::Column* city = batch_.add_columns();
  city->set_presence(std::string("\0\1\2", 3));
  city->add_texts("Lyon");
  v1::Column* age = batch_.add_columns();
  for (const int64_t value : {1, 2, 3}) age->add_integers(value);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(out_.cells[0].kind, Cell::Kind::kAbsent);
  EXPECT_EQ(out_.cells[2].kind, Cell::Kind::kNull);
  EXPECT_EQ(out_.cells[4].text, "Lyon");
  EXPECT_EQ(out_.cells[5].integer, 3);
}

TEST_F(ReadingColumns, AnIdentityIsNormalisedAndItsHashStandsBesideIt) {
  Open({"email"}, {});
  AddIdentities({" Ann@Example.COM "});
  ASSERT_TRUE(Read().ok());
  ASSERT_EQ(out_.identities.size(), 2u);
  EXPECT_EQ(out_.identities[0].value, "ann@example.com");
  EXPECT_FALSE(out_.identities[0].derived);
  EXPECT_EQ(out_.identities[1].value, Sha256Hex("ann@example.com"));
  EXPECT_TRUE(out_.identities[1].derived);
}

TEST_F(ReadingColumns, ANationalPhoneNumberIsReadInTheRegionOfTheInstance) {
  Open({"phone"}, {});
  AddIdentities({"06 12 34 56 78"});
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(out_.identities[0].value, "+33612345678");
}

TEST_F(ReadingColumns, ABadTextRefusesItsRecordOnly) {
  Open({"external_id"}, {"city"});
  AddIdentities({"1", "2", "3", "4"});
  v1::Column* city = batch_.add_columns();
  city->add_texts("\xff");
  city->add_texts(std::string("a\0b", 3));
  city->add_texts(std::string(kMaxValueBytes + 1, 'x'));
  city->add_texts("fine");
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kNotUtf8);
  EXPECT_EQ(ReasonOf(1), RowReason::kContainsNul);
  EXPECT_EQ(ReasonOf(2), RowReason::kValueTooLong);
  EXPECT_EQ(ReasonOf(3), RowReason::kNone);
  EXPECT_EQ(FieldOf(0), "city");
}

TEST_F(ReadingColumns, NanAndInfinityRefuseTheirRecords) {
  Open({"external_id"}, {"score"});
  AddIdentities({"1", "2", "3"});
  v1::Column* score = batch_.add_columns();
  score->add_doubles(std::nan(""));
  score->add_doubles(std::numeric_limits<double>::infinity());
  score->add_doubles(1.5);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kNotFinite);
  EXPECT_EQ(ReasonOf(1), RowReason::kNotFinite);
  EXPECT_EQ(ReasonOf(2), RowReason::kNone);
}

TEST_F(ReadingColumns, MalformedIdentitiesNameTheirNamespace) {
  Open({"email", "phone"}, {});
  AddIdentities({"no-at-sign", "ok@example.com", ""});
  v1::Column* phone = AddIdentities({"+33612345678", "12", "+33612345679"});
  ASSERT_EQ(phone->texts_size(), 3);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kMalformedEmail);
  EXPECT_EQ(FieldOf(0), "email");
  EXPECT_EQ(ReasonOf(1), RowReason::kMalformedPhone);
  EXPECT_EQ(ReasonOf(2), RowReason::kMalformedEmail);
}

TEST_F(ReadingColumns, ARecordWithoutAnyIdentityIsRefused) {
  Open({"external_id"}, {});
  v1::Column* column = AddIdentities({"1", "2"});
  column->set_presence(std::string("\2\0", 2));
  column->mutable_texts()->RemoveLast();
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kNone);
  EXPECT_EQ(ReasonOf(1), RowReason::kIdentityMissing);
}

TEST_F(ReadingColumns, TimesAndDatesOutsideTheYears1To9999AreRefused) {
  Open({"external_id"}, {"seen", "day"});
  AddIdentities({"1", "2"});
  v1::Column* seen = batch_.add_columns();
  v1::Column* day = batch_.add_columns();
  for (const int64_t value : {std::numeric_limits<int64_t>::max(), int64_t{0}}) {
    seen->add_integers(value);
  }
  for (const int64_t value : {int64_t{0}, int64_t{3'000'000}}) day->add_integers(value);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kOutOfRange);
  EXPECT_EQ(FieldOf(0), "seen");
  EXPECT_EQ(FieldOf(1), "day");
}

TEST_F(ReadingColumns, AListIsKeptAsJsonAndCheckedTextByText) {
  Open({"external_id"}, {"tags"});
  AddIdentities({"1", "2"});
  v1::Column* tags = batch_.add_columns();
  v1::TextList* list = tags->add_lists();
  list->add_values("a\"b");
  list->add_values("\n");
  tags->add_lists()->add_values("\xc3");
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(out_.cells[0].text, "[\"a\\\"b\",\"\\u000a\"]");
  EXPECT_EQ(ReasonOf(1), RowReason::kNotUtf8);
}

TEST_F(ReadingColumns, ARecordOfMoreThan64KiBIsRefused) {
  std::vector<storage::Attribute> attributes;
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) {
    names.push_back("text" + std::to_string(i));
    attributes.push_back(SampleAttribute(i + 1, names.back(), storage::AttributeType::kString));
  }
  const storage::Schema wide(1, attributes, schema_.namespaces());
  plan_ = PlanImport(wide, {{"external_id"}, names, ""}).value();
  AddIdentities({"1"});
  for (int i = 0; i < 10; ++i) batch_.add_columns()->add_texts(std::string(8'000, 'x'));
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kRowTooLarge);
}

TEST_F(ReadingColumns, AnEmptyBatchAndOneOf100000RecordsAreRefusedWhole) {
  Open({"external_id"}, {});
  batch_.add_identities();
  EXPECT_EQ(Refused(), "EMPTY_BATCH");
  batch_.set_records(100'000);
  EXPECT_EQ(Refused(), "BATCH_TOO_LARGE");
  EXPECT_THAT(std::string(Read().message()), HasSubstr("100000 records, limit 10000"));
  batch_.set_records(-1);
  EXPECT_EQ(Refused(), "EMPTY_BATCH");
}

TEST_F(ReadingColumns, ColumnsThatDisagreeRefuseTheBatchAndNameTheColumn) {
  Open({"external_id"}, {"city"});
  AddIdentities({"1", "2"});
  EXPECT_EQ(Refused(), "COLUMN_MISMATCH");
  batch_.add_columns()->add_texts("Lyon");
  EXPECT_EQ(Refused(), "COLUMN_MISMATCH");
  EXPECT_EQ(std::string(Read().message()), "columns[0] (city): 1 records, wanted 2");
  batch_.mutable_columns(0)->set_presence("\2");
  EXPECT_EQ(Refused(), "COLUMN_MISMATCH");
  batch_.mutable_columns(0)->set_presence("\2\7");
  EXPECT_EQ(Refused(), "FIELD_INVALID");
}

TEST_F(ReadingColumns, AColumnOfAnotherTypeIsRefusedByName) {
  Open({"external_id"}, {"age"});
  AddIdentities({"1"});
  batch_.add_columns()->add_texts("41");
  EXPECT_EQ(Refused(), "WRONG_TYPE");
  EXPECT_EQ(std::string(Read().message()), "columns[0] (age): got texts, wanted integers");
}

TEST_F(ReadingColumns, ARecordKeyIsKeptAsAKeyedHash) {
  Open({"external_id"}, {});
  AddIdentities({"1", "2"});
  batch_.mutable_record_keys()->add_texts("row-1");
  batch_.mutable_record_keys()->add_texts(std::string(257, 'k'));
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(out_.records[0].record_key.size(), 32u);
  EXPECT_NE(out_.records[0].record_key, "row-1");
  EXPECT_EQ(ReasonOf(1), RowReason::kValueTooLong);
  EXPECT_EQ(FieldOf(1), "record_key");
}

TEST_F(ReadingColumns, TheContentHashDoesNotDependOnTheOrderOfColumnsOrThePacking) {
  Open({"external_id"}, {"city", "age"});
  AddIdentities({"7"});
  batch_.add_columns()->add_texts("Lyon");
  batch_.add_columns()->add_integers(41);
  ASSERT_TRUE(Read().ok());
  const uint32_t first = out_.records[0].content_hash;
  Open({"external_id"}, {"age", "city", "score"});
  AddIdentities({"6", "7"});
  v1::Column* age = batch_.add_columns();
  age->set_presence(std::string("\0\2", 2));
  age->add_integers(41);
  v1::Column* city = batch_.add_columns();
  city->set_presence(std::string("\0\2", 2));
  city->add_texts("Lyon");
  batch_.add_columns()->set_presence(std::string("\0\0", 2));
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(out_.records[1].content_hash, first);
  EXPECT_NE(out_.records[0].content_hash, first);
}

TEST_F(ReadingColumns, ANullIsOtherContentThanAnAbsentValue) {
  Open({"external_id"}, {"city"});
  AddIdentities({"7", "7"});
  batch_.add_columns()->set_presence(std::string("\0\1", 2));
  ASSERT_TRUE(Read().ok());
  EXPECT_NE(out_.records[0].content_hash, out_.records[1].content_hash);
}

TEST_F(ReadingColumns, AValueThatTheCallerCouldNotReadRefusesItsRecordAndNamesItsField) {
  Open({"external_id", "email"}, {"age", "city"});
  AddIdentities({"1", "2", "3"})->set_presence("\2\2\2");
  v1::Column* email = batch_.add_identities();
  email->set_presence(std::string("\0\3\2", 3));
  email->add_texts("ann@example.com");
  v1::Column* age = batch_.add_columns();
  age->set_presence("\3\2\2");
  age->add_integers(41);
  age->add_integers(42);
  v1::Column* city = batch_.add_columns();
  for (const char* name : {"\xff", "Lyon", "Nice"}) city->add_texts(name);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kWrongType);
  EXPECT_EQ(FieldOf(0), "age");
  EXPECT_EQ(ReasonOf(1), RowReason::kWrongType);
  EXPECT_EQ(FieldOf(1), "email");
  EXPECT_EQ(ReasonOf(2), RowReason::kNone);
  EXPECT_EQ(out_.cells[2].integer, 41);
  EXPECT_EQ(out_.cells[4].integer, 42);
}

TEST_F(ReadingColumns, AnUnreadableEventTimeOrRecordKeyRefusesItsRecord) {
  Open({"external_id"}, {});
  AddIdentities({"1", "2"});
  batch_.mutable_event_times()->set_presence(std::string("\3\0", 2));
  batch_.mutable_record_keys()->set_presence(std::string("\0\3", 2));
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kWrongType);
  EXPECT_EQ(FieldOf(0), "event_time");
  EXPECT_EQ(ReasonOf(1), RowReason::kWrongType);
  EXPECT_EQ(FieldOf(1), "record_key");
}

TEST_F(ReadingColumns, AnUnreadableQualificationTimeRefusesItsRecord) {
  Open({"external_id"}, {});
  AddIdentities({"1"});
  v1::Column times;
  times.set_presence("\3");
  ColumnBatch columns = ColumnsOf(batch_);
  columns.qualification_times = &times;
  ASSERT_TRUE(ReadColumns({&plan_, &key_writer_, true, nullptr}, columns, &bytes_, &out_).ok());
  EXPECT_EQ(ReasonOf(0), RowReason::kWrongType);
  EXPECT_EQ(FieldOf(0), "qualification_time");
}

TEST_F(ReadingColumns, AnUnreadableValueIsOtherContentThanAnAbsentOrANullOne) {
  Open({"external_id"}, {"age"});
  AddIdentities({"1", "1", "1"});
  batch_.add_columns()->set_presence(std::string("\0\1\3", 3));
  ASSERT_TRUE(Read().ok());
  EXPECT_NE(out_.records[2].content_hash, out_.records[0].content_hash);
  EXPECT_NE(out_.records[2].content_hash, out_.records[1].content_hash);
}

TEST(PlanningAnImport, NamesWhatIsUnknown) {
  const storage::Schema schema = SampleSchema();
  EXPECT_EQ(PublicReasonOf(PlanImport(schema, {{"email"}, {"citty"}, ""}).status()),
            "UNKNOWN_ATTRIBUTE");
  EXPECT_EQ(PublicReasonOf(PlanImport(schema, {{"crm"}, {}, ""}).status()), "UNKNOWN_NAMESPACE");
  EXPECT_EQ(PublicReasonOf(PlanImport(schema, {{}, {}, ""}).status()), "FIELD_REQUIRED");
  EXPECT_EQ(PublicReasonOf(PlanImport(schema, {{"email", "email"}, {}, ""}).status()),
            "FIELD_INVALID");
}

TEST(PlanningAnImport, MoreThan50IdentityColumnsAreRefused) {
  const std::vector<std::string> many(51, "email");
  const absl::Status status = PlanImport(SampleSchema(), {many, {}, ""}).status();
  EXPECT_EQ(PublicReasonOf(status), "FIELD_INVALID");
  EXPECT_THAT(std::string(status.message()), HasSubstr("51 names, limit 50"));
}

}  // namespace
}  // namespace passerelle
