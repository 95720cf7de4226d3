#include "server/services/log_wire.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace passerelle {
namespace {

storage::LogRow FullRow() {
  storage::LogRow row;
  row.sequence = std::numeric_limits<int64_t>::max();
  row.kind = storage::LogKind::kTracking;
  row.delivery = "newsletter";
  row.broadlog_id = 7;
  row.tracking_log_id = 8;
  row.event_us = -1;
  row.append_us = 9;
  row.identity_namespace = "email";
  row.identity = "zo\xc3\xab@example.org";
  row.status = 2;
  row.failure_type = 1;
  row.failure_reason = -5;
  row.reason_message = "mailbox full";
  row.flags = storage::kQuarantine | storage::kSeed | storage::kProfileUnknown;
  row.tracking_kind = 3;
  row.url = "https://example.org/";
  row.url_category = "shop";
  row.profile = 11;
  return row;
}

void ExpectAllFields(const v1::LogEntry& entry) {
  EXPECT_EQ(entry.sequence(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(entry.kind(), v1::LOG_KIND_TRACKING);
  EXPECT_EQ(entry.delivery(), "newsletter");
  EXPECT_EQ(entry.broadlog_id(), 7);
  EXPECT_EQ(entry.tracking_log_id(), 8);
  EXPECT_EQ(entry.event_time_us(), -1);
  EXPECT_EQ(entry.append_time_us(), 9);
  EXPECT_EQ(entry.identity_namespace(), "email");
  EXPECT_EQ(entry.identity(), "zo\xc3\xab@example.org");
  EXPECT_EQ(static_cast<int>(entry.status()), 2);
  EXPECT_EQ(static_cast<int>(entry.failure_type()), 1);
  EXPECT_EQ(entry.failure_reason(), -5);
  EXPECT_EQ(entry.reason_message(), "mailbox full");
  EXPECT_TRUE(entry.quarantine());
  EXPECT_FALSE(entry.control_group());
  EXPECT_TRUE(entry.seed());
  EXPECT_FALSE(entry.proof());
  EXPECT_EQ(static_cast<int>(entry.tracking_kind()), 3);
  EXPECT_EQ(entry.url(), "https://example.org/");
  EXPECT_EQ(entry.url_category(), "shop");
  EXPECT_TRUE(entry.profile_unknown());
  EXPECT_EQ(entry.profile(), 11);
}

LogFieldSet Fields(const std::vector<std::string>& names) {
  return ChooseLogFields(std::nullopt, names, "fields").value();
}

v1::ExportLogsResponse Decoded(grpc::ByteBuffer* message) {
  grpc::ProtoBufferReader bytes(message);
  v1::ExportLogsResponse response;
  EXPECT_TRUE(response.ParseFromZeroCopyStream(&bytes));
  return response;
}

TEST(LogWire, EveryFieldIsNumberedAndNamedAsInLogEntry) {
  for (const LogSchemaField& field : LogFields()) {
    const auto* described = v1::LogEntry::descriptor()->FindFieldByNumber(field.number);
    ASSERT_NE(described, nullptr) << field.name;
    EXPECT_EQ(described->name(), field.name);
    EXPECT_NE(field.integer == nullptr, field.text == nullptr) << field.name;
    const bool is_text = described->type() == google::protobuf::FieldDescriptor::TYPE_STRING;
    EXPECT_EQ(field.text != nullptr, is_text) << field.name;
  }
}

TEST(LogWire, ARowReadsBackWithAllItsFields) {
  v1::LogEntry entry;
  RenderLogRow(FullRow(), Fields({}), &entry);
  ExpectAllFields(entry);
}

TEST(LogWire, AMessageHoldsItsRowsInOrderAndWhatElseItTells) {
  LogWire wire;
  EXPECT_TRUE(wire.empty());
  wire.Add(FullRow(), Fields({}));
  const std::string reason(8'192, 'x');
  storage::LogRow second;
  second.sequence = 2;
  second.reason_message = reason;
  wire.Add(second, Fields({}));
  v1::ExportLogsResponse rest;
  rest.set_cursor("here");
  grpc::ByteBuffer message;
  wire.Take(rest, &message);
  const v1::ExportLogsResponse response = Decoded(&message);
  EXPECT_EQ(response.cursor(), "here");
  ASSERT_EQ(response.rows_size(), 2);
  ExpectAllFields(response.rows(0));
  EXPECT_EQ(response.rows(1).reason_message(), reason);
  EXPECT_EQ(response.rows(1).delivery(), "");
}

TEST(LogWire, RowsOfEveryLengthReadBack) {
  std::vector<std::string> urls;
  for (std::size_t bytes = 0; bytes < 300; ++bytes) urls.emplace_back(bytes, 'u');
  for (std::size_t bytes = 16'300; bytes < 16'400; ++bytes) urls.emplace_back(bytes, 'u');
  LogWire wire;
  for (const std::string& url : urls) {
    storage::LogRow row;
    row.sequence = 1;
    row.url = url;
    wire.Add(row, Fields({"url"}));
  }
  grpc::ByteBuffer message;
  wire.Take({}, &message);
  const v1::ExportLogsResponse response = Decoded(&message);
  ASSERT_EQ(response.rows_size(), static_cast<int>(urls.size()));
  for (int i = 0; i < response.rows_size(); ++i) {
    EXPECT_EQ(response.rows(i).sequence(), 1);
    EXPECT_EQ(response.rows(i).url(), urls[i]);
  }
}

TEST(LogWire, FieldsThatWereNotChosenAreNotSent) {
  LogWire wire;
  wire.Add(FullRow(), Fields({"profile"}));
  grpc::ByteBuffer message;
  wire.Take({}, &message);
  const v1::ExportLogsResponse response = Decoded(&message);
  ASSERT_EQ(response.rows_size(), 1);
  EXPECT_EQ(response.rows(0).profile(), 11);
  EXPECT_EQ(response.rows(0).delivery(), "newsletter");
  EXPECT_EQ(response.rows(0).identity(), "");
  EXPECT_EQ(response.rows(0).broadlog_id(), 0);
}

TEST(LogWire, TheNextMessageBeginsEmpty) {
  LogWire wire;
  wire.Add(FullRow(), Fields({}));
  grpc::ByteBuffer message;
  wire.Take({}, &message);
  EXPECT_TRUE(wire.empty());
  wire.Take({}, &message);
  EXPECT_EQ(Decoded(&message).rows_size(), 0);
}

}  // namespace
}  // namespace passerelle
