// A store with a few attributes, and short words for imports, syncs and reads of profiles.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_PROFILE_FIXTURE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_PROFILE_FIXTURE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/storage/contract/records.h"
#include "tests/storage/contract/store_contract.h"

namespace passerelle::storage {

class ProfileContractBase : public StoreContract {
 protected:
  void SetUp() override {
    StoreContract::SetUp();
    if (HasFatalFailure()) return;
    city = AddAttribute("city", AttributeType::kString);
    age = AddAttribute("age", AttributeType::kInt64);
    email_ok = AddAttribute("email_ok", AttributeType::kBool, Consent{"email", "", false});
    sms_ok = AddAttribute("sms_ok", AttributeType::kBool, Consent{"sms", "", false});
    external = Namespace("external_id");
    email = Namespace("email");
    email_hash = Namespace("email_sha256");
    ecid = Namespace("ecid");
  }

  absl::StatusOr<WriteAck> Import(Records records, WriteOptions options = {}) {
    options.list_every_row = true;
    ImportBatch batch{options, records.Take()};
    return Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().importer().SubmitImport(batch, done); });
  }
  // The ack's only row.
  RowResult ImportOne(std::vector<FieldWrite> fields, std::vector<Id> ids,
                      std::vector<Value> values, std::optional<int64_t> event_us = {}) {
    Records records(std::move(fields));
    records.Add(std::move(ids), std::move(values), event_us);
    return OnlyRow(Import(std::move(records)));
  }
  static RowResult OnlyRow(const absl::StatusOr<WriteAck>& ack) {
    EXPECT_TRUE(ack.ok()) << ack.status();
    if (!ack.ok() || ack->rows.size() != 1) return {};
    return ack->rows[0];
  }
  static std::vector<Outcome> OutcomesOf(const absl::StatusOr<WriteAck>& ack) {
    EXPECT_TRUE(ack.ok()) << ack.status();
    std::vector<Outcome> outcomes;
    if (!ack.ok()) return outcomes;
    for (const RowResult& row : ack->rows) outcomes.push_back(row.outcome);
    return outcomes;
  }

  // The profile with this external id; empty id: none.
  Profile Get(const std::string& external_id) {
    const auto id = instance().profiles().LookupProfile(external, external_id, {});
    if (!id.ok()) return {};
    const auto profiles = instance().profiles().GetProfiles({*id}, {});
    EXPECT_TRUE(profiles.ok() && profiles->size() == 1) << profiles.status();
    return profiles.ok() && !profiles->empty() ? profiles->front() : Profile{};
  }
  // Null when it has none.
  static OwnedCell ValueOf(const Profile& profile, AttributeNumber attribute) {
    for (const auto& [number, cell] : profile.attributes) {
      if (number == attribute) return cell;
    }
    return {};
  }
  std::string TextOf(const std::string& external_id, AttributeNumber attribute) {
    const OwnedCell cell = ValueOf(Get(external_id), attribute);
    return cell.kind == Cell::Kind::kText ? cell.text : "(null)";
  }
  // -1 when null.
  int64_t IntOf(const std::string& external_id, AttributeNumber attribute) {
    const OwnedCell cell = ValueOf(Get(external_id), attribute);
    return cell.kind == Cell::Kind::kInt ? cell.integer : -1;
  }
  // 0 when it has none.
  int64_t TimeOf(const std::string& external_id, AttributeNumber attribute) {
    for (const auto& [number, us] : Get(external_id).attribute_times_us) {
      if (number == attribute) return us;
    }
    return 0;
  }
  int64_t CountProfiles() {
    const auto profiles = instance().profiles().ListProfiles({}, 10'000, {});
    EXPECT_TRUE(profiles.ok()) << profiles.status();
    return profiles.ok() ? static_cast<int64_t>(profiles->size()) : -1;
  }

  AttributeNumber city, age, email_ok, sms_ok;
  NamespaceNumber external, email, email_hash, ecid;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_PROFILE_FIXTURE_H_
