// A store with profiles "1" to "9" (external ids), the list audience "vip" and a destination that
// fills it, and short words for pushes, replaces and reads of members.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_AUDIENCE_FIXTURE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_AUDIENCE_FIXTURE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/storage/contract/profile_fixture.h"

namespace passerelle::storage {

// One record of a push; the profile by its external id.
struct Pushed {
  std::string id;
  bool realized = true;
  std::optional<int64_t> at_us;
};

using Names = std::set<std::string>;

class AudienceContractBase : public ProfileContractBase {
 protected:
  static constexpr int kProfiles = 9;

  void SetUp() override {
    ProfileContractBase::SetUp();
    if (HasFatalFailure()) return;
    Records records({});
    for (int i = 1; i <= kProfiles; ++i) records.Add({{external, std::to_string(i)}});
    ASSERT_TRUE(Import(std::move(records)).ok());
    const auto profiles = instance().profiles().ListProfiles({}, 100, {});
    ASSERT_TRUE(profiles.ok()) << profiles.status();
    for (const Profile& profile : *profiles) {
      names_[profile.id.value] = profile.identities.front().second;
    }
    vip = AddAudience("vip");
    destination_ = AddDestination("crm", OnUnknown::kReport);
  }

  AudienceNumber AddAudience(const std::string& id) {
    Audience audience;
    audience.id = id;
    const auto made = instance().audiences().CreateAudience(audience, {});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->value.number : AudienceNumber{};
  }

  Destination AddDestination(const std::string& id, OnUnknown on_unknown,
                             OnConflict on_conflict = OnConflict::kAmbiguous) {
    Destination destination;
    destination.id = id;
    destination.sync_type = SyncType::kAudienceSync;
    destination.on_unknown = on_unknown;
    destination.on_conflict = on_conflict;
    destination.namespace_order = {"external_id", "email"};
    destination.audiences.push_back({"segment", "vip", {}});
    const auto made = instance().flows().CreateDestination(destination, {});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->value : destination;
  }

  PushBatch BatchOf(Records records, AudienceNumber audience) const {
    PushBatch batch;
    batch.options.list_every_row = true;
    batch.destination = destination_.number;
    batch.destination_revision = destination_.revision;
    batch.audiences = {audience};
    batch.rows = records.Take();
    return batch;
  }
  absl::StatusOr<WriteAck> Submit(PushBatch batch) {
    return Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().audiences().SubmitPush(batch, done); });
  }
  Records RecordsOf(const std::vector<Pushed>& pushed, std::vector<FieldWrite> fields = {}) const {
    Records records(std::move(fields));
    for (const Pushed& row : pushed) {
      records.Add({{external, row.id}});
      records.Last().realized = row.realized;
      records.Last().qualified_us = row.at_us;
    }
    return records;
  }
  std::vector<Outcome> Push(const std::vector<Pushed>& pushed) { return PushTo(vip, pushed); }
  std::vector<Outcome> PushTo(AudienceNumber audience, const std::vector<Pushed>& pushed) {
    return OutcomesOf(Submit(BatchOf(RecordsOf(pushed), audience)));
  }

  // A replace: Begin, Stage any number of times, Publish.
  absl::StatusOr<Written<StreamState>> Begin(std::optional<int64_t> as_of_us,
                                             const std::string& stream = "nightly",
                                             std::optional<double> max_refused_percent = 1) {
    OpenStream open;
    open.stream = stream;
    open.kind = StreamKind::kReplaceMembers;
    open.target = destination_.id;
    open.replace = ReplaceOptions{"vip", as_of_us, max_refused_percent};
    auto opened = instance().streams().Open(open);
    if (opened.ok()) stream_ = opened->value;
    return opened;
  }
  absl::StatusOr<WriteAck> TryStage(const std::vector<Pushed>& pushed) {
    PushBatch batch = BatchOf(RecordsOf(pushed), vip);
    batch.replace = true;
    batch.options.position = StreamPosition{stream_.stream, stream_.epoch, stream_.next_offset, ""};
    auto ack = Submit(std::move(batch));
    if (ack.ok()) stream_.next_offset = ack->next_offset;
    return ack;
  }
  std::vector<Outcome> Stage(const std::vector<Pushed>& pushed) {
    return OutcomesOf(TryStage(pushed));
  }
  absl::StatusOr<Written<StreamState>> Publish() {
    return instance().streams().Finish(stream_.stream, stream_.epoch, stream_.next_offset);
  }
  // All of it at once.
  void Replace(const std::vector<Pushed>& members, std::optional<int64_t> as_of_us) {
    const auto begun =
        Begin(as_of_us, "replace" + std::to_string(++replaces_), members.empty() ? 100 : 1);
    ASSERT_TRUE(begun.ok()) << begun.status();
    if (!members.empty()) Stage(members);
    const auto published = Publish();
    ASSERT_TRUE(published.ok()) << published.status();
  }

  AudienceMoment Now(const std::string& id = "vip") {
    const auto moment = instance().audiences().MomentOf(id, std::nullopt, {});
    EXPECT_TRUE(moment.ok()) << moment.status();
    return moment.value_or(AudienceMoment{});
  }
  // Calls `sink` with every member, in pages of two.
  absl::Status ReadAll(const AudienceMoment& moment, const Output& output, MemberSink sink) {
    std::optional<MemberPosition> position = MemberPosition{};
    while (position.has_value()) {
      auto next = instance().audiences().ReadMembers(moment, output, *position, 2, sink, {});
      if (!next.ok()) return next.status();
      position = *next;
    }
    return absl::OkStatus();
  }
  std::string NameOf(ProfileId profile) const {
    const auto found = names_.find(profile.value);
    return found == names_.end() ? "?" : found->second;
  }
  // External ids of the members, excluded ones left out.
  Names MembersAt(const AudienceMoment& moment, const Output& output = {}) {
    Names members;
    const absl::Status read = ReadAll(moment, output, [&](const MemberRow& row) {
      const bool added =
          row.exclusion != Exclusion::kNone || members.insert(NameOf(row.profile)).second;
      EXPECT_TRUE(added) << NameOf(row.profile) << " came twice";
    });
    EXPECT_TRUE(read.ok()) << read;
    return members;
  }
  Names Members() { return MembersAt(Now()); }

  ProfileId IdOf(const std::string& external_id) {
    return instance().profiles().LookupProfile(external, external_id, {}).value_or(ProfileId{});
  }
  void DeleteProfile(const std::string& external_id) {
    const auto deleted = instance().profiles().DeleteProfile(IdOf(external_id), {});
    ASSERT_TRUE(deleted.ok()) << deleted.status();
  }

  AudienceNumber vip;
  Destination destination_;
  StreamState stream_;
  std::map<int64_t, std::string> names_;  // external ids; of deleted profiles too

 private:
  int replaces_ = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_AUDIENCE_FIXTURE_H_
