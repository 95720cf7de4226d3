// After an erasure no byte of the person is in any file of the instance.
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/storage/contract/privacy_fixture.h"

namespace passerelle::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ErasureBytesContract : public PrivacyContractBase {
 protected:
  // Ten people, everything about each of whom begins with the same ten letters.
  static std::string MarkOf(int person) {
    return "mark" + std::string(1, static_cast<char>('a' + person)) + "qzxjvk";
  }
  static std::string MailAddress(int person) { return MarkOf(person) + "@example.com"; }
  // The hash of the address, as it is stored beside it.
  static std::string HashOf(int person) { return Sha256HexOf(MailAddress(person)); }

  void Plant(int person) {
    const std::string mark = MarkOf(person);
    Records records({FieldFor(city)});
    for (int round = 0; round < 3; ++round) {
      records.Add({{external, "id-" + mark},
                   {email, MailAddress(person)},
                   {email_hash, HashOf(person), true},
                   {ecid, "device-" + mark}},
                  {Text(absl::StrCat(mark, " lives here ", round))});
    }
    ASSERT_TRUE(Import(std::move(records)).ok());
    const ProfileId profile = IdOf("id-" + mark);
    ASSERT_TRUE(profile);
    names_[profile.value] = mark;
    Push({{"id-" + mark}});
    const int64_t id = 100 * (person + 1);
    const auto logged = Append(
        {{id, MailAddress(person), 0, "", "reason " + mark, profile.value},
         {id, MailAddress(person), kTrackingClick, "http://x/" + mark},
         {id, "", kTrackingOpen, "http://y/" + mark},
         {id + 1, MailAddress(person), 0, "", mark, 0, kStatusFailed, 1},
         {id + 2, "former-" + mark + "@example.com", 0, "", "", profile.value, kStatusFailed, 1}});
    ASSERT_TRUE(logged.ok()) << logged.status();
    DenylistEntry entry;
    entry.profile = profile;
    entry.channel = "sms";
    entry.reason = "told " + mark;
    ASSERT_TRUE(instance().reach().CreateDenylistEntry(entry).ok());
    ASSERT_TRUE(instance().WaitFor(logged->position, {}).ok());
  }
};
PASSERELLE_CONTRACT(ErasureBytesContract);

TEST_P(ErasureBytesContract, NothingIsLeftOfWhoWasErasedAndAllOfTheOthers) {
  for (int person = 0; person < 10; ++person) Plant(person);
  ASSERT_FALSE(HasFailure());
  Done("copy", PrivacyKind::kAccess, WithMail(MailAddress(3)));
  EXPECT_THAT(Archive("copy"), HasSubstr("former-" + MarkOf(3)));
  const std::string before = Bytes();
  ASSERT_THAT(before, HasSubstr(MarkOf(3)));
  ASSERT_THAT(before, HasSubstr(HashOf(3)));
  Erased("r", WithMail(MailAddress(3)));
  const std::string after = Bytes();
  EXPECT_EQ(after.find(MarkOf(3)), std::string::npos) << "at " << after.find(MarkOf(3));
  EXPECT_THAT(after, Not(HasSubstr(HashOf(3))));
  for (int person = 0; person < 10; ++person) {
    if (person == 3) continue;
    EXPECT_THAT(after, HasSubstr("id-" + MarkOf(person)));
    EXPECT_THAT(after, HasSubstr("http://y/" + MarkOf(person)));
  }
}

TEST_P(ErasureBytesContract, CountsOfThePastStayTrue) {
  for (int person = 0; person < 4; ++person) Plant(person);
  const AudienceMoment then = Now();
  const auto before = instance().audiences().CountMembers(then, {}, {});
  const auto report_before = instance().logs().Report({"summer"}, {});
  ASSERT_TRUE(before.ok() && report_before.ok());
  Erased("r", WithMail(MailAddress(2)));
  const auto report = instance().logs().Report({"summer"}, {});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->sent, report_before->sent);
  EXPECT_EQ(report->failed, report_before->failed);
  EXPECT_EQ(report->total_clicks, report_before->total_clicks);
  EXPECT_EQ(report->distinct_opens, report_before->distinct_opens);
  EXPECT_EQ(report->log_rows, report_before->log_rows);
  EXPECT_EQ(Log().size(), 20u);
  const auto present = instance().audiences().CountMembers(Now(), {}, {});
  ASSERT_TRUE(present.ok());
  EXPECT_EQ(present->members, before->members - 1);
}

// Rows in random order, so that pages are split and rebuilt while they hold rows of goners.
class RebuiltPagesContract : public ErasureBytesContract {
 protected:
  void SetUp() override {
    options_.backup_directory = backups_.path() + "/sets";
    ErasureBytesContract::SetUp();
    Fill();
  }
  // Every other one of the people is a goner.
  void Fill() {
    for (int round = 0; round < 4; ++round) {
      Records records({FieldFor(city)});
      for (int i = 0; i < 600; ++i) {
        const int number = (i * 7'919 + round * 37) % 2'000;
        const std::string name = absl::StrCat(number % 2 == 1 ? "gonewithit" : "person", number);
        records.Add({{external, name}, {email, name + "@example.com"}},
                    {Text(name + std::string(static_cast<size_t>(i * 31 % 300), '.'))});
      }
      ASSERT_TRUE(Import(std::move(records)).ok());
    }
  }
  void DeleteGoners() {
    for (int number = 1; number < 2'000; number += 2) {
      const auto profile =
          instance().profiles().LookupProfile(external, absl::StrCat("gonewithit", number), {});
      if (!profile.ok()) continue;
      ASSERT_TRUE(
          instance().profiles().DeleteProfile(IdOf(absl::StrCat("gonewithit", number)), {}).ok());
    }
    Settle();
  }
  void Close() {
    instance_.reset();
    store_.reset();
  }
  static std::string BytesBelow(const std::string& folder) {
    std::ostringstream bytes;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    }
    return bytes.str();
  }

  TempDirectory backups_;
};
PASSERELLE_CONTRACT(RebuiltPagesContract);

// What is zeroed is the file as a whole, so that one erasure is enough.
TEST_P(RebuiltPagesContract, NothingIsLeftInThemAfterAnErasure) {
  DeleteGoners();
  Close();
  ASSERT_NE(Bytes().find("gonewithit"), std::string::npos) << "nothing to zero, nothing shown";
  Open();
  Erased("r", WithMail("person2@example.com"));
  EXPECT_EQ(Bytes().find("gonewithit"), std::string::npos);
  EXPECT_EQ(Bytes().find("person2@"), std::string::npos);
  EXPECT_NE(Bytes().find("person"), std::string::npos);
}

// It may have copied pages before an erasure zeroed them.
TEST_P(RebuiltPagesContract, ABackupHoldsNothingBetweenItsRows) {
  DeleteGoners();
  const auto run = store().StartBackup({"after", ""}, [] {});
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_TRUE(Becomes([&] { return (*run)->ended(); }));
  ASSERT_TRUE((*run)->result().ok()) << (*run)->result().status();
  Close();
  ASSERT_NE(Bytes().find("gonewithit"), std::string::npos) << "nothing to zero, nothing shown";
  const std::string copied = BytesBelow(options_.backup_directory);
  EXPECT_EQ(copied.find("gonewithit"), std::string::npos);
  EXPECT_NE(copied.find("person"), std::string::npos);
}

}  // namespace
}  // namespace passerelle::storage
