#include <optional>

#include "tests/server/services/population.h"

namespace passerelle {
namespace {

// One call of PushMembers that replaces audience vip.
class ReplaceTest : public PopulationTest {
 protected:
  // Sends `ids` unless the stream has them already, then finishes it; how the call ended.
  grpc::Status Replace(const std::vector<std::string>& ids, std::optional<double> percent) {
    v1::AudienceSyncService::Stub stub(channel_);
    grpc::ClientContext context;
    const auto stream = stub.PushMembers(&context);
    v1::PushMembersRequest open;
    open.mutable_open()->set_destination(kDestination);
    open.mutable_open()->mutable_stream()->set_stream("nightly");
    open.mutable_open()->add_identity_namespaces("external_id");
    open.mutable_open()->add_audiences("vip");
    auto* replace = open.mutable_open()->mutable_replace();
    if (percent.has_value()) replace->set_max_refused_percent(*percent);
    stream->Write(open);
    v1::PushMembersResponse response;
    if (!stream->Read(&response)) return stream->Finish();
    if (response.opened().next_offset() == 0) {
      v1::PushMembersRequest batch;
      batch.mutable_batch()->set_records(static_cast<int32_t>(ids.size()));
      v1::Column* column = batch.mutable_batch()->add_identities();
      for (const std::string& id : ids) column->add_texts(id);
      stream->Write(batch);
    }
    v1::PushMembersRequest finish;
    finish.mutable_finish()->set_total_records(static_cast<int64_t>(ids.size()));
    stream->Write(finish);
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  }
};

TEST_F(ReplaceTest, ARefusedReplaceSaysTheNumbersAndIsPublishedWithALargerShare) {
  Populate(3);
  const std::vector<std::string> ids = {"1", "nobody"};
  EXPECT_EQ(Told(Replace(ids, 10)),
            "REPLACE_REFUSED: replace not published: 1 of 2 records were refused, allowed 10 %; "
            "open the stream again with a larger max_refused_percent and finish it, or give it up "
            "with AbandonReplace or DeleteWriteStream");
  EXPECT_NE(Told(Replace(ids, std::nullopt)).find("allowed 10 %"), std::string::npos);
  EXPECT_EQ(Told(Replace(ids, 50)), "OK");
  EXPECT_EQ(Told(Replace(ids, 1)), "OK") << "it is published: the share counts no more";
}

}  // namespace
}  // namespace passerelle
