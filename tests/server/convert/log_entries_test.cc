#include "server/convert/log_entries.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "server/grpc_status.h"
#include "server/limits.h"
#include "tests/server/convert/sample_schema.h"

namespace passerelle {
namespace {

using storage::RowReason;

class LogEntries : public testing::Test {
 protected:
  LogEntries()
      : keys_(KeyRing::Parse(kSampleKeys).value()),
        key_writer_(keys_, false),
        identities_(std::shared_ptr<const storage::Schema>(new storage::Schema(SampleSchema())),
                    "FR") {}

  // A good delivery row to spoil.
  static v1::RawLogEntry Sent() {
    v1::RawLogEntry entry;
    entry.set_kind(v1::LOG_KIND_DELIVERY);
    entry.set_delivery("spring");
    entry.set_broadlog_id(1);
    entry.set_status(v1::DELIVERY_STATUS_SENT);
    return entry;
  }
  static v1::RawLogEntry Click() {
    v1::RawLogEntry entry;
    entry.set_kind(v1::LOG_KIND_TRACKING);
    entry.set_delivery("spring");
    entry.set_broadlog_id(1);
    entry.set_tracking_log_id(9);
    entry.set_tracking_kind(v1::TRACKING_KIND_CLICK);
    return entry;
  }

  storage::LogRecord Read(const v1::RawLogEntry& entry) {
    rows_.Clear();
    *rows_.Add() = entry;
    std::vector<storage::LogRecord> out;
    EXPECT_TRUE(ReadLogEntries<v1::RawLogEntry>({&identities_, &key_writer_, true},
                                                {&rows_, nullptr}, &bytes_, &out)
                    .ok());
    return out.at(0);
  }

  void ExpectRefused(const v1::RawLogEntry& entry, RowReason reason, const std::string& field) {
    const storage::LogRecord record = Read(entry);
    ASSERT_TRUE(record.refusal.has_value()) << field;
    EXPECT_EQ(record.refusal->reason, reason) << field;
    EXPECT_EQ(record.refusal->field, field);
  }

  const KeyRing keys_;
  const RecordKeyWriter key_writer_;
  const LogIdentities identities_;
  google::protobuf::RepeatedPtrField<v1::RawLogEntry> rows_;
  ByteArena bytes_;
};

TEST_F(LogEntries, AGoodRowIsReadWithItsIdentityNormalised) {
  v1::RawLogEntry entry = Sent();
  entry.set_identity_namespace("email");
  entry.set_identity("Ann@Example.com");
  entry.set_seed(true);
  const storage::LogRecord record = Read(entry);
  EXPECT_FALSE(record.refusal.has_value());
  EXPECT_EQ(record.row.identity, "ann@example.com");
  EXPECT_EQ(record.row.identity_ns.value, 2);
  EXPECT_EQ(record.row.flags, storage::kSeed);
  EXPECT_FALSE(Read(Click()).refusal.has_value());
}

TEST_F(LogEntries, WhatIsMissingOrUnknownIsNamed) {
  v1::RawLogEntry entry = Sent();
  entry.clear_kind();
  ExpectRefused(entry, RowReason::kFieldInvalid, "kind");
  entry = Sent();
  entry.clear_delivery();
  ExpectRefused(entry, RowReason::kFieldInvalid, "delivery");
  entry = Sent();
  entry.clear_broadlog_id();
  ExpectRefused(entry, RowReason::kFieldInvalid, "broadlog_id");
  entry = Sent();
  entry.set_status(static_cast<v1::DeliveryStatus>(5));
  ExpectRefused(entry, RowReason::kFieldInvalid, "status");
  entry = Click();
  entry.clear_tracking_log_id();
  ExpectRefused(entry, RowReason::kFieldInvalid, "tracking_log_id");
  entry = Click();
  entry.clear_tracking_kind();
  ExpectRefused(entry, RowReason::kFieldInvalid, "tracking_kind");
}

TEST_F(LogEntries, BadTextsAndTimesAreNamed) {
  v1::RawLogEntry entry = Sent();
  entry.set_url("\xff");
  ExpectRefused(entry, RowReason::kNotUtf8, "url");
  entry = Sent();
  entry.set_reason_message(std::string(kMaxValueBytes + 1, 'x'));
  ExpectRefused(entry, RowReason::kValueTooLong, "reason_message");
  entry = Sent();
  entry.set_url_category(std::string("\0", 1));
  ExpectRefused(entry, RowReason::kContainsNul, "url_category");
  entry = Sent();
  entry.set_event_time_us(std::numeric_limits<int64_t>::max());
  ExpectRefused(entry, RowReason::kOutOfRange, "event_time_us");
}

TEST_F(LogEntries, AnIdentityNeedsAKnownNamespaceAndAGoodValue) {
  v1::RawLogEntry entry = Sent();
  entry.set_identity("1");
  ExpectRefused(entry, RowReason::kFieldInvalid, "identity_namespace");
  entry.set_identity_namespace("crm");
  ExpectRefused(entry, RowReason::kUnknownNamespace, "identity_namespace");
  entry.set_identity_namespace("email");
  ExpectRefused(entry, RowReason::kMalformedEmail, "identity");
}

TEST_F(LogEntries, TheContentHashCoversWhatTheCallerSent) {
  v1::RawLogEntry entry = Sent();
  const uint32_t hash = Read(entry).content_hash;
  EXPECT_EQ(Read(entry).content_hash, hash);
  entry.set_failure_reason(1);
  EXPECT_NE(Read(entry).content_hash, hash);
}

TEST_F(LogEntries, RecordKeysComeOneForEachRowOrNotAtAll) {
  rows_.Clear();
  *rows_.Add() = Sent();
  google::protobuf::RepeatedPtrField<std::string> keys;
  keys.Add("a");
  keys.Add("b");
  std::vector<storage::LogRecord> out;
  const absl::Status status = ReadLogEntries<v1::RawLogEntry>({&identities_, &key_writer_, true},
                                                              {&rows_, &keys}, &bytes_, &out);
  EXPECT_EQ(PublicReasonOf(status), "COLUMN_MISMATCH");
}

}  // namespace
}  // namespace passerelle
