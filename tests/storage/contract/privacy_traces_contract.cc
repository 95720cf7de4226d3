// Where traces of a person are, beyond their profile and rows that name them plainly: every one is
// in an archive, and none is left by an erasure.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/storage/contract/privacy_fixture.h"

namespace passerelle::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class PrivacyTracesContract : public PrivacyContractBase {
 protected:
  // A stream that keeps its record keys in clear, and a refused row of each key.
  void Refuse(const std::string& stream, const std::vector<std::string>& keys) {
    OpenStream open;
    open.stream = stream;
    open.kind = StreamKind::kImportProfiles;
    open.clear_record_keys = true;
    const auto opened = instance().streams().Open(open);
    ASSERT_TRUE(opened.ok()) << opened.status();
    Records records({});
    for (const std::string& key : keys) {
      records.Add({{external, "x"}});
      records.Last().record_key = key;
      records.Last().refusal = Refusal{RowReason::kMalformedEmail, "mail"};
    }
    WriteOptions options;
    options.position = StreamPosition{stream, opened->value.epoch, 0, ""};
    const auto ack = Import(std::move(records), std::move(options));
    ASSERT_TRUE(ack.ok()) << ack.status();
  }
  void RefuseLogRows(const std::string& stream, const std::string& key) {
    OpenStream open;
    open.stream = stream;
    open.kind = StreamKind::kAppendLogs;
    open.clear_record_keys = true;
    const auto opened = instance().streams().Open(open);
    ASSERT_TRUE(opened.ok()) << opened.status();
    AppendBatch batch;
    batch.options.position = StreamPosition{stream, opened->value.epoch, 0, ""};
    LogRecord record;
    record.row.delivery = "none";
    record.row.broadlog_id = 1;
    record.record_key = key;
    batch.rows.push_back(record);
    const auto ack = Await<WriteAck>(
        [&](storage::Done<WriteAck>& done) { return instance().logs().SubmitAppend(batch, done); });
    ASSERT_TRUE(ack.ok()) << ack.status();
  }
  std::vector<std::string> KeysOf(const std::string& stream) {
    std::vector<std::string> keys;
    const auto page = instance().streams().ListRowOutcomes(stream, {}, {}, {});
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return keys;
    for (const auto& row : page->rows) keys.push_back(row.record_key);
    return keys;
  }
};
PASSERELLE_CONTRACT(PrivacyTracesContract);

TEST_P(PrivacyTracesContract, RecordKeysInClearAreForgottenInEveryFormThatCallersWriteThem) {
  const PrivacySubject::Identity phone{Namespace("phone"), "+33612345678",
                                       Sha256HexOf("+33612345678")};
  Refuse("people", {"3@example.com", " 3@Example.com", "+33 6 12-34.56 78", "0033612345678",
                    "4@example.com", "  ", "33612345679"});
  RefuseLogRows("events", " 3@EXAMPLE.com ");
  PrivacySubject subject = WithMail("3@example.com");
  subject.identities.push_back(phone);
  const PrivacyRequest erased = Erased("r", subject);
  EXPECT_THAT(KeysOf("people"), ElementsAre("", "", "", "", "4@example.com", "  ", "33612345679"));
  EXPECT_THAT(KeysOf("events"), ElementsAre(""));
  EXPECT_EQ(CountIn(erased, "profiles.row_outcome"), 4);
  EXPECT_EQ(CountIn(erased, "logs.row_outcome"), 1);
}

TEST_P(PrivacyTracesContract, RecordKeysInClearAreInTheArchive) {
  Refuse("people", {"3@example.com", "4@example.com"});
  RefuseLogRows("events", "3@Example.com");
  const PrivacyRequest done = Done("r", PrivacyKind::kAccess, WithMail("3@example.com"));
  const std::string text = Archive("r");
  EXPECT_THAT(text, HasSubstr(R"({"table":"profiles.row_outcome","row":{"stream":"people")"));
  EXPECT_THAT(text, HasSubstr(R"("record_key":"3@example.com")"));
  EXPECT_THAT(text, HasSubstr(R"({"table":"logs.row_outcome","row":{"stream":"events")"));
  EXPECT_THAT(text, HasSubstr(R"("record_key":"3@Example.com")"));
  EXPECT_THAT(text, Not(HasSubstr("4@example.com")));
  EXPECT_EQ(CountIn(done, "profiles.row_outcome"), 1);
  EXPECT_EQ(CountIn(done, "logs.row_outcome"), 1);
}

TEST_P(PrivacyTracesContract, NumbersAreInTheArchiveWithEveryDigit) {
  const AttributeNumber score = AddAttribute("score", AttributeType::kDouble);
  const AttributeNumber share = AddAttribute("share", AttributeType::kDouble);
  ImportOne({FieldFor(score), FieldFor(share)}, {{external, "3"}}, {Real(1234567.891), Real(0.1)});
  Done("r", PrivacyKind::kAccess, WithMail("3@example.com"));
  EXPECT_THAT(Archive("r"), HasSubstr("\"score\":1234567.891"));
  EXPECT_THAT(Archive("r"), HasSubstr("\"share\":0.1}"));
}

TEST_P(PrivacyTracesContract, AHashIsSuppressedUnderANamespaceThatIsMadeLater) {
  Erased("r", WithMail("3@example.com"));
  IdentityNamespace hashes;
  hashes.id = "crm_mail";
  hashes.normalization = Normalization::kSha256;
  hashes.derived_from = "email";
  ASSERT_TRUE(instance().schema().CreateNamespace(hashes, {}).ok());
  const NamespaceNumber crm_mail = Namespace("crm_mail");
  EXPECT_EQ(ImportOne({}, {{crm_mail, Sha256HexOf("3@example.com")}}, {}).outcome,
            Outcome::kSuppressed);
  EXPECT_EQ(ImportOne({}, {{crm_mail, Sha256HexOf("new@example.com")}}, {}).outcome,
            Outcome::kCreated);
  Erased("s", {{}, {{crm_mail, Sha256HexOf("4@example.com"), ""}}});
  EXPECT_FALSE(instance().profiles().LookupProfile(external, "4", {}).ok());
  EXPECT_EQ(ImportOne({}, {{email, "4@example.com"}}, {}).outcome, Outcome::kSuppressed);
}

// The hash leads to nobody by itself: whoever has the address is found by hashing.
TEST_P(PrivacyTracesContract, IdentitiesThatTheScanFindsAreInTheJournal) {
  ImportOne({}, {{external, "x"}, {email, "x@example.com"}}, {});
  const PrivacyRequest erased = Erased("r", {{}, {{email_hash, Sha256HexOf("x@example.com"), ""}}});
  EXPECT_EQ(CountIn(erased, "profiles.tombstone"), 2);
  const std::string journal = Journal();
  EXPECT_EQ(std::count(journal.begin(), journal.end(), '\n'), 3);
  const std::string last = journal.substr(journal.rfind("\"hashes\""));
  EXPECT_EQ(std::count(last.begin(), last.begin() + static_cast<int64_t>(last.find(']')), ','), 1);
}

// The follower reads the log while it is cleared.
TEST_P(PrivacyTracesContract, FormerAddressesAreNotBroughtBackByOptOutsThatAreBeingApplied) {
  const ProfileId three = IdOf("3");
  std::vector<Logged> rows;
  for (int64_t i = 1; i <= 3'000; ++i) {
    Logged opted_out{i, absl::StrCat("former", i, "@example.org"), kTrackingOptOut};
    opted_out.profile = three.value;
    rows.push_back(opted_out);
  }
  const auto ack = Append(rows);
  ASSERT_TRUE(ack.ok()) << ack.status();
  Erased("r", WithProfile(three));
  ASSERT_TRUE(instance().WaitFor(ack->position, {}).ok());
  EXPECT_THAT(Bytes(), Not(HasSubstr("@example.org")));
}

}  // namespace
}  // namespace passerelle::storage
