// Profiles with consents and deliveries they opt out of, for the suites about opt-outs of the log.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_FOLLOWER_FIXTURE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_FOLLOWER_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/clock.h"
#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {

inline constexpr std::optional<bool> kOptedOut = false;
inline constexpr std::optional<bool> kUnknown = std::nullopt;

class FollowerContractBase : public LogContractBase {
 protected:
  void SetUp() override {
    LogContractBase::SetUp();
    email_ = AddAttribute("email_ok", AttributeType::kBool, Consent{"email", "", false});
    offers_ = AddAttribute("offers_ok", AttributeType::kBool, Consent{"email", "offers", false});
    sms_ = AddAttribute("sms_ok", AttributeType::kBool, Consent{"sms", "", false});
    AddDelivery("summer", {}, "email", "");
  }

  // Imports a profile by its external id, with nothing else known of it but perhaps an address.
  ProfileId Import(const std::string& external_id, const std::string& email = "") {
    auto texts =
        std::make_shared<std::vector<std::string>>(std::vector<std::string>{external_id, email});
    ImportBatch batch;
    batch.rows.keepalive = texts;
    batch.rows.identities.push_back({Namespace("external_id"), texts->front(), false});
    if (!email.empty()) {
      batch.rows.identities.push_back({Namespace("email"), texts->back(), false});
    }
    Record record;
    record.identities = static_cast<uint32_t>(batch.rows.identities.size());
    batch.rows.records.push_back(record);
    const auto ack = Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().importer().SubmitImport(batch, done); });
    EXPECT_TRUE(ack.ok()) << ack.status();
    const auto profile =
        instance().profiles().LookupProfile(Namespace("external_id"), external_id, {});
    EXPECT_TRUE(profile.ok()) << profile.status();
    return profile.ok() ? *profile : ProfileId{};
  }

  LogRow OptOut(std::string_view delivery, int64_t id, std::string_view external_id,
                int64_t profile = 0) {
    return WithIdentity(Tracked(delivery, id, id, kTrackingOptOut, now_us() - 1'000'000),
                        "external_id", external_id, profile);
  }

  absl::Status WaitFor(const CommitPosition& position) {
    ReadContext context;
    context.deadline = absl::Now() + absl::Seconds(10);
    return instance().WaitFor(position, context);
  }
  void AppendAndWait(const std::vector<LogRow>& rows) {
    const absl::Status status = WaitFor(Append(rows).position);
    EXPECT_TRUE(status.ok()) << status;
  }

  // False: opted out; nothing: unknown.
  std::optional<bool> ConsentOf(ProfileId profile, AttributeNumber attribute) {
    const Profile read = Read(profile);
    for (const auto& [number, value] : read.attributes) {
      if (number == attribute) return value.integer != 0;
    }
    return std::nullopt;
  }
  int64_t ConsentTimeOf(ProfileId profile, AttributeNumber attribute) {
    const Profile read = Read(profile);
    for (const auto& [number, time_us] : read.attribute_times_us) {
      if (number == attribute) return time_us;
    }
    return 0;
  }
  Profile Read(ProfileId profile) {
    const ProfileId ids[] = {profile};
    const auto profiles = instance().profiles().GetProfiles(ids, {});
    EXPECT_TRUE(profiles.ok() && profiles->size() == 1) << profiles.status();
    return profiles.ok() && !profiles->empty() ? profiles->front() : Profile{};
  }

  AttributeNumber email_, offers_, sms_;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_FOLLOWER_FIXTURE_H_
