#include <gmock/gmock.h>

#include "passerelle/v1/profile_service.grpc.pb.h"
#include "passerelle/v1/stream_service.grpc.pb.h"
#include "tests/server/services/population.h"

namespace passerelle {
namespace {

using Stub = v1::ProfileService::Stub;

class ProfileServiceTest : public PopulationTest {
 protected:
  Answer<v1::Profile> Get(const std::string& id, const std::string& token = "") {
    v1::GetProfileRequest request;
    request.set_name(std::string(kInstance) + "/profiles/" + id);
    request.set_commit_token(token);
    return Call(&Stub::GetProfile, request);
  }
  // Of the ledger as it is streamed; -1 after them if the call failed.
  std::vector<int64_t> StreamedOffsets(const std::string& stream, int64_t start_offset) {
    v1::StreamRowOutcomesRequest request;
    request.set_parent(stream);
    request.set_start_offset(start_offset);
    request.mutable_filter()->add_reasons(v1::ROW_REASON_MALFORMED_EMAIL);
    grpc::ClientContext context;
    const auto stub = v1::StreamService::NewStub(channel_);
    const auto reader = stub->StreamRowOutcomes(&context, request);
    std::vector<int64_t> offsets;
    v1::StreamRowOutcomesResponse response;
    while (reader->Read(&response)) {
      for (const auto& row : response.rows()) offsets.push_back(row.offset());
      EXPECT_GE(response.next_start_offset(), offsets.empty() ? 0 : offsets.back() + 1);
    }
    if (!reader->Finish().ok()) offsets.push_back(-1);
    return offsets;
  }
  Answer<v1::Profile> Lookup(const std::string& ns, const std::string& value) {
    v1::LookupProfileRequest request;
    request.set_parent(kInstance);
    request.mutable_identity()->set_namespace_(ns);
    request.mutable_identity()->set_value(value);
    return Call(&Stub::LookupProfile, request);
  }
};

TEST_F(ProfileServiceTest, AProfileIsFoundByNameAndByIdentityAndShownReadably) {
  MakeSchema();
  const std::string token = Import(2);
  const auto found = Lookup("external_id", "2");
  ASSERT_TRUE(found.ok()) << Told(found);
  EXPECT_TRUE(found->known());
  EXPECT_EQ(found->attributes().at("city").string_value(), "Lyon");
  ASSERT_EQ(found->identities_size(), 1);
  EXPECT_EQ(found->identities(0).value(), "2");
  const std::string id = found->name().substr(found->name().rfind('/') + 1);
  EXPECT_EQ(Get(id, token)->name(), found->name());
  EXPECT_EQ(ReasonOf(Get("0")), "NAME_INVALID");
  EXPECT_EQ(ReasonOf(Get("999")), "RESOURCE_NOT_FOUND");
}

TEST_F(ProfileServiceTest, LookUpsAreNormalisedAndNeverTellTheValueTheyMissed) {
  v1::BatchImportProfilesRequest import;
  import.set_parent(kInstance);
  (*import.add_rows()->mutable_identities())["email"] = "Ada@Example.com";
  ASSERT_EQ(Told(Call(&Stub::BatchImportProfiles, import)), "OK");
  EXPECT_EQ(Told(Lookup("email", " ADA@example.COM ")), "OK");
  EXPECT_EQ(Told(Lookup("email", "bob@example.com")),
            "RESOURCE_NOT_FOUND: identity in namespace email: not found");
  EXPECT_EQ(ReasonOf(Lookup("email", "no address")), "FIELD_INVALID");
  EXPECT_EQ(Told(Lookup("crm", "1")),
            "UNKNOWN_NAMESPACE: identity.namespace: unknown namespace 'crm'");
  EXPECT_EQ(Told(Lookup("email", "")), "FIELD_REQUIRED: identity.value: is required");
}

TEST_F(ProfileServiceTest, ABatchTellsWhoIsMissing) {
  MakeSchema();
  Import(2);
  const std::string one = Lookup("external_id", "1")->name();
  const std::string two = Lookup("external_id", "2")->name();
  v1::BatchGetProfilesRequest request;
  request.set_parent(kInstance);
  EXPECT_EQ(Told(Call(&Stub::BatchGetProfiles, request)), "FIELD_REQUIRED: names: is required");
  for (const auto& name : {two, std::string("instances/default/profiles/99"), one}) {
    request.add_names(name);
  }
  const auto batch = Call(&Stub::BatchGetProfiles, request);
  ASSERT_EQ(batch->profiles_size(), 2) << Told(batch);
  EXPECT_EQ(batch->profiles(0).name(), two);
  EXPECT_EQ(batch->profiles(1).name(), one);
  ASSERT_EQ(batch->missing_size(), 1);
  EXPECT_EQ(batch->missing(0), "instances/default/profiles/99");
  request.add_names("instances/other/profiles/1");
  EXPECT_EQ(Told(Call(&Stub::BatchGetProfiles, request)),
            "NAME_INVALID: names[3]: got one of instances/other, wanted one of instances/default");
}

TEST_F(ProfileServiceTest, PagesHoldEveryProfileOnceAndADeletedOneIsGone) {
  MakeSchema();
  Import(5);
  v1::DeleteProfileRequest remove;
  remove.set_name(Lookup("external_id", "3")->name());
  EXPECT_EQ(Told(Call(&Stub::DeleteProfile, remove)), "OK");
  EXPECT_EQ(ReasonOf(Call(&Stub::DeleteProfile, remove)), "RESOURCE_NOT_FOUND");
  v1::ListProfilesRequest list;
  list.set_parent(kInstance);
  list.set_page_size(2);
  std::string seen;
  do {
    const auto page = Call(&Stub::ListProfiles, list);
    ASSERT_TRUE(page.ok()) << Told(page);
    for (const auto& profile : page->profiles()) seen += profile.identities(0).value() + " ";
    list.set_page_token(page->next_page_token());
  } while (!list.page_token().empty());
  EXPECT_EQ(seen, "1 2 4 5 ");
}

TEST_F(ProfileServiceTest, AWriteStreamIsListedWithItsOutcomesAndForgottenWhenDeleted) {
  MakeSchema();
  {
    const auto stub = v1::ProfileService::NewStub(channel_);
    grpc::ClientContext context;
    auto stream = stub->ImportProfiles(&context);
    v1::ImportProfilesRequest message;
    message.mutable_open()->set_parent(kInstance);
    message.mutable_open()->mutable_stream()->set_stream("nightly");
    message.mutable_open()->add_identity_namespaces("email");
    stream->Write(message);
    auto* batch = message.mutable_batch();
    batch->set_records(3);
    for (const char* email : {"ada@example.com", "nobody", "nothing"}) {
      if (batch->identities().empty()) batch->add_identities();
      batch->mutable_identities(0)->add_texts(email);
    }
    stream->Write(message);
    message.mutable_finish()->set_total_records(3);
    stream->Write(message);
    stream->WritesDone();
    v1::ImportProfilesResponse response;
    while (stream->Read(&response)) continue;
    ASSERT_EQ(Told(stream->Finish()), "OK");
  }
  v1::GetWriteStreamRequest get;
  get.set_name("instances/default/writeStreams/nightly");
  const auto found = Call(&v1::StreamService::Stub::GetWriteStream, get);
  ASSERT_TRUE(found.ok()) << Told(found);
  EXPECT_EQ(found->kind(), v1::WriteStream::KIND_IMPORT_PROFILES);
  EXPECT_EQ(found->target(), kInstance);
  EXPECT_EQ(found->next_offset(), 3);
  EXPECT_TRUE(found->finished());
  v1::ListWriteStreamsRequest list;
  list.set_parent(kInstance);
  EXPECT_EQ(Call(&v1::StreamService::Stub::ListWriteStreams, list)->write_streams_size(), 1);
  v1::ListRowOutcomesRequest outcomes;
  outcomes.set_parent(get.name());
  outcomes.set_page_size(1);
  const auto first = Call(&v1::StreamService::Stub::ListRowOutcomes, outcomes);
  ASSERT_EQ(first->rows_size(), 1) << Told(first);
  EXPECT_EQ(first->rows(0).offset(), 1);
  EXPECT_EQ(first->rows(0).reason(), v1::ROW_REASON_MALFORMED_EMAIL);
  outcomes.set_page_token(first->next_page_token());
  const auto second = Call(&v1::StreamService::Stub::ListRowOutcomes, outcomes);
  ASSERT_EQ(second->rows_size(), 1) << Told(second);
  EXPECT_EQ(second->rows(0).offset(), 2);
  EXPECT_EQ(second->next_page_token(), "");
  outcomes.clear_page_token();
  outcomes.mutable_filter()->add_outcomes(v1::OUTCOME_CREATED);
  EXPECT_EQ(Call(&v1::StreamService::Stub::ListRowOutcomes, outcomes)->rows_size(), 0);
  outcomes.mutable_filter()->set_outcomes(0, v1::OUTCOME_UNSPECIFIED);
  EXPECT_THAT(Told(Call(&v1::StreamService::Stub::ListRowOutcomes, outcomes)),
              testing::HasSubstr("FIELD_INVALID: filter.outcomes[0]"));
  EXPECT_EQ(StreamedOffsets(get.name(), 0), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(StreamedOffsets(get.name(), 2), std::vector<int64_t>{2});
  v1::DeleteWriteStreamRequest remove;
  remove.set_name(get.name());
  EXPECT_EQ(Told(Call(&v1::StreamService::Stub::DeleteWriteStream, remove)), "OK");
  EXPECT_EQ(ReasonOf(Call(&v1::StreamService::Stub::GetWriteStream, get)), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Call(&v1::StreamService::Stub::ListRowOutcomes, outcomes)),
            "RESOURCE_NOT_FOUND");
}

}  // namespace
}  // namespace passerelle
