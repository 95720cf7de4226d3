// Random pushes, exits, replaces and deletions against a small model; then every moment is read
// again, and every pair of moments is joined by its incremental.
#include <algorithm>
#include <random>

#include "tests/storage/contract/audience_fixture.h"

namespace passerelle::storage {
namespace {

using Changes = std::map<std::string, MemberChange>;

// What an audience is, by the words of audience_store.h. Times of pushes are even and those of
// replaces odd, so that none are equal.
class Model {
 public:
  Outcome Push(const std::string& id, bool realized, int64_t at_us) {
    const auto found = present_.find(id);
    const int64_t counts_us =
        std::max(as_of_us_, found == present_.end() ? INT64_MIN : found->second.at_us);
    if (at_us < counts_us) return Outcome::kStale;
    const bool was_in = found != present_.end() && found->second.realized;
    present_[id] = {realized, at_us};
    if (staging_ && at_us >= staged_as_of_us_) pushed_[id] = {realized, at_us};
    if (was_in == realized) return Outcome::kUnchanged;
    return realized ? Outcome::kRealized : Outcome::kExited;
  }
  void Begin(int64_t as_of_us) {
    staging_ = true;
    staged_as_of_us_ = as_of_us;
    records_.clear();
    pushed_.clear();
    for (const auto& [id, member] : present_) {
      if (std::max(member.at_us, as_of_us_) > as_of_us) pushed_[id] = member;
    }
  }
  void Stage(const std::string& id) {
    if (staged_as_of_us_ >= as_of_us_) records_[id] = {true, staged_as_of_us_};
  }
  void Publish() {
    present_ = records_;
    for (const auto& [id, member] : pushed_) present_[id] = member;
    as_of_us_ = std::max(as_of_us_, staged_as_of_us_);
    staging_ = false;
  }
  void Abandon() { staging_ = false; }
  void Delete(const std::string& id) {
    present_.erase(id);
    records_.erase(id);
    pushed_.erase(id);
  }
  bool staging() const { return staging_; }
  Names Members() const {
    Names members;
    for (const auto& [id, member] : present_) {
      if (member.realized) members.insert(id);
    }
    return members;
  }

 private:
  struct Member {
    bool realized;
    int64_t at_us;
  };
  std::map<std::string, Member> present_, records_, pushed_;
  int64_t as_of_us_ = INT64_MIN;
  int64_t staged_as_of_us_ = 0;
  bool staging_ = false;
};

class MembershipModelContract : public AudienceContractBase {
 protected:
  struct Noted {
    AudienceMoment moment;
    Names members;
  };

  int Random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string RandomProfile() { return std::to_string(1 + Random(kProfiles)); }
  int64_t RandomTime() { return clock_us_ - 40 + 2 * Random(40); }

  void Step() {
    clock_us_ += 6;
    switch (Random(8)) {
      case 0:
        return model_.staging() ? EndReplace() : BeginReplace();
      case 1:
        if (deleted_.size() < 4 && Random(6) == 0) Remove(RandomProfile());
        return;
      case 2:
      case 3:
        if (model_.staging()) StageOne(RandomProfile());
        return;
      default:
        PushSome();
    }
  }

  void PushSome() {
    std::vector<Pushed> rows;
    std::vector<Outcome> wanted;
    for (int i = Random(4); i >= 0; --i) {
      const Pushed row{RandomProfile(), Random(3) != 0, RandomTime()};
      rows.push_back(row);
      wanted.push_back(deleted_.count(row.id) != 0 ? Outcome::kNotFound
                                                   : model_.Push(row.id, row.realized, *row.at_us));
    }
    EXPECT_EQ(Push(rows), wanted);
  }
  void BeginReplace() {
    const int64_t as_of_us = RandomTime() + 1;
    ASSERT_TRUE(Begin(as_of_us, "r" + std::to_string(++replaces_), 100).ok());
    model_.Begin(as_of_us);
  }
  void StageOne(const std::string& id) {
    Stage({{id}});
    if (deleted_.count(id) == 0) model_.Stage(id);
  }
  void EndReplace() {
    if (Random(4) == 0) {
      ASSERT_TRUE(instance().streams().AbandonReplace(stream_.stream).ok());
      model_.Abandon();
    } else {
      const auto published = Publish();
      ASSERT_TRUE(published.ok()) << published.status();
      model_.Publish();
    }
  }
  void Remove(const std::string& id) {
    if (!deleted_.insert(id).second) return;
    DeleteProfile(id);
    model_.Delete(id);
  }

  // Deleted profiles count as members of the moments before.
  Names AllAt(const AudienceMoment& moment) {
    Names members;
    EXPECT_TRUE(ReadAll(moment, {}, [&](const MemberRow& row) {
                  EXPECT_TRUE(members.insert(NameOf(row.profile)).second);
                }).ok());
    return members;
  }

  // With a new reader for every page if `breaks`.
  Changes ChangesOf(const AudienceMoment& from, const AudienceMoment& to, bool breaks) {
    Changes changes;
    std::optional<MemberPosition> position = MemberPosition{};
    std::unique_ptr<MemberChanges> reader;
    while (position.has_value()) {
      if (reader == nullptr || breaks) {
        reader = *instance().audiences().ReadChanges(from, to, {}, *position);
      }
      auto next =
          reader->Next(2,
                       [&](const MemberRow& row) {
                         EXPECT_TRUE(changes.emplace(NameOf(row.profile), row.change).second);
                       },
                       {});
      EXPECT_TRUE(next.ok()) << next.status();
      position = next.value_or(std::nullopt);
    }
    return changes;
  }

  void CheckPair(const Noted& from, const Noted& to) {
    const Changes changes = ChangesOf(from.moment, to.moment, false);
    EXPECT_EQ(ChangesOf(from.moment, to.moment, true), changes);
    Names members = from.members;
    for (const auto& [id, change] : changes) {
      if (change == MemberChange::kEntered) {
        EXPECT_TRUE(members.insert(id).second);
      } else {
        EXPECT_EQ(change, MemberChange::kExited);
        EXPECT_EQ(members.erase(id), 1u);
      }
    }
    EXPECT_EQ(members, to.members);
  }

  void Run(unsigned seed, int steps) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_.seed(seed);
    std::vector<Noted> noted;
    for (int i = 0; i < steps && !HasFailure(); ++i) {
      Step();
      if (Random(6) == 0) noted.push_back({Now(), model_.Members()});
      EXPECT_EQ(AllAt(Now()), model_.Members());
    }
    for (size_t i = 0; i < noted.size() && !HasFailure(); ++i) {
      EXPECT_EQ(AllAt(noted[i].moment), noted[i].members);
      for (size_t j = i; j < noted.size(); ++j) CheckPair(noted[i], noted[j]);
    }
  }

  Model model_;
  std::mt19937 random_;
  std::set<std::string> deleted_;
  int64_t clock_us_ = 1'000;
  int replaces_ = 0;
};
PASSERELLE_CONTRACT(MembershipModelContract);

TEST_P(MembershipModelContract, FullAndIncrementalReadsAgreeWithTheModelSeedOne) { Run(1, 150); }
TEST_P(MembershipModelContract, FullAndIncrementalReadsAgreeWithTheModelSeedTwo) { Run(2, 150); }
TEST_P(MembershipModelContract, FullAndIncrementalReadsAgreeWithTheModelSeedThree) { Run(3, 150); }

}  // namespace
}  // namespace passerelle::storage
