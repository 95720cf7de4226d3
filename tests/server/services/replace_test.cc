#include <optional>

#include "passerelle/v1/audience_service.grpc.pb.h"
#include "passerelle/v1/stream_service.grpc.pb.h"
#include "tests/server/services/population.h"
#include "tests/server/services/wire_stream.h"

namespace passerelle {
namespace {

using Push = v1::AudienceSyncService::Stub;

// One call of PushMembers that replaces audience vip.
class Replace : public WireStream<Push, v1::PushMembersRequest, v1::PushMembersResponse> {
 public:
  explicit Replace(const std::shared_ptr<grpc::Channel>& channel)
      : WireStream(channel, &Push::PushMembers) {}

  bool OpenAs(const std::string& destination, const std::string& stream,
              std::optional<double> percent = std::nullopt) {
    v1::PushMembersRequest request;
    request.mutable_open()->set_destination(destination);
    request.mutable_open()->mutable_stream()->set_stream(stream);
    request.mutable_open()->add_identity_namespaces("external_id");
    request.mutable_open()->add_audiences("vip");
    auto* replace = request.mutable_open()->mutable_replace();
    if (percent.has_value()) replace->set_max_refused_percent(*percent);
    return Open(request);
  }
  void SendIds(int64_t offset, const std::vector<std::string>& ids) {
    v1::PushMembersRequest request;
    request.mutable_batch()->set_offset(offset);
    request.mutable_batch()->set_records(static_cast<int32_t>(ids.size()));
    FillTexts(ids, request.mutable_batch()->add_identities());
    Send(request);
  }
};

class ReplaceTest : public PopulationTest {
 protected:
  // Sends `ids` unless the stream has them already, then finishes it; how the call ended.
  grpc::Status ReplaceBy(const std::vector<std::string>& ids, std::optional<double> percent) {
    Replace replace(channel_);
    if (!replace.OpenAs(kDestination, "nightly", percent)) return replace.End();
    if (replace.opened().next_offset() == 0) replace.SendIds(0, ids);
    replace.Finish(static_cast<int64_t>(ids.size()));
    return replace.End();
  }
  // The external ids of vip's members, in the order of their profiles: "1 2 3".
  std::string Members() {
    v1::ListMembersRequest request;
    request.set_parent("instances/default/audiences/vip");
    request.mutable_reach()->set_channel("email");
    const auto page = Call(&v1::AudienceService::Stub::ListMembers, request);
    EXPECT_EQ(Told(page), "OK");
    std::string ids;
    for (const auto& member : page->members()) {
      if (!ids.empty()) ids += " ";
      ids += member.identities().at("external_id");
    }
    return ids;
  }
  Answer<v1::AbandonReplaceResponse> Abandon(const std::string& stream) {
    v1::AbandonReplaceRequest request;
    request.set_stream("instances/default/writeStreams/" + stream);
    return Call(&Push::AbandonReplace, request);
  }
};

TEST_F(ReplaceTest, ARefusedReplaceSaysTheNumbersAndIsPublishedWithALargerShare) {
  Populate(3);
  const std::vector<std::string> ids = {"1", "nobody"};
  EXPECT_EQ(Told(ReplaceBy(ids, 10)),
            "REPLACE_REFUSED: replace not published: 1 of 2 records were refused, allowed 10 %; "
            "open the stream again with a larger max_refused_percent and finish it, or give it up "
            "with AbandonReplace or DeleteWriteStream");
  EXPECT_NE(Told(ReplaceBy(ids, std::nullopt)).find("allowed 10 %"), std::string::npos);
  EXPECT_EQ(Members(), "1 2 3");
  EXPECT_EQ(Told(ReplaceBy(ids, 50)), "OK");
  EXPECT_EQ(Told(ReplaceBy(ids, 1)), "OK") << "it is published: the share counts no more";
  EXPECT_EQ(Members(), "1");
}

TEST_F(ReplaceTest, WhatIsStagedIsUnseenUntilFinishPublishesAllOfIt) {
  Populate(3);
  Import(5);
  Replace replace(channel_);
  ASSERT_TRUE(replace.OpenAs(kDestination, "nightly"));
  replace.SendIds(0, {"3", "4"});
  EXPECT_EQ(replace.Ack().next_offset(), 2);
  replace.SendIds(2, {"5"});
  EXPECT_EQ(replace.Ack().next_offset(), 3);
  EXPECT_EQ(Members(), "1 2 3");
  EXPECT_EQ(replace.Finish(3).total_records(), 3);
  EXPECT_EQ(Told(replace.End()), "OK");
  EXPECT_EQ(Members(), "3 4 5");
}

TEST_F(ReplaceTest, AnAbandonedReplaceLeavesTheAudienceAsItWasAndTheNextOneFree) {
  Populate(3);
  Replace replace(channel_);
  ASSERT_TRUE(replace.OpenAs(kDestination, "nightly"));
  replace.SendIds(0, {"1", "2"});
  EXPECT_EQ(replace.Ack().next_offset(), 2);
  Replace second(channel_);
  EXPECT_FALSE(second.OpenAs(kDestination, "other"));
  EXPECT_EQ(InfoOf(second.End()).reason(), "REPLACE_IN_PROGRESS");
  const auto abandoned = Abandon("nightly");
  ASSERT_EQ(Told(abandoned), "OK");
  EXPECT_EQ(abandoned->abandoned_records(), 2);
  EXPECT_NE(abandoned.commit_token, "");
  EXPECT_EQ(Members(), "1 2 3");
  replace.SendIds(2, {"3"});
  EXPECT_EQ(InfoOf(replace.End()).reason(), "STREAM_FINISHED");
  EXPECT_EQ(ReasonOf(Abandon("nightly")), "STREAM_FINISHED");
  EXPECT_EQ(ReasonOf(Abandon("never")), "RESOURCE_NOT_FOUND");
  Replace next(channel_);
  ASSERT_TRUE(next.OpenAs(kDestination, "other"));
  next.SendIds(0, {"2"});
  EXPECT_EQ(next.Finish(1).total_records(), 1);
  EXPECT_EQ(Told(next.End()), "OK");
  EXPECT_EQ(Members(), "2");
}

}  // namespace
}  // namespace passerelle
