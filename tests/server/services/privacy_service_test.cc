// PrivacyService over the wire.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "passerelle/v1/privacy_service.grpc.pb.h"
#include "passerelle/v1/profile_sync_service.grpc.pb.h"
#include "server/convert/signature.h"
#include "tests/server/services/population.h"

namespace passerelle {
namespace {

using Stub = v1::PrivacyService::Stub;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRequestId[] = "5b0f1f0e-3c58-4b7e-9a4b-0d8a4e5c2f11";

class PrivacyServiceTest : public PopulationTest {
 protected:
  static v1::CreatePrivacyRequestRequest NewRequest(v1::PrivacyRequest::Kind kind,
                                                    const std::string& id) {
    v1::CreatePrivacyRequestRequest request;
    request.set_parent(kInstance);
    request.set_privacy_request_id(id);
    request.mutable_privacy_request()->set_kind(kind);
    return request;
  }
  static v1::CreatePrivacyRequestRequest Erasing(const std::string& id, int person) {
    auto request = NewRequest(v1::PrivacyRequest::KIND_ERASE, id);
    AddIdentity("external_id", std::to_string(person), &request);
    return request;
  }
  static v1::CreatePrivacyRequestRequest Asking(const std::string& id, int person) {
    auto request = Erasing(id, person);
    request.mutable_privacy_request()->set_kind(v1::PrivacyRequest::KIND_ACCESS);
    return request;
  }
  static void AddIdentity(const std::string& ns, const std::string& value,
                          v1::CreatePrivacyRequestRequest* request) {
    v1::Identity* identity = request->mutable_privacy_request()->add_identities();
    identity->set_namespace_(ns);
    identity->set_value(value);
  }

  Answer<v1::PrivacyRequest> Get(const std::string& name) {
    v1::GetPrivacyRequestRequest get;
    get.set_name(name);
    return Call(&Stub::GetPrivacyRequest, get);
  }
  // As it has ended.
  v1::PrivacyRequest Done(const v1::CreatePrivacyRequestRequest& request) {
    const auto made = Call(&Stub::CreatePrivacyRequest, request);
    EXPECT_EQ(Told(made), "OK");
    if (!made.ok()) return {};
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    v1::PrivacyRequest present = made.value;
    while (present.state() == v1::PrivacyRequest::STATE_RUNNING && absl::Now() < give_up) {
      absl::SleepFor(absl::Milliseconds(5));
      present = Get(made->name()).value;
    }
    EXPECT_EQ(present.state(), v1::PrivacyRequest::STATE_SUCCEEDED) << present.failure();
    return present;
  }
  Answer<v1::Profile> Lookup(int person) {
    v1::LookupProfileRequest request;
    request.set_parent(kInstance);
    request.mutable_identity()->set_namespace_("external_id");
    request.mutable_identity()->set_value(std::to_string(person));
    return Call(&v1::ProfileService::Stub::LookupProfile, request);
  }
  struct Downloaded {
    std::string told;
    std::string text;
  };
  Downloaded Download(const std::string& name) {
    v1::DownloadArchiveRequest request;
    request.set_name(name);
    grpc::ClientContext context;
    const auto stub = v1::PrivacyService::NewStub(channel_);
    const auto reader = stub->DownloadArchive(&context, request);
    Downloaded downloaded;
    v1::DownloadArchiveResponse response;
    while (reader->Read(&response)) {
      EXPECT_LE(response.data().size(), 256u * 1024);
      downloaded.text += response.data();
    }
    downloaded.told = Told(reader->Finish());
    return downloaded;
  }
  static std::string NameOf(const std::string& id) {
    return absl::StrCat(kInstance, "/privacyRequests/", id);
  }
};

TEST_F(PrivacyServiceTest, AnErasureTakesOnePersonAndEndsWithAReceiptThatHolds) {
  Populate(3);
  const v1::PrivacyRequest done = Done(Erasing("letter-17", 2));
  EXPECT_EQ(done.name(), NameOf("letter-17"));
  EXPECT_EQ(done.profile(), "");
  EXPECT_EQ(done.identities_size(), 0);
  EXPECT_GT(done.counts_size(), 0);
  EXPECT_TRUE(done.has_create_time() && done.has_end_time());
  const v1::Receipt& receipt = done.receipt();
  EXPECT_TRUE(IsSignatureOf({receipt.signature(), receipt.public_key()}, receipt.statement()));
  EXPECT_FALSE(
      IsSignatureOf({receipt.signature(), receipt.public_key()}, receipt.statement() + " "));
  EXPECT_EQ(receipt.key_id().size(), 8u);
  EXPECT_TRUE(nlohmann::json::accept(receipt.statement())) << receipt.statement();
  EXPECT_THAT(receipt.statement(), HasSubstr("letter-17"));
  EXPECT_EQ(ReasonOf(Lookup(2)), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Lookup(1)), "OK");
  EXPECT_EQ(ReasonOf(Lookup(3)), "OK");
}

TEST_F(PrivacyServiceTest, TheAnswerToAnErasureComesWhenNobodySeesThePersonAnyMore) {
  Populate(2);
  const auto made = Call(&Stub::CreatePrivacyRequest, Erasing("gone", 1));
  EXPECT_EQ(Told(made), "OK");
  EXPECT_EQ(made->kind(), v1::PrivacyRequest::KIND_ERASE);
  EXPECT_NE(made.commit_token, "");
  EXPECT_EQ(ReasonOf(Lookup(1)), "RESOURCE_NOT_FOUND");
}

TEST_F(PrivacyServiceTest, WhoIsErasedIsSuppressedInWhateverComesIn) {
  Populate(2);
  Done(Erasing("gone", 1));
  v1::BatchImportProfilesRequest import;
  import.set_parent(kInstance);
  for (const char* person : {"1", "2"}) {
    (*import.add_rows()->mutable_identities())["external_id"] = person;
  }
  const auto imported = Call(&v1::ProfileService::Stub::BatchImportProfiles, import);
  ASSERT_EQ(Told(imported), "OK");
  EXPECT_EQ(imported->rows(0).outcome(), v1::OUTCOME_SUPPRESSED);
  EXPECT_EQ(imported->rows(1).outcome(), v1::OUTCOME_UNCHANGED);
  v1::BatchPushMembersRequest push;
  push.set_destination(kDestination);
  AddMember(1, &push);
  const auto pushed = Call(&v1::AudienceSyncService::Stub::BatchPushMembers, push);
  ASSERT_EQ(Told(pushed), "OK");
  EXPECT_EQ(pushed->rows(0).outcome(), v1::OUTCOME_SUPPRESSED);
}

TEST_F(PrivacyServiceTest, AProfileIsErasedByItsNameToo) {
  Populate(2);
  const std::string profile = Lookup(2)->name();
  auto request = NewRequest(v1::PrivacyRequest::KIND_ERASE, "by-name");
  request.mutable_privacy_request()->set_profile(profile);
  Done(request);
  EXPECT_EQ(ReasonOf(Lookup(2)), "RESOURCE_NOT_FOUND");
  request.set_privacy_request_id("again");
  const auto again = Call(&Stub::CreatePrivacyRequest, request);
  EXPECT_EQ(ReasonOf(again), "RESOURCE_NOT_FOUND");
  EXPECT_THAT(again.status.error_message(), HasSubstr(profile));
}

TEST_F(PrivacyServiceTest, SomebodyOfWhomNothingIsHeldIsKeptOutFromThenOn) {
  Populate(1);
  Done(Erasing("early", 77));
  v1::BatchImportProfilesRequest import;
  import.set_parent(kInstance);
  (*import.add_rows()->mutable_identities())["external_id"] = "77";
  const auto imported = Call(&v1::ProfileService::Stub::BatchImportProfiles, import);
  EXPECT_EQ(imported->rows(0).outcome(), v1::OUTCOME_SUPPRESSED);
}

TEST_F(PrivacyServiceTest, AnArchiveIsJsonLinesOfEverythingOfOnePerson) {
  Populate(3);
  const v1::PrivacyRequest done = Done(Asking("copy", 2));
  EXPECT_FALSE(done.has_receipt());
  EXPECT_TRUE(done.has_archive_expire_time());
  const Downloaded archive = Download(done.name());
  EXPECT_EQ(archive.told, "OK");
  EXPECT_EQ(static_cast<int64_t>(archive.text.size()), done.archive_bytes());
  std::set<std::string> tables;
  bool first = true;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(archive.text, '\n', absl::SkipEmpty()))) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    ASSERT_TRUE(json.is_object()) << line;
    if (!first) {
      ASSERT_TRUE(json.contains("table") && json["row"].is_object()) << line;
      tables.insert(json["table"].get<std::string>());
    }
    first = false;
  }
  EXPECT_TRUE(tables.count("profiles.identity") == 1);
  EXPECT_THAT(archive.text, HasSubstr("Lyon"));
  EXPECT_EQ(ReasonOf(Lookup(2)), "OK") << "access changes nothing";
}

TEST_F(PrivacyServiceTest, ARequestWithoutArchiveHasNothingToDownload) {
  Populate(1);
  const v1::PrivacyRequest done = Done(Erasing("gone", 1));
  EXPECT_THAT(Download(done.name()).told, HasSubstr("RESOURCE_NOT_FOUND"));
  EXPECT_THAT(Download(NameOf("none")).told, HasSubstr("RESOURCE_NOT_FOUND"));
  EXPECT_THAT(Download("instances/none/privacyRequests/x").told, HasSubstr("RESOURCE_NOT_FOUND"));
  EXPECT_THAT(Download("gone").told, HasSubstr("NAME_INVALID: name"));
}

TEST_F(PrivacyServiceTest, EachMistakeIsNamedByItsFieldAndShowsNoValue) {
  Populate(2);
  const auto told = [&](const v1::CreatePrivacyRequestRequest& request) {
    const std::string text = Told(Call(&Stub::CreatePrivacyRequest, request));
    EXPECT_THAT(text, Not(HasSubstr("ann@example")));
    return text;
  };
  auto request = Erasing("r", 1);
  request.set_parent("default");
  EXPECT_THAT(told(request), HasSubstr("NAME_INVALID: parent"));
  request = Erasing("Letter 17", 1);
  EXPECT_THAT(told(request), HasSubstr("FIELD_INVALID: privacy_request_id"));
  request = Erasing("r", 1);
  request.clear_privacy_request();
  EXPECT_THAT(told(request), HasSubstr("FIELD_REQUIRED: privacy_request"));
  request = NewRequest(v1::PrivacyRequest::KIND_UNSPECIFIED, "r");
  EXPECT_THAT(told(request), HasSubstr("FIELD_REQUIRED: privacy_request.kind"));
  request = NewRequest(static_cast<v1::PrivacyRequest::Kind>(7), "r");
  EXPECT_THAT(told(request), HasSubstr("FIELD_INVALID: privacy_request.kind"));
  request = NewRequest(v1::PrivacyRequest::KIND_ERASE, "r");
  EXPECT_THAT(told(request), HasSubstr("FIELD_REQUIRED: privacy_request.profile"));
  request = Erasing("r", 1);
  request.mutable_privacy_request()->set_profile("instances/default/profiles/1");
  EXPECT_THAT(told(request), HasSubstr("FIELD_INVALID: privacy_request.identities"));
  request = NewRequest(v1::PrivacyRequest::KIND_ERASE, "r");
  request.mutable_privacy_request()->set_profile("instances/other/profiles/1");
  EXPECT_THAT(told(request), HasSubstr("NAME_INVALID: privacy_request.profile"));
  request = Erasing("r", 1);
  AddIdentity("letters", "ann@example.com", &request);
  EXPECT_THAT(told(request),
              HasSubstr("UNKNOWN_NAMESPACE: privacy_request.identities[1].namespace"));
  request = Erasing("r", 1);
  AddIdentity("email", "not ann@example", &request);
  EXPECT_THAT(told(request), HasSubstr("FIELD_INVALID: privacy_request.identities[1].value"));
  request = Erasing("r", 1);
  AddIdentity("external_id", "2", &request);
  EXPECT_THAT(told(request), HasSubstr("FIELD_INVALID: privacy_request.identities: "));
  for (int i = 0; i < 51; ++i) AddIdentity("external_id", std::to_string(i), &request);
  EXPECT_THAT(told(request), HasSubstr("limit 50"));
  request = Erasing("r", 1);
  request.set_request_id("not a uuid");
  EXPECT_THAT(told(request), HasSubstr("FIELD_INVALID: request_id"));
  EXPECT_EQ(ReasonOf(Get(NameOf("r"))), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Lookup(1)), "OK");
}

TEST_F(PrivacyServiceTest, ARepeatedRequestIsAnsweredAgainAndAnotherUnderItsIdRefused) {
  Populate(2);
  auto request = Asking("", 1);
  request.set_request_id(kRequestId);
  const auto first = Call(&Stub::CreatePrivacyRequest, request);
  ASSERT_EQ(Told(first), "OK");
  const auto second = Call(&Stub::CreatePrivacyRequest, request);
  ASSERT_EQ(Told(second), "OK");
  EXPECT_EQ(first->name(), second->name());
  AddIdentity("external_id", "88", &request);
  EXPECT_EQ(ReasonOf(Call(&Stub::CreatePrivacyRequest, request)), "REQUEST_ID_REUSED");
}

TEST_F(PrivacyServiceTest, ACheckAloneErasesNobody) {
  Populate(1);
  auto request = Erasing("r", 1);
  request.set_validate_only(true);
  EXPECT_EQ(Told(Call(&Stub::CreatePrivacyRequest, request)), "OK");
  EXPECT_EQ(ReasonOf(Get(NameOf("r"))), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Lookup(1)), "OK");
}

TEST_F(PrivacyServiceTest, RequestsAreListedInTheirOrderDeletedByEtagAndTheirNamesUsedOnce) {
  Populate(3);
  Done(Asking("b", 1));
  const v1::PrivacyRequest second = Done(Erasing("a", 2));
  EXPECT_EQ(ReasonOf(Call(&Stub::CreatePrivacyRequest, Erasing("a", 3))),
            "RESOURCE_ALREADY_EXISTS");
  v1::ListPrivacyRequestsRequest list;
  list.set_parent(kInstance);
  list.set_page_size(1);
  std::vector<std::string> names;
  do {
    const auto page = Call(&Stub::ListPrivacyRequests, list);
    ASSERT_EQ(Told(page), "OK");
    for (const auto& item : page->privacy_requests()) names.push_back(item.name());
    list.set_page_token(page->next_page_token());
  } while (!list.page_token().empty());
  EXPECT_EQ(names, (std::vector<std::string>{NameOf("b"), NameOf("a")}));
  v1::DeletePrivacyRequestRequest remove;
  remove.set_name(NameOf("a"));
  remove.set_etag("another");
  EXPECT_EQ(ReasonOf(Call(&Stub::DeletePrivacyRequest, remove)), "ETAG_MISMATCH");
  remove.set_etag(second.etag());
  EXPECT_EQ(Told(Call(&Stub::DeletePrivacyRequest, remove)), "OK");
  EXPECT_EQ(ReasonOf(Call(&Stub::DeletePrivacyRequest, remove)), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Get(NameOf("a"))), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Lookup(2)), "RESOURCE_NOT_FOUND") << "what was erased stays so";
}

TEST_F(PrivacyServiceTest, AnArchiveGoesWithItsRequest) {
  Populate(1);
  const v1::PrivacyRequest done = Done(Asking("copy", 1));
  v1::DeletePrivacyRequestRequest remove;
  remove.set_name(done.name());
  EXPECT_EQ(Told(Call(&Stub::DeletePrivacyRequest, remove)), "OK");
  EXPECT_THAT(Download(done.name()).told, HasSubstr("RESOURCE_NOT_FOUND"));
}

TEST_F(PrivacyServiceTest, AnIdThatTheServerChoosesIsANewOneEachTime) {
  Populate(2);
  const auto one = Call(&Stub::CreatePrivacyRequest, Asking("", 1));
  const auto two = Call(&Stub::CreatePrivacyRequest, Asking("", 1));
  ASSERT_EQ(Told(one), "OK");
  EXPECT_NE(one->name(), two->name());
  EXPECT_EQ(ReasonOf(Get(one->name())), "OK");
}

}  // namespace
}  // namespace passerelle
