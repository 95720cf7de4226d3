// A store with keys for suppression lists, profiles with addresses in the audience "vip", and short
// words for who is reached.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_REACH_FIXTURE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_REACH_FIXTURE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/storage/contract/audience_fixture.h"
#include "tests/storage/contract/sample_keys.h"

namespace passerelle::storage {

class ReachContractBase : public AudienceContractBase {
 protected:
  static constexpr uint32_t kKey = 7;

  // Profiles "1" to "9" have addresses 1@example.com ... and are members of vip.
  void SetUp() override {
    options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{kKey});
    AudienceContractBase::SetUp();
    if (HasFatalFailure()) return;
    std::vector<Pushed> members;
    for (int i = 1; i <= kProfiles; ++i) {
      Know(std::to_string(i), AddressOf(std::to_string(i)));
      members.push_back({std::to_string(i)});
    }
    Push(members);
  }

  static std::string AddressOf(const std::string& id) { return id + "@example.com"; }
  // Imports a profile, or gives one an address.
  void Know(const std::string& id, const std::string& address) {
    Records records({});
    records.Add({{external, id}, {email, address}, {email_hash, Sha256HexOf(address), true}});
    ASSERT_TRUE(Import(std::move(records)).ok());
    names_[IdOf(id).value] = id;
  }
  // A new profile that is a member too.
  void Join(const std::string& id, const std::string& address) {
    Know(id, address);
    Push({{id}});
  }

  static Output For(const std::string& channel) {
    Output output;
    output.channel = channel;
    return output;
  }
  Names Reached(const std::string& channel) { return MembersAt(Now(), For(channel)); }
  Names LeftOut(const std::string& channel) {
    Names all = MembersAt(Now(), Output{});
    for (const std::string& name : Reached(channel)) all.erase(name);
    return all;
  }
  int64_t Excluded(const std::string& channel, Exclusion exclusion) {
    const Output reach = For(channel);
    const auto count = instance().audiences().CountMembers(Now(), {&reach, 1}, {});
    EXPECT_TRUE(count.ok()) << count.status();
    return count.ok() ? count->reaches[0].excluded[static_cast<int>(exclusion)] : -1;
  }

  SuppressionRow Clear(const std::string& address, const std::string& channel = "email") {
    SuppressionRow row;
    row.ns = email;
    row.value = address;
    row.derived_value = Sha256HexOf(address);
    row.channel = channel;
    return row;
  }
  SuppressionRow Hashed(const std::string& address, const std::string& channel = "email") {
    SuppressionRow row;
    row.ns = email_hash;
    row.value = Sha256HexOf(address);
    row.channel = channel;
    return row;
  }
  static SuppressionRow Of(const Suppression& entry) {
    SuppressionRow row;
    row.key = entry.key;
    row.hash = entry.hash;
    row.channel = entry.channel;
    row.reason = entry.reason;
    row.create_us = entry.create_us;
    return row;
  }
  static std::vector<Outcome> OutcomesIn(const absl::StatusOr<SuppressionAck>& ack) {
    EXPECT_TRUE(ack.ok()) << ack.status();
    std::vector<Outcome> outcomes;
    if (!ack.ok()) return outcomes;
    EXPECT_EQ(ack->counts.Total(), static_cast<int64_t>(ack->rows.size()));
    for (const RowResult& row : ack->rows) outcomes.push_back(row.outcome);
    return outcomes;
  }
  std::vector<Outcome> Suppress(std::vector<SuppressionRow> rows, bool more_follows = false) {
    return OutcomesIn(instance().reach().ImportSuppressions({std::move(rows), more_follows}, {}));
  }
  std::vector<Outcome> Unsuppress(std::vector<SuppressionRow> rows) {
    return OutcomesIn(instance().reach().DeleteSuppressions({std::move(rows), false}, {}));
  }
  std::vector<Suppression> Listed() {
    std::vector<Suppression> all;
    PageRequest page{"", 2};
    do {
      const auto listed = instance().reach().ListSuppressions(page, {});
      EXPECT_TRUE(listed.ok()) << listed.status();
      if (!listed.ok()) break;
      all.insert(all.end(), listed->items.begin(), listed->items.end());
      page.after = listed->next;
    } while (!page.after.empty());
    return all;
  }

  // What an incremental since `from` tells: + entered, - exited, = updated, by external id.
  std::vector<std::string> Told(const AudienceMoment& from, const std::string& channel) {
    std::vector<std::string> told;
    const auto changes = instance().audiences().ReadChanges(from, Now(), For(channel), {});
    EXPECT_TRUE(changes.ok()) << changes.status();
    if (!changes.ok()) return told;
    std::optional<MemberPosition> position = MemberPosition{};
    while (position.has_value()) {
      const auto next = (*changes)->Next(2,
                                         [&](const MemberRow& row) {
                                           const char* mark =
                                               row.change == MemberChange::kEntered  ? "+"
                                               : row.change == MemberChange::kExited ? "-"
                                                                                     : "=";
                                           told.push_back(mark + NameOf(row.profile));
                                         },
                                         {});
      EXPECT_TRUE(next.ok()) << next.status();
      if (!next.ok()) break;
      position = *next;
    }
    return told;
  }
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_REACH_FIXTURE_H_
