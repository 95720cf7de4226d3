// What suites about syncs need: destinations, pushes, and updates through them.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_SYNC_FIXTURE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_SYNC_FIXTURE_H_

#include <string>
#include <utility>
#include <vector>

#include "tests/storage/contract/profile_fixture.h"

namespace passerelle::storage {

class SyncContractBase : public ProfileContractBase {
 protected:
  void SetUp() override {
    ProfileContractBase::SetUp();
    if (HasFatalFailure()) return;
    everyone = MakeDestination(MakeNamed("everyone"));
  }

  Destination MakeDestination(Destination destination) {
    auto created = instance().flows().CreateDestination(destination, {});
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->value : Destination{};
  }
  static Destination MakeNamed(std::string id) {
    Destination destination;
    destination.id = std::move(id);
    return destination;
  }
  // Of the profiles that are in the audience, which is made.
  Destination MakeScoped(const std::string& id, const std::string& audience) {
    Destination destination = MakeNamed(id);
    destination.audiences.push_back({audience, audience, {}});
    return MakeDestination(destination);
  }

  absl::StatusOr<WriteAck> Update(const Destination& destination, Records records,
                                  WriteOptions options = {}) {
    options.list_every_row = true;
    UpdateBatch batch{options, destination.number, destination.revision, records.Take()};
    return Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().profiles().SubmitUpdates(batch, done); });
  }
  RowResult UpdateOne(const Destination& destination, std::vector<FieldWrite> fields,
                      std::vector<Id> ids, std::vector<Value> values,
                      std::optional<int64_t> event_us = {}) {
    Records records(std::move(fields));
    records.Add(std::move(ids), std::move(values), event_us);
    return OnlyRow(Update(destination, std::move(records)));
  }
  // One value of one attribute of profile "1".
  RowResult Set(AttributeNumber attribute, Value value, std::optional<int64_t> event_us = {},
                MergePolicy policy = MergePolicy::kSet) {
    return UpdateOne(everyone, {FieldFor(attribute, "f", policy)}, {{external, "1"}}, {value},
                     event_us);
  }

  // Pushes a membership of the audience that `scoped` names.
  void Push(const Destination& scoped, const std::string& external_id, bool realized) {
    Destination source = MakeNamed("push-" + std::to_string(++pushes_));
    source.sync_type = SyncType::kAudienceSync;
    source.audiences = scoped.audiences;
    source = MakeDestination(source);
    Records records({});
    records.Add({{external, external_id}});
    records.Last().realized = realized;
    PushBatch batch;
    batch.destination = source.number;
    batch.destination_revision = source.revision;
    batch.audiences = {source.audiences[0].number};
    batch.rows = records.Take();
    const auto ack = Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().audiences().SubmitPush(batch, done); });
    ASSERT_TRUE(ack.ok()) << ack.status();
  }

  Destination everyone;

 private:
  int pushes_ = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_SYNC_FIXTURE_H_
