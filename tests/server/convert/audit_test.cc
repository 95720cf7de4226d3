#include "server/convert/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace passerelle {
namespace {

using ::testing::HasSubstr;

const std::string kMac(64, 'a');

v1::AuditHead Head(const std::string& chain, int64_t number, const std::string& mac) {
  v1::AuditHead head;
  head.set_chain(chain);
  head.set_number(number);
  head.set_mac(mac);
  return head;
}

std::string RefusalOf(const v1::AuditHead& head) {
  v1::VerifyAuditTrailRequest request;
  *request.add_known_heads() = Head("control", 1, kMac);
  *request.add_known_heads() = head;
  const auto heads = ReadAuditHeads(request);
  return heads.ok() ? "OK" : std::string(heads.status().message());
}

TEST(AuditConversion, ReadsHeadsAndRefusesWhatIsNone) {
  EXPECT_EQ(RefusalOf(Head("instances/crm/logs", 7, std::string(64, 'F'))), "OK");
  EXPECT_EQ(RefusalOf(Head("instances/crm/profiles", 0, "")), "OK");
  EXPECT_THAT(RefusalOf(Head("instances/crm", 7, kMac)), HasSubstr("known_heads[1].chain"));
  EXPECT_THAT(RefusalOf(Head("instances//logs", 7, kMac)), HasSubstr("known_heads[1].chain"));
  EXPECT_THAT(RefusalOf(Head("instances/a/b/logs", 7, kMac)), HasSubstr("known_heads[1].chain"));
  EXPECT_THAT(RefusalOf(Head("control", -1, kMac)), HasSubstr("known_heads[1].number"));
  EXPECT_THAT(RefusalOf(Head("control", 1, "")), HasSubstr("known_heads[1].mac"));
  EXPECT_THAT(RefusalOf(Head("control", 1, std::string(64, 'g'))), HasSubstr("known_heads[1].mac"));
  v1::VerifyAuditTrailRequest request;
  for (int i = 0; i < 10'000; ++i) *request.add_known_heads() = Head("control", 1, kMac);
  EXPECT_TRUE(ReadAuditHeads(request).ok());
  *request.add_known_heads() = Head("control", 1, kMac);
  EXPECT_THAT(std::string(ReadAuditHeads(request).status().message()), HasSubstr("limit 10000"));
}

TEST(AuditConversion, AHeadComesBackAsItWasTold) {
  const storage::AuditHead head{"control", 3, std::string(31, '\0') + "\xff"};
  v1::VerifyAuditTrailRequest request;
  WriteAuditHead(head, request.add_known_heads());
  EXPECT_EQ(request.known_heads(0).mac(), std::string(62, '0') + "ff");
  const auto read = ReadAuditHeads(request);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0].mac, head.mac);
  EXPECT_EQ((*read)[0].number, 3);
}

TEST(AuditConversion, APlaceComesBackAsItWasAndNothingElseIsOne) {
  const storage::AuditPlace place{-5, "instances/crm/logs", 12};
  const auto read = ReadAuditPlace(TextOf(place));
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(*read < place || place < *read);
  for (const char* text : {"", "1", "1 2", "x 2 control", "1 x control", "1 2 control more"}) {
    EXPECT_FALSE(ReadAuditPlace(text).has_value()) << text;
  }
}

TEST(AuditConversion, AnEntryIsToldWithAllItHolds) {
  storage::AuditEntry entry;
  entry.chain = "control";
  entry.number = 4;
  entry.commit_us = 1'700'000'000'000'001;
  entry.sequence = 9;
  entry.kind = storage::AuditKind::kExportEnded;
  entry.act = {"ann", "LogService/ExportLogs", "c1", "instances/crm", 2};
  entry.counts[storage::Outcome::kCreated] = 5;
  entry.exported_rows = 6;
  v1::AuditEntry told;
  WriteAuditEntry(entry, &told);
  EXPECT_EQ(told.chain(), "control");
  EXPECT_EQ(told.number(), 4);
  EXPECT_EQ(told.commit_time().nanos(), 1'000);
  EXPECT_EQ(told.commit_sequence(), 9);
  EXPECT_EQ(told.kind(), v1::AuditEntry::KIND_EXPORT_ENDED);
  EXPECT_EQ(told.caller(), "credentials/ann");
  EXPECT_EQ(told.method(), "LogService/ExportLogs");
  EXPECT_EQ(told.call_id(), "c1");
  EXPECT_EQ(told.resource(), "instances/crm");
  EXPECT_EQ(told.more_resources(), 2);
  ASSERT_EQ(told.counts_size(), 1);
  EXPECT_EQ(told.counts(0).outcome(), v1::OUTCOME_CREATED);
  EXPECT_EQ(told.exported_rows(), 6);
  entry.act.caller.clear();
  v1::AuditEntry anybody;
  WriteAuditEntry(entry, &anybody);
  EXPECT_EQ(anybody.caller(), "");
}

}  // namespace
}  // namespace passerelle
