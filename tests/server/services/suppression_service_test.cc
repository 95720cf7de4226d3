// SuppressionService and ExplainProfile over the wire.
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "passerelle/v1/activation_service.grpc.pb.h"
#include "passerelle/v1/audience_service.grpc.pb.h"
#include "passerelle/v1/log_service.grpc.pb.h"
#include "passerelle/v1/suppression_service.grpc.pb.h"
#include "tests/server/services/population.h"

namespace passerelle {
namespace {

using Stub = v1::SuppressionService::Stub;
using ::testing::HasSubstr;

class SuppressionServiceTest : public PopulationTest {
 protected:
  static constexpr char kAudience[] = "instances/default/audiences/vip";

  // People 1 to n with the addresses n@example.com.
  void PopulateWithAddresses(int people) {
    Populate(people);
    v1::BatchImportProfilesRequest import;
    import.set_parent(kInstance);
    for (int i = 1; i <= people; ++i) {
      v1::ProfileRow* row = import.add_rows();
      (*row->mutable_identities())["external_id"] = std::to_string(i);
      (*row->mutable_identities())["email"] = absl::StrCat(i, "@example.com");
    }
    EXPECT_EQ(Told(Call(&v1::ProfileService::Stub::BatchImportProfiles, import)), "OK");
  }

  static v1::SuppressionRow* AddRow(const std::string& ns, const std::string& value,
                                    v1::ImportSuppressionsRequest* request) {
    v1::SuppressionRow* row = request->add_rows();
    row->mutable_identity()->set_namespace_(ns);
    row->mutable_identity()->set_value(value);
    row->set_channel("email");
    return row;
  }
  static v1::ImportSuppressionsRequest NewImport() {
    v1::ImportSuppressionsRequest request;
    request.set_parent(kInstance);
    return request;
  }
  std::vector<v1::Suppression> Listed() {
    v1::ListSuppressionsRequest request;
    request.set_parent(kInstance);
    request.set_page_size(1);
    std::vector<v1::Suppression> all;
    do {
      const auto page = Call(&Stub::ListSuppressions, request);
      EXPECT_EQ(Told(page), "OK");
      if (!page.ok()) break;
      all.insert(all.end(), page->suppressions().begin(), page->suppressions().end());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return all;
  }
  std::string NameOf(int person) {
    v1::LookupProfileRequest request;
    request.set_parent(kInstance);
    request.mutable_identity()->set_namespace_("external_id");
    request.mutable_identity()->set_value(std::to_string(person));
    return Call(&v1::ProfileService::Stub::LookupProfile, request)->name();
  }

  // "NAME=members" by reason, and who is streamed.
  struct Output {
    std::set<std::string> people;
    std::map<std::string, int64_t> excluded;
  };
  Output Stream(const std::string& token = "") {
    v1::StreamMembersRequest request;
    request.set_audience(kAudience);
    request.mutable_reach()->set_channel("email");
    request.set_commit_token(token);
    grpc::ClientContext context;
    const auto stub = v1::ActivationService::NewStub(channel_);
    const auto reader = stub->StreamMembers(&context, request);
    Output output;
    v1::StreamMembersResponse response;
    while (reader->Read(&response)) {
      for (const std::string& id : response.batch().identities_size() == 0
                                       ? google::protobuf::RepeatedPtrField<std::string>()
                                       : response.batch().identities(0).texts()) {
        output.people.insert(id);
      }
      for (const auto& excluded : response.trailer().excluded()) {
        output.excluded[v1::ExclusionReason_Name(excluded.reason())] = excluded.members();
      }
    }
    EXPECT_EQ(Told(reader->Finish()), "OK");
    return output;
  }
};

TEST_F(SuppressionServiceTest, AddressesInAnySpellingAreLeftOutAndOnlyHashesAreListed) {
  PopulateWithAddresses(4);
  auto request = NewImport();
  AddRow("email", "  2@EXAMPLE.com ", &request)->set_reason("letter");
  AddRow("email_sha256", "5E0EFBF9C9F0D8B3B6B2E7A9C1D4F6A8B0C2D4E6F8A0B2C4D6E8F0A1B3C5D7E9",
         &request);
  const auto imported = Call(&Stub::ImportSuppressions, request);
  ASSERT_EQ(Told(imported), "OK");
  EXPECT_EQ(imported->rows_size(), 0);
  EXPECT_EQ(imported->counts(0).outcome(), v1::OUTCOME_CREATED);
  EXPECT_EQ(imported->counts(0).rows(), 2);
  const Output output = Stream(imported->commit_token());
  EXPECT_EQ(output.people, (std::set<std::string>{"1", "3", "4"}));
  EXPECT_EQ(output.excluded, (std::map<std::string, int64_t>{{"EXCLUSION_REASON_SUPPRESSED", 1}}));
  const auto listed = Listed();
  ASSERT_EQ(listed.size(), 2u);
  for (const v1::Suppression& entry : listed) {
    EXPECT_EQ(entry.address_hash().key_id().size(), 8u);
    EXPECT_EQ(entry.address_hash().hash().size(), 64u);
    EXPECT_EQ(entry.channel(), "email");
    EXPECT_TRUE(entry.has_create_time());
  }
}

TEST_F(SuppressionServiceTest, RowsThatAreWrongAreRefusedOneByOne) {
  PopulateWithAddresses(1);
  auto request = NewImport();
  AddRow("email", "no address", &request);
  AddRow("letters", "x", &request);
  AddRow("email", "1@example.com", &request)->set_channel("E-Mail");
  request.add_rows();
  request.add_rows()->mutable_address_hash()->set_key_id("xyz");
  request.add_rows()->mutable_address_hash()->set_key_id("0123abcd");
  auto* unknown = request.add_rows()->mutable_address_hash();
  unknown->set_key_id("00000000");
  unknown->set_hash(std::string(64, 'a'));
  AddRow("email", "1@example.com", &request);
  const auto imported = Call(&Stub::ImportSuppressions, request);
  ASSERT_EQ(Told(imported), "OK");
  std::vector<std::string> refused;
  for (const v1::RowOutcome& row : imported->rows()) {
    refused.push_back(
        absl::StrCat(row.offset(), " ", v1::RowReason_Name(row.reason()), " ", row.field()));
  }
  EXPECT_THAT(refused, testing::ElementsAre("0 ROW_REASON_MALFORMED_EMAIL identity.value",
                                            "1 ROW_REASON_UNKNOWN_NAMESPACE identity.namespace",
                                            "2 ROW_REASON_FIELD_INVALID channel",
                                            "3 ROW_REASON_IDENTITY_MISSING identity",
                                            "4 ROW_REASON_FIELD_INVALID address_hash.key_id",
                                            "5 ROW_REASON_MALFORMED_HASH address_hash.hash",
                                            "6 ROW_REASON_UNKNOWN_NAMESPACE address_hash.key_id"));
  EXPECT_EQ(Listed().size(), 1u);
}

TEST_F(SuppressionServiceTest, MoreRowsThanTheLimitAreRefusedAsAWhole) {
  auto request = NewImport();
  for (int i = 0; i <= 10'000; ++i) AddRow("email", "1@example.com", &request);
  EXPECT_THAT(Told(Call(&Stub::ImportSuppressions, request)),
              HasSubstr("FIELD_INVALID: rows: 10001 rows, limit 10000"));
}

TEST_F(SuppressionServiceTest, AnExportIsTakenInAndAListIsEmptiedByIt) {
  PopulateWithAddresses(3);
  auto request = NewImport();
  AddRow("email", "1@example.com", &request)->set_reason("why");
  ASSERT_EQ(Told(Call(&Stub::ImportSuppressions, request)), "OK");
  const v1::Suppression entry = Listed().at(0);
  v1::DeleteSuppressionsRequest remove;
  remove.set_parent(kInstance);
  v1::SuppressionRow* row = remove.add_rows();
  *row->mutable_address_hash() = entry.address_hash();
  row->set_channel(entry.channel());
  const auto removed = Call(&Stub::DeleteSuppressions, remove);
  ASSERT_EQ(Told(removed), "OK");
  EXPECT_EQ(removed->counts(0).outcome(), v1::OUTCOME_UPDATED);
  EXPECT_EQ(Stream(removed->commit_token()).people.size(), 3u);
  auto again = NewImport();
  *again.add_rows() = *row;
  again.mutable_rows(0)->set_reason("why");
  *again.mutable_rows(0)->mutable_create_time() = entry.create_time();
  const auto imported = Call(&Stub::ImportSuppressions, again);
  EXPECT_EQ(Stream(imported->commit_token()).people, (std::set<std::string>{"2", "3"}));
  EXPECT_EQ(Listed().at(0).SerializeAsString(), entry.SerializeAsString());
}

TEST_F(SuppressionServiceTest, ABounceIsListedAndReleased) {
  PopulateWithAddresses(2);
  v1::CreateDeliveryRequest delivery;
  delivery.set_parent(kInstance);
  delivery.set_delivery_id("summer");
  delivery.mutable_delivery()->set_channel("email");
  ASSERT_EQ(Told(Call(&v1::LogService::Stub::CreateDelivery, delivery)), "OK");
  v1::BatchAppendLogsRequest append;
  append.set_parent(kInstance);
  v1::LogEntry* entry = append.add_rows();
  entry->set_kind(v1::LOG_KIND_DELIVERY);
  entry->set_delivery("summer");
  entry->set_broadlog_id(1);
  entry->set_status(v1::DELIVERY_STATUS_FAILED);
  entry->set_failure_type(v1::FAILURE_TYPE_HARD);
  entry->set_failure_reason(1);
  entry->set_identity_namespace("email");
  entry->set_identity("1@example.com");
  const auto appended = Call(&v1::LogService::Stub::BatchAppendLogs, append);
  ASSERT_EQ(Told(appended), "OK");
  const Output output = Stream(appended->commit_token());
  EXPECT_EQ(output.people, std::set<std::string>{"2"});
  EXPECT_EQ(output.excluded.at("EXCLUSION_REASON_QUARANTINED"), 1);
  v1::ListQuarantinedAddressesRequest list;
  list.set_parent(kInstance);
  const auto listed = Call(&Stub::ListQuarantinedAddresses, list);
  ASSERT_EQ(listed->addresses_size(), 1);
  EXPECT_EQ(listed->addresses(0).identity().value(), "1@example.com");
  EXPECT_EQ(listed->addresses(0).failure_type(), v1::FAILURE_TYPE_HARD);
  v1::ReleaseQuarantinedAddressRequest release;
  release.set_parent(kInstance);
  release.mutable_identity()->set_namespace_("email");
  release.mutable_identity()->set_value("1@EXAMPLE.com");
  release.set_channel("email");
  const auto released = Call(&Stub::ReleaseQuarantinedAddress, release);
  ASSERT_EQ(Told(released), "OK");
  EXPECT_EQ(Stream(released.commit_token).people.size(), 2u);
  const std::string refused = Told(Call(&Stub::ReleaseQuarantinedAddress, release));
  EXPECT_THAT(refused, HasSubstr("RESOURCE_NOT_FOUND"));
  EXPECT_THAT(refused, testing::Not(HasSubstr("example")));
}

TEST_F(SuppressionServiceTest, ADeniedProfileIsToldWithItsReasons) {
  PopulateWithAddresses(2);
  OptOut(1);
  v1::CreateDenylistEntryRequest create;
  create.set_parent(kInstance);
  create.mutable_denylist_entry()->set_profile(NameOf(1));
  create.mutable_denylist_entry()->set_reason("by phone");
  const auto made = Call(&Stub::CreateDenylistEntry, create);
  ASSERT_EQ(Told(made), "OK");
  EXPECT_EQ(ReasonOf(Call(&Stub::CreateDenylistEntry, create)), "RESOURCE_ALREADY_EXISTS");
  v1::ListDenylistEntriesRequest list;
  list.set_parent(kInstance);
  EXPECT_EQ(Call(&Stub::ListDenylistEntries, list)->denylist_entries_size(), 1);
  v1::ExplainProfileRequest explain;
  explain.set_parent(kInstance);
  explain.mutable_identity()->set_namespace_("email");
  explain.mutable_identity()->set_value("1@example.com");
  explain.set_commit_token(made.commit_token);
  const auto told = Call(&v1::ProfileService::Stub::ExplainProfile, explain);
  ASSERT_EQ(Told(told), "OK");
  EXPECT_EQ(told->profile().name(), NameOf(1));
  ASSERT_EQ(told->memberships_size(), 1);
  EXPECT_EQ(told->memberships(0).audience(), kAudience);
  EXPECT_EQ(told->memberships(0).status(), v1::MEMBERSHIP_STATUS_REALIZED);
  ASSERT_EQ(told->consents_size(), 1);
  EXPECT_TRUE(told->consents(0).has_value());
  EXPECT_FALSE(told->consents(0).value());
  EXPECT_TRUE(told->consents(0).has_time());
  EXPECT_EQ(told->consents(0).source(), "import");
  ASSERT_EQ(told->reachability_size(), 1);
  ASSERT_EQ(told->reachability(0).blocks_size(), 2);
  EXPECT_EQ(told->reachability(0).blocks(0).reason(), v1::EXCLUSION_REASON_OPTED_OUT);
  EXPECT_EQ(told->reachability(0).blocks(0).detail(), "news");
  EXPECT_EQ(told->reachability(0).blocks(1).reason(), v1::EXCLUSION_REASON_DENYLISTED);
  EXPECT_EQ(told->reachability(0).blocks(1).detail(), "by phone");
  EXPECT_TRUE(told->reachability(0).blocks(1).every_channel());
  ASSERT_EQ(told->destinations_size(), 1);
  EXPECT_FALSE(told->destinations(0).recorded());
  v1::DeleteDenylistEntryRequest remove;
  remove.set_profile(NameOf(1));
  EXPECT_EQ(Told(Call(&Stub::DeleteDenylistEntry, remove)), "OK");
  EXPECT_EQ(ReasonOf(Call(&Stub::DeleteDenylistEntry, remove)), "RESOURCE_NOT_FOUND");
}

TEST_F(SuppressionServiceTest, WhoIsNotThereIsNotExplained) {
  v1::ExplainProfileRequest explain;
  explain.set_parent(kInstance);
  EXPECT_EQ(ReasonOf(Call(&v1::ProfileService::Stub::ExplainProfile, explain)), "FIELD_REQUIRED");
  explain.set_profile("instances/other/profiles/1");
  EXPECT_EQ(ReasonOf(Call(&v1::ProfileService::Stub::ExplainProfile, explain)), "NAME_INVALID");
  explain.set_profile("instances/default/profiles/1");
  EXPECT_EQ(ReasonOf(Call(&v1::ProfileService::Stub::ExplainProfile, explain)),
            "RESOURCE_NOT_FOUND");
  explain.mutable_identity()->set_namespace_("email");
  explain.mutable_identity()->set_value("nobody@example.com");
  const std::string told = Told(Call(&v1::ProfileService::Stub::ExplainProfile, explain));
  EXPECT_THAT(told, HasSubstr("RESOURCE_NOT_FOUND"));
  EXPECT_THAT(told, testing::Not(HasSubstr("nobody@")));
}

}  // namespace
}  // namespace passerelle
