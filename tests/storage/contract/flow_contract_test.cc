#include <string>
#include <vector>

#include "tests/storage/contract/profile_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;

class FlowContract : public ProfileContractBase {
 protected:
  FlowStore& flows() { return instance().flows(); }

  static Destination Named(const std::string& id, SyncType type = SyncType::kAudienceSync) {
    Destination destination;
    destination.id = id;
    destination.sync_type = type;
    return destination;
  }
  static FieldMapping Mapped(const std::string& field, const std::string& attribute) {
    FieldMapping mapping;
    mapping.source_field = field;
    mapping.attribute = attribute;
    return mapping;
  }
  Destination Create(const Destination& destination) {
    const auto created = flows().CreateDestination(destination, {});
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->value : Destination{};
  }
  Destination Update(const Destination& destination) {
    const auto updated = flows().UpdateDestination(destination, {});
    EXPECT_TRUE(updated.ok()) << updated.status();
    return updated.ok() ? updated->value : Destination{};
  }
  // Puts person "1" into the first audience of the destination.
  void PushInto(const Destination& destination) {
    Records records({});
    records.Add({{external, "1"}});
    PushBatch batch;
    batch.destination = destination.number;
    batch.destination_revision = destination.revision;
    batch.audiences = {destination.audiences[0].number};
    batch.rows = records.Take();
    const auto ack = Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().audiences().SubmitPush(batch, done); });
    ASSERT_TRUE(ack.ok()) << ack.status();
    ASSERT_EQ(ack->counts[Outcome::kRealized], 1);
  }
  int64_t MembersOf(const std::string& audience) {
    const auto moment = instance().audiences().MomentOf(audience, std::nullopt, {});
    EXPECT_TRUE(moment.ok()) << moment.status();
    if (!moment.ok()) return -1;
    const auto count = instance().audiences().CountMembers(*moment, {}, {});
    EXPECT_TRUE(count.ok()) << count.status();
    return count.ok() ? count->members : -1;
  }
};
PASSERELLE_CONTRACT(FlowContract);

const RefusalOf kMissing{StatusCode::kNotFound, Reason::kNotFound};
const RefusalOf kExisting{StatusCode::kAlreadyExists, Reason::kAlreadyExists};
const RefusalOf kNotPausedYet{StatusCode::kFailedPrecondition, Reason::kNotPaused};

TEST_P(FlowContract, ADestinationIsKeptWithAllItsParts) {
  Destination destination = Named("d");
  destination.display_name = "Nightly";
  destination.target = Target::kVisitors;
  destination.audiences = {{"SEG-2", "seg-2", {}}, {"SEG-1", "seg-1", {}}};
  destination.mappings = {Mapped("town", "city"), Mapped("mail", "")};
  destination.mappings[0].transform = Transform::kTrim;
  destination.mappings[0].policy = MergePolicy::kIgnoreNull;
  destination.mappings[0].mandatory = true;
  destination.mappings[1].writable_identity = "email";
  destination.namespace_order = {"email", "external_id"};
  destination.on_conflict = OnConflict::kFirstMatch;
  destination.on_unknown = OnUnknown::kCreate;
  destination.on_unmap = OnUnmap::kKeep;
  destination.record_applied = true;
  const Destination created = Create(destination);
  ReopenAsAfterACrash();
  const auto kept = flows().GetDestination("d", {});
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->number, created.number);
  EXPECT_EQ(kept->revision, created.revision);
  EXPECT_EQ(kept->etag, created.etag);
  EXPECT_EQ(kept->target, Target::kVisitors);
  EXPECT_EQ(kept->on_unknown, OnUnknown::kCreate);
  EXPECT_EQ(kept->on_unmap, OnUnmap::kKeep);
  EXPECT_TRUE(kept->record_applied);
  EXPECT_EQ(kept->on_conflict, OnConflict::kFirstMatch);
  EXPECT_EQ(kept->state, FlowState::kActive);
  ASSERT_EQ(kept->audiences.size(), 2u);
  EXPECT_EQ(kept->audiences[0].source_id, "SEG-2") << "in the order given";
  EXPECT_TRUE(kept->audiences[0].number);
  ASSERT_EQ(kept->mappings.size(), 2u);
  EXPECT_EQ(kept->mappings[0].attribute_number, city);
  EXPECT_EQ(kept->mappings[0].policy, MergePolicy::kIgnoreNull);
  EXPECT_TRUE(kept->mappings[0].mandatory);
  EXPECT_EQ(kept->mappings[1].writable_identity, "email");
  EXPECT_EQ(kept->mappings[1].namespace_number, email);
  EXPECT_EQ(kept->namespace_order, (std::vector<std::string>{"email", "external_id"}));
  EXPECT_EQ(Refused(flows().CreateDestination(Named("d"), {})), kExisting);
}

TEST_P(FlowContract, AMissingAudienceIsMadeAndNamedAfterItsSource) {
  Destination destination = Named("d");
  destination.audiences = {{"SEG-1", "seg-1", {}}};
  AdminWrite check;
  check.validate_only = true;
  ASSERT_TRUE(flows().CreateDestination(destination, check).ok());
  EXPECT_EQ(Refused(instance().audiences().GetAudience("seg-1", {})), kMissing);
  const Destination created = Create(destination);
  const auto audience = instance().audiences().GetAudience("seg-1", {});
  ASSERT_TRUE(audience.ok()) << audience.status();
  EXPECT_EQ(audience->display_name, "SEG-1");
  EXPECT_EQ(audience->kind, AudienceKind::kList);
  EXPECT_EQ(audience->number, created.audiences[0].number);
  destination.id = "e";
  EXPECT_EQ(Create(destination).audiences[0].number, audience->number) << "shared, not made twice";
}

TEST_P(FlowContract, WhatAMappingNamesMustExistAndBeWritable) {
  Destination destination = Named("d");
  destination.mappings = {Mapped("a", "city"), Mapped("b", "nothing")};
  auto refused = flows().CreateDestination(destination, {});
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kInvalidArgument, Reason::kUnknownAttribute}));
  EXPECT_EQ(Detail(refused.status(), "field"), "mappings[1].attribute");
  destination.mappings[1] = Mapped("b", "");
  destination.mappings[1].writable_identity = "nothing";
  refused = flows().CreateDestination(destination, {});
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kInvalidArgument, Reason::kUnknownNamespace}));
  EXPECT_EQ(Detail(refused.status(), "field"), "mappings[1].writable_identity");
  destination.mappings.clear();
  destination.namespace_order = {"email", "nothing"};
  refused = flows().CreateDestination(destination, {});
  EXPECT_EQ(Detail(refused.status(), "field"), "namespace_order[1]");
  Attribute fixed;
  fixed.id = "fixed";
  fixed.read_only_for_sync = true;
  ASSERT_TRUE(instance().schema().CreateAttribute(fixed, {}).ok());
  destination.namespace_order.clear();
  destination.mappings = {Mapped("a", "fixed")};
  destination.audiences = {{"SEG-1", "seg-1", {}}};
  refused = flows().CreateDestination(destination, {});
  EXPECT_EQ(Refused(refused),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kAttributeNotWritable}));
  EXPECT_EQ(Refused(instance().audiences().GetAudience("seg-1", {})), kMissing);
}

TEST_P(FlowContract, TheRevisionGrowsWithRulesAndNotWithTheName) {
  Destination destination = Create(Named("d"));
  const int64_t first = destination.revision;
  destination.display_name = "Renamed";
  const Destination renamed = Update(destination);
  EXPECT_EQ(renamed.revision, first);
  EXPECT_NE(renamed.etag, destination.etag);
  destination.mappings = {Mapped("town", "city")};
  const Destination mapped = Update(destination);
  EXPECT_GT(mapped.revision, first);
  ASSERT_TRUE(flows().SetDestinationState("d", FlowState::kPaused).ok());
  const auto resumed = flows().SetDestinationState("d", FlowState::kActive);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(resumed->value.revision, mapped.revision);
  destination.on_unknown = OnUnknown::kCreate;
  EXPECT_GT(Update(destination).revision, mapped.revision);
}

TEST_P(FlowContract, AnUpdateKeepsTargetSyncTypeAndState) {
  Create(Named("d"));
  ASSERT_TRUE(flows().SetDestinationState("d", FlowState::kPaused).ok());
  Destination other = Named("d", SyncType::kProfileSync);
  other.target = Target::kVisitors;
  Update(other);
  const auto kept = flows().GetDestination("d", {});
  EXPECT_EQ(kept->sync_type, SyncType::kAudienceSync);
  EXPECT_EQ(kept->target, Target::kRecipients);
  EXPECT_EQ(kept->state, FlowState::kPaused);
  AdminWrite write;
  write.etag = "other";
  EXPECT_EQ(Refused(flows().UpdateDestination(other, write)).reason, Reason::kEtagMismatch);
  EXPECT_EQ(Refused(flows().UpdateDestination(Named("nobody"), {})), kMissing);
  EXPECT_EQ(Refused(flows().SetDestinationState("nobody", FlowState::kPaused)), kMissing);
}

TEST_P(FlowContract, MembersOfARemovedAudienceExit) {
  ImportOne({}, {{external, "1"}}, {});
  Destination destination = Named("d");
  destination.audiences = {{"SEG-1", "seg-1", {}}};
  destination = Create(destination);
  PushInto(destination);
  EXPECT_EQ(MembersOf("seg-1"), 1);
  destination.audiences.clear();
  Update(destination);
  EXPECT_EQ(MembersOf("seg-1"), 0);
}

TEST_P(FlowContract, MembersStayWhereUnmapKeepsThemOrAnotherDestinationFillsTheAudience) {
  ImportOne({}, {{external, "1"}}, {});
  Destination keeper = Named("keeper");
  keeper.audiences = {{"SEG-1", "seg-1", {}}};
  keeper.on_unmap = OnUnmap::kKeep;
  keeper = Create(keeper);
  PushInto(keeper);
  keeper.audiences.clear();
  Update(keeper);
  EXPECT_EQ(MembersOf("seg-1"), 1) << "on_unmap is KEEP";
  Destination one = Named("one"), two = Named("two"),
              scope = Named("scope", SyncType::kProfileSync);
  for (Destination* each : {&one, &two, &scope}) {
    each->audiences = {{"SEG-1", "seg-1", {}}};
    *each = Create(*each);
    each->audiences.clear();
  }
  Update(one);
  EXPECT_EQ(MembersOf("seg-1"), 1) << "two still fills it";
  Update(scope);
  EXPECT_EQ(MembersOf("seg-1"), 1) << "a scope is not a filling";
  Update(two);
  EXPECT_EQ(MembersOf("seg-1"), 0);
}

TEST_P(FlowContract, ADestinationIsPausedBeforeItIsDeleted) {
  const Destination first = Create(Named("d"));
  EXPECT_EQ(Refused(flows().DeleteDestination("d", {})), kNotPausedYet);
  ASSERT_TRUE(flows().SetDestinationState("d", FlowState::kPaused).ok());
  AdminWrite write;
  write.request = RequestKey{"r", "DeleteDestination", "payload"};
  ASSERT_TRUE(flows().DeleteDestination("d", write).ok());
  EXPECT_TRUE(flows().DeleteDestination("d", write).ok()) << "the same request again";
  EXPECT_EQ(Refused(flows().DeleteDestination("d", {})), kMissing);
  EXPECT_EQ(Refused(flows().GetDestination("d", {})), kMissing);
  EXPECT_NE(Create(Named("d")).number, first.number);
}

TEST_P(FlowContract, ListsGoByIdAndTellTheNextPage) {
  for (const char* id : {"c", "a", "b"}) Create(Named(id));
  const auto first = flows().ListDestinations({"", 2}, {});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->items.size(), 2u);
  EXPECT_EQ(first->items[0].id, "a");
  EXPECT_EQ(first->next, "b");
  const auto second = flows().ListDestinations({first->next, 2}, {});
  ASSERT_EQ(second->items.size(), 1u);
  EXPECT_EQ(second->items[0].id, "c");
  EXPECT_EQ(second->next, "");
}

TEST_P(FlowContract, ASourceIsKeptUpdatedAndDeleted) {
  Audience audience;
  audience.id = "seg-1";
  ASSERT_TRUE(instance().audiences().CreateAudience(audience, {}).ok());
  Source source;
  source.id = "s";
  source.schema = 2;
  source.dataset = "clicks \"raw\"";
  source.fields = {{"event_time", "at"}, {"url", ""}};
  source.deliveries = {"mail-1", "mail-2"};
  source.audiences = {"seg-1"};
  source.start_us = 0;
  const auto created = flows().CreateSource(source, {});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(Refused(flows().CreateSource(source, {})), kExisting);
  ReopenAsAfterACrash();
  auto kept = flows().GetSource("s", {});
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->dataset, source.dataset);
  ASSERT_EQ(kept->fields.size(), 2u);
  EXPECT_EQ(kept->fields[0].rename, "at");
  EXPECT_EQ(kept->fields[1].field, "url");
  EXPECT_EQ(kept->deliveries, source.deliveries);
  EXPECT_EQ(kept->audiences, source.audiences);
  EXPECT_EQ(kept->start_us, 0);
  EXPECT_EQ(kept->end_us, std::nullopt);
  source.schema = 1;
  source.dataset = "other";
  ASSERT_TRUE(flows().UpdateSource(source, {}).ok());
  kept = flows().GetSource("s", {});
  EXPECT_EQ(kept->dataset, "other");
  EXPECT_EQ(kept->schema, 2) << "never changes";
  EXPECT_EQ(kept->number, created->value.number);
  EXPECT_EQ(Refused(flows().DeleteSource("s", {})), kNotPausedYet);
  ASSERT_TRUE(flows().SetSourceState("s", FlowState::kPaused).ok());
  EXPECT_EQ(flows().ListSources({"", 10}, {})->items.size(), 1u);
  ASSERT_TRUE(flows().DeleteSource("s", {}).ok());
  EXPECT_EQ(Refused(flows().GetSource("s", {})), kMissing);
  EXPECT_EQ(Refused(flows().UpdateSource(source, {})), kMissing);
}

TEST_P(FlowContract, ASourceNamesAudiencesThatExist) {
  Source source;
  source.id = "s";
  source.audiences = {"nothing"};
  const auto refused = flows().CreateSource(source, {});
  EXPECT_EQ(Refused(refused), kMissing);
  EXPECT_EQ(Detail(refused.status(), "field"), "audiences[0]");
}

}  // namespace
}  // namespace passerelle::storage
