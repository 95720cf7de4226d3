// The files that the command line reads.
#include <gtest/gtest.h>

#include <fstream>

#include "passerelle/columns.h"
#include "tests/storage/sqlite/temp_directory.h"
#include "tools/passerelle/records/cell_value.h"
#include "tools/passerelle/records/file_logs.h"
#include "tools/passerelle/records/file_rows.h"
#include "tools/passerelle/records/record_reader.h"

namespace passerelle::tools {
namespace {

class RecordsTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<RecordReader>> Read(const std::string& text,
                                                     const std::string& name = "f.csv",
                                                     const ReadOptions& options = {}) {
    std::ofstream(directory_.File(name), std::ios::binary) << text;
    auto reader = OpenRecords(directory_.File(name), options);
    if (reader.ok()) {
      EXPECT_TRUE((*reader)->Select((*reader)->columns()).ok());
    }
    return reader;
  }

  // All cells as text; null as "~", absent as "-".
  static std::vector<std::vector<std::string>> AllOf(RecordReader& reader) {
    std::vector<std::vector<std::string>> rows;
    std::vector<Cell> cells;
    while (true) {
      auto more = reader.Next(&cells);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || !*more) return rows;
      rows.emplace_back();
      for (const Cell& cell : cells) {
        rows.back().push_back(cell.state == Cell::State::kText   ? cell.text
                              : cell.state == Cell::State::kNull ? "~"
                                                                 : "-");
      }
    }
  }

  storage::TempDirectory directory_;
};

using Rows = std::vector<std::vector<std::string>>;

TEST_F(RecordsTest, QuotedCommasBreaksAndQuotesBelongToTheValue) {
  auto reader = Read("a,b\n\"x,y\",\"one\ntwo \"\"q\"\"\"\n1, 2 \n");
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(AllOf(**reader), (Rows{{"x,y", "one\ntwo \"q\""}, {"1", " 2 "}}));
}

TEST_F(RecordsTest, AMarkAndCarriageReturnsAreNotData) {
  auto reader = Read(
      "\xEF\xBB\xBF"
      "a,b\r\n1,\"2\r\n3\"\r\n4,5");
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->columns(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(AllOf(**reader), (Rows{{"1", "2\r\n3"}, {"4", "5"}}));
}

TEST_F(RecordsTest, EmptyWithoutQuotesIsNullAndWithQuotesIsText) {
  auto reader = Read("a,b\n,\"\"\n");
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(AllOf(**reader), (Rows{{"~", ""}}));
  ReadOptions options;
  options.null_text = "NULL";
  auto named = Read("a,b\n,NULL\n", "g.csv", options);
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(AllOf(**named), (Rows{{"", "~"}}));
}

TEST_F(RecordsTest, AShortRowNamesItsLineAndTheMissingColumn) {
  auto reader = Read("a,b,c\n\"1\n1\",2,3\n4\n");
  ASSERT_TRUE(reader.ok());
  std::vector<Cell> cells;
  ASSERT_TRUE((*reader)->Next(&cells).ok());
  const absl::Status status = (*reader)->Next(&cells).status();
  EXPECT_NE(status.message().find(":4: 1 values, wanted 3"), std::string::npos) << status;
  EXPECT_NE(status.message().find("'b'"), std::string::npos) << status;
}

TEST_F(RecordsTest, AnUnknownColumnIsNamedBesideThoseThereAre) {
  auto reader = Read("a,b\n1,2\n");
  ASSERT_TRUE(reader.ok());
  const absl::Status status = (*reader)->Select({"c"});
  EXPECT_NE(status.message().find("no column 'c'; its columns are a, b"), std::string::npos);
}

TEST_F(RecordsTest, ReadAgainAFileGivesTheSameRows) {
  auto reader = Read("a\n1\n\"2\"\n");
  ASSERT_TRUE(reader.ok());
  const Rows first = AllOf(**reader);
  ASSERT_TRUE((*reader)->Rewind().ok());
  EXPECT_EQ(AllOf(**reader), first);
}

TEST_F(RecordsTest, AKeyThatAnObjectLacksIsAbsent) {
  auto reader = Read("{\"a\":1,\"b\":\"x\"}\n\n{\"b\":null}\n", "f.ndjson");
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(AllOf(**reader), (Rows{{"1", "x"}, {"-", "~"}}));
  EXPECT_FALSE(Read("[1]\n", "g.ndjson").ok());
}

TEST_F(RecordsTest, RowsCanBeReadFromAnyOffset) {
  auto reader = Read("id,n\na,1\nb,2\nc,3\n");
  ASSERT_TRUE(reader.ok());
  RowPlan plan;
  plan.identities = {{"external_id", "id"}, {"number", ""}};
  plan.fields = {{"n", "n", v1::ATTRIBUTE_TYPE_INT64}};
  auto rows = FileRows::Make(*std::move(reader), plan);
  ASSERT_TRUE(rows.ok()) << rows.status();
  client::Row row;
  for (int64_t offset : {2, 0, 1}) {
    ASSERT_TRUE((*rows)->Seek(offset).ok());
    ASSERT_TRUE(*(*rows)->Next(&row));
    EXPECT_EQ(std::get<int64_t>(row.fields[0]), offset + 1);
    EXPECT_EQ(std::get<std::string>(row.identities[1]), std::to_string(offset + 1));
  }
  EXPECT_EQ((*rows)->Seek(4).code(), absl::StatusCode::kOutOfRange);
}

TEST_F(RecordsTest, ACellThatDoesNotFitItsFieldIsUnreadableAndTheRowsGoOn) {
  auto reader = Read("id,n,day\na,1,2026-05-01\nb,abc,soon\nc,3,\n");
  ASSERT_TRUE(reader.ok());
  RowPlan plan;
  plan.identities = {{"external_id", "id"}};
  plan.fields = {{"n", "n", v1::ATTRIBUTE_TYPE_INT64}, {"day", "day", v1::ATTRIBUTE_TYPE_DATE}};
  auto rows = FileRows::Make(*std::move(reader), plan);
  ASSERT_TRUE(rows.ok()) << rows.status();
  v1::Column numbers;
  client::ColumnBuilder builder(&numbers);
  client::Row row;
  while (*(*rows)->Next(&row)) builder.Add(row.fields[0]);
  EXPECT_TRUE(builder.Finish().ok());
  EXPECT_EQ(numbers.presence(), std::string("\2\3\2", 3));
  EXPECT_EQ(numbers.integers_size(), 2);
}

TEST_F(RecordsTest, LogFieldsTakeNamesNumbersAndTimes) {
  auto reader = Read(
      "kind,delivery,broadlog_id,status,event_time,quarantine,sequence\n"
      "delivery,d,7,failed,2026-05-01T10:00:00Z,true,99\n1,d,8,DELIVERY_STATUS_SENT,,,1\n");
  ASSERT_TRUE(reader.ok());
  auto logs = FileLogs::Make(*std::move(reader), {});
  ASSERT_TRUE(logs.ok()) << logs.status();
  v1::RawLogEntry row;
  ASSERT_TRUE(*(*logs)->Next(&row));
  EXPECT_EQ(row.status(), v1::DELIVERY_STATUS_FAILED);
  EXPECT_EQ(row.event_time_us(), 1'777'629'600'000'000);
  EXPECT_TRUE(row.quarantine());
  ASSERT_TRUE(*(*logs)->Next(&row));
  EXPECT_EQ(row.kind(), v1::LOG_KIND_DELIVERY);
  EXPECT_EQ(row.status(), v1::DELIVERY_STATUS_SENT);
  EXPECT_EQ(row.event_time_us(), 0);
}

TEST(CellValueTest, TheNarrowestTypeThatFitsAllTextsIsFound) {
  auto guess = [](const std::vector<std::string>& texts) {
    TypeGuess found;
    for (const std::string& text : texts) found.See({Cell::State::kText, text});
    return found.type();
  };
  EXPECT_EQ(guess({"1", "", "-2"}), v1::ATTRIBUTE_TYPE_INT64);
  EXPECT_EQ(guess({"1", "2.5"}), v1::ATTRIBUTE_TYPE_DOUBLE);
  EXPECT_EQ(guess({"true", "FALSE"}), v1::ATTRIBUTE_TYPE_BOOL);
  EXPECT_EQ(guess({"2026-05-01"}), v1::ATTRIBUTE_TYPE_DATE);
  EXPECT_EQ(guess({"2026-05-01", "2026-05-01T10:00:00Z"}), v1::ATTRIBUTE_TYPE_TIMESTAMP);
  EXPECT_EQ(guess({"75001", "01000"}), v1::ATTRIBUTE_TYPE_STRING);
  EXPECT_EQ(guess({""}), v1::ATTRIBUTE_TYPE_STRING);
}

}  // namespace
}  // namespace passerelle::tools
