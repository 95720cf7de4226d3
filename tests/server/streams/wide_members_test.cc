// Members whose attributes are as large as they can be: every message still fits what clients take.
#include <map>

#include "passerelle/v1/audit_service.grpc.pb.h"
#include "tests/server/streams/stream_server.h"

namespace passerelle {
namespace {

constexpr int kWideAttributes = 28;   // of 8 KiB each: 224 KiB a member
constexpr int kAttributesAtOnce = 7;  // a row holds 64 KiB at most
constexpr int kNarrow = 100;          // people with short values, who come first
constexpr int kPeople = 150;          // the others have wide ones: 11 MiB
constexpr std::size_t kWideBytes = 8'192;
constexpr std::size_t kNarrowBytes = 10;
constexpr std::size_t kClientLimit = 4 * 1024 * 1024;

class WideMembers : public StreamServer {
 protected:
  WideMembers() {
    for (int i = 0; i < kWideAttributes; ++i) {
      CreateAttribute("wide" + std::to_string(i), v1::ATTRIBUTE_TYPE_STRING);
    }
    v1::CreateDestinationRequest request;
    request.set_parent(kInstance);
    request.set_destination_id("push");
    request.mutable_destination()->set_sync_type(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
    request.mutable_destination()->add_audiences()->set_source_id("vip");
    v1::Destination response;
    const auto status =
        Stub<v1::DestinationService>()->CreateDestination(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  // Gives people [first, last) values of `bytes` bytes.
  void Import(int first, int last, std::size_t bytes) {
    const auto stub = Stub<v1::ProfileService>();
    for (int from = 0; from < kWideAttributes; from += kAttributesAtOnce) {
      v1::BatchImportProfilesRequest request;
      request.set_parent(kInstance);
      for (int person = first; person < last; ++person) {
        v1::ProfileRow* row = request.add_rows();
        (*row->mutable_identities())["external_id"] = std::to_string(person);
        for (int i = from; i < from + kAttributesAtOnce; ++i) {
          const std::string id = "wide" + std::to_string(i);
          const char letter = static_cast<char>('a' + (person + i) % 26);
          (*row->mutable_fields())[id].set_string_value(std::string(bytes, letter));
        }
      }
      v1::BatchResult result;
      const auto status = stub->BatchImportProfiles(Context().get(), request, &result);
      ASSERT_TRUE(status.ok()) << status.error_message();
    }
  }
  void ImportAll() {
    Import(0, kNarrow, kNarrowBytes);
    Import(kNarrow, kPeople, kWideBytes);
  }
  void Push() {
    v1::BatchPushMembersRequest request;
    request.set_destination("instances/default/destinations/push");
    for (int person = 0; person < kPeople; ++person) {
      v1::MembershipRow* row = request.add_rows();
      (*row->mutable_profile()->mutable_identities())["external_id"] = std::to_string(person);
      row->set_audience("vip");
    }
    v1::BatchResult result;
    const auto status =
        Stub<v1::AudienceSyncService>()->BatchPushMembers(Context().get(), request, &result);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  struct Streamed {
    std::map<std::string, std::size_t> bytes;  // of a member's values, by external_id
    std::size_t largest = 0;                   // message
    v1::StreamMembersResponse::Trailer trailer;
    grpc::Status status;
  };
  Streamed Stream(const std::string& since) {
    v1::StreamMembersRequest request;
    request.set_audience("instances/default/audiences/vip");
    request.mutable_reach()->set_channel("email");
    for (int i = 0; i < kWideAttributes; ++i) request.add_attributes("wide" + std::to_string(i));
    request.set_since_token(since);
    request.set_max_batch_members(10'000);
    const auto context = Context();
    const auto stub = Stub<v1::ActivationService>();
    const auto stream = stub->StreamMembers(context.get(), request);
    Streamed out;
    v1::StreamMembersResponse message;
    while (stream->Read(&message)) {
      out.largest = std::max(out.largest, message.ByteSizeLong());
      if (message.has_trailer()) out.trailer = message.trailer();
      if (message.has_batch()) Take(message.batch(), &out);
    }
    out.status = stream->Finish();
    return out;
  }
  static void Take(const v1::StreamMembersResponse::Batch& batch, Streamed* out) {
    for (int i = 0; i < batch.records(); ++i) {
      std::size_t bytes = 0;
      for (const v1::Column& column : batch.columns()) bytes += column.texts(i).size();
      const std::string& id = batch.identities(0).texts(i);
      EXPECT_TRUE(out->bytes.emplace(id, bytes).second) << id << " comes twice";
    }
  }
  // What the audit trail says of the stream that ended last.
  int64_t ExportedRows() {
    v1::ListAuditEntriesRequest request;
    request.set_parent(kInstance);
    request.set_method("ActivationService/StreamMembers");
    v1::ListAuditEntriesResponse page;
    const auto status = Stub<v1::AuditService>()->ListAuditEntries(Context().get(), request, &page);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return page.entries().empty() ? -1 : page.entries().rbegin()->exported_rows();
  }
  static void ExpectAll(const Streamed& streamed) {
    EXPECT_EQ(streamed.bytes.size(), std::size_t{kPeople});
    for (const auto& [id, bytes] : streamed.bytes) {
      const std::size_t each = std::stoi(id) < kNarrow ? kNarrowBytes : kWideBytes;
      EXPECT_EQ(bytes, kWideAttributes * each) << id;
    }
  }
};

TEST_F(WideMembers, AFullStreamOfThemStaysBelowWhatClientsTake) {
  ImportAll();
  Push();
  const Streamed full = Stream("");
  ASSERT_TRUE(full.status.ok()) << full.status.error_message();
  EXPECT_LT(full.largest, kClientLimit);
  EXPECT_EQ(full.trailer.streamed(), kPeople);
  ExpectAll(full);
}

// The page that suited the small members does not suit the large ones after them: it is read again
// in halves.
TEST_F(WideMembers, AnIncrementalOfThemIsReadAgainInSmallerPagesAndLosesAndDoublesNobody) {
  ImportAll();
  const Streamed none = Stream("");
  ASSERT_TRUE(none.status.ok()) << none.status.error_message();
  Push();
  const Streamed entered = Stream(none.trailer.end_token());
  ASSERT_TRUE(entered.status.ok()) << entered.status.error_message();
  EXPECT_LT(entered.largest, kClientLimit);
  EXPECT_EQ(entered.trailer.streamed(), kPeople);
  EXPECT_EQ(entered.trailer.members(), kPeople);
  EXPECT_EQ(ExportedRows(), kPeople);
  ExpectAll(entered);
  EXPECT_EQ(Stream(entered.trailer.end_token()).trailer.streamed(), 0);
}

// The first page is taken before anybody knows how large a member is.
TEST_F(WideMembers, AnIncrementalThatBeginsWithThemIsReadAgainToo) {
  ImportAll();
  Push();
  const Streamed full = Stream("");
  Import(kNarrow, kPeople, kWideBytes - 1);
  const Streamed updated = Stream(full.trailer.end_token());
  ASSERT_TRUE(updated.status.ok()) << updated.status.error_message();
  EXPECT_LT(updated.largest, kClientLimit);
  EXPECT_EQ(updated.bytes.size(), std::size_t{kPeople - kNarrow});
  for (const auto& [id, bytes] : updated.bytes) {
    EXPECT_EQ(bytes, kWideAttributes * (kWideBytes - 1)) << id;
  }
}

}  // namespace
}  // namespace passerelle
