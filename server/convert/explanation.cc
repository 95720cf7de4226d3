#include "server/convert/explanation.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/acks.h"
#include "server/convert/fields.h"

namespace passerelle {
namespace {

using storage::Exclusion;
using StoredBlock = storage::ProfileExplanation::Block;
using Block = v1::ProfileExplanation::Block;

std::optional<bool> ValueOf(const storage::Profile& profile, storage::AttributeNumber attribute) {
  for (const auto& [number, cell] : profile.attributes) {
    if (number == attribute) return cell.integer != 0;
  }
  return std::nullopt;
}

std::optional<int64_t> TimeOf(const storage::Profile& profile, storage::AttributeNumber attribute) {
  for (const auto& [number, time_us] : profile.attribute_times_us) {
    if (number == attribute) return time_us;
  }
  return std::nullopt;
}

v1::ExclusionReason ReasonOf(Exclusion exclusion) {
  return static_cast<v1::ExclusionReason>(exclusion);
}

std::string ShownSource(const InstanceName& instance, const storage::ProfileExplanation& told,
                        const storage::ConsentSource& source) {
  using Kind = storage::ConsentSource::Kind;
  if (source.kind == Kind::kImport) return "import";
  if (source.kind == Kind::kOptOutRow) return "opt_out";
  if (source.kind != Kind::kDestination) return "";
  for (const auto& destination : told.destinations) {
    if (destination.number != source.destination) continue;
    return ToText(DestinationName{instance.instance, destination.destination});
  }
  return "deleted_destination";
}

std::string SourceOf(const InstanceName& instance, const storage::ProfileExplanation& told,
                     storage::AttributeNumber attribute) {
  for (const auto& [number, source] : told.profile.consent_sources) {
    if (number == attribute) return ShownSource(instance, told, source);
  }
  return "";
}

void AddConsents(const ProfileShape& shape, const storage::ProfileExplanation& told,
                 v1::ProfileExplanation* shown) {
  const storage::Profile& profile = told.profile;
  for (const storage::Attribute& attribute : shape.schema.attributes()) {
    if (!attribute.consent.has_value()) continue;
    auto* consent = shown->add_consents();
    consent->set_attribute(attribute.id);
    consent->set_channel(attribute.consent->channel);
    consent->set_purpose(attribute.consent->purpose);
    consent->set_opt_in_required(attribute.consent->opt_in_required);
    if (const auto value = ValueOf(profile, attribute.number)) consent->set_value(*value);
    if (const auto time = TimeOf(profile, attribute.number)) {
      *consent->mutable_time() = ToTimestamp(*time);
    }
    consent->set_source(SourceOf(shape.instance, told, attribute.number));
  }
}

// Of the consents that an output for the channel and purpose looks at, those that speak against it:
// opt-outs first, as outputs count them.
void AddConsentBlocks(const ProfileShape& shape, const storage::Profile& profile,
                      v1::ProfileExplanation::Reachability* shown) {
  const auto consents =
      shape.schema.ConsentsFor(shown->reach().channel(), shown->reach().purpose());
  for (const Exclusion exclusion : {Exclusion::kOptedOut, Exclusion::kNoOptIn}) {
    for (const storage::Attribute* attribute : consents) {
      const auto value = ValueOf(profile, attribute->number);
      const bool blocks = exclusion == Exclusion::kOptedOut
                              ? value == std::optional<bool>(false)
                              : !value.has_value() && attribute->consent->opt_in_required;
      if (!blocks) continue;
      Block* block = shown->add_blocks();
      block->set_reason(ReasonOf(exclusion));
      block->set_detail(attribute->id);
      const auto time = TimeOf(profile, attribute->number);
      if (time.has_value()) *block->mutable_time() = ToTimestamp(*time);
    }
  }
}

void AddListBlock(const ProfileShape& shape, const StoredBlock& stored, Block* block) {
  block->set_reason(ReasonOf(stored.exclusion));
  block->set_every_channel(stored.channel.empty());
  if (stored.since_us != 0) *block->mutable_time() = ToTimestamp(stored.since_us);
  block->set_detail(stored.exclusion == Exclusion::kQuarantined
                        ? absl::StrCat(stored.failure_reason)
                        : stored.reason);
  const storage::IdentityNamespace* ns = shape.schema.FindNamespace(stored.ns);
  if (ns == nullptr) return;
  block->mutable_identity()->set_namespace_(ns->id);
  block->mutable_identity()->set_value(stored.value);
}

void AddReachability(const ProfileShape& shape, const storage::ProfileExplanation& told,
                     v1::ProfileExplanation* shown) {
  std::set<std::pair<std::string, std::string>> reaches;
  for (const storage::Attribute& attribute : shape.schema.attributes()) {
    if (!attribute.consent.has_value()) continue;
    reaches.emplace(attribute.consent->channel, attribute.consent->purpose);
  }
  for (const StoredBlock& block : told.blocks) {
    const auto known = reaches.lower_bound({block.channel, ""});
    const bool is_known = known != reaches.end() && known->first == block.channel;
    if (!block.channel.empty() && !is_known) reaches.emplace(block.channel, "");
  }
  for (const auto& [channel, purpose] : reaches) {
    auto* added = shown->add_reachability();
    added->mutable_reach()->set_channel(channel);
    added->mutable_reach()->set_purpose(purpose);
    AddConsentBlocks(shape, told.profile, added);
    for (const StoredBlock& block : told.blocks) {
      const bool counts = block.channel.empty() || block.channel == channel;
      if (counts) AddListBlock(shape, block, added->add_blocks());
    }
  }
}

void AddDestinations(const InstanceName& instance, const storage::ProfileExplanation& told,
                     v1::ProfileExplanation* shown) {
  for (const auto& stored : told.destinations) {
    auto* added = shown->add_destinations();
    added->set_destination(ToText(DestinationName{instance.instance, stored.destination}));
    added->set_recorded(stored.last.has_value());
    added->set_records_applied_rows(stored.records_applied);
    if (!stored.last.has_value()) continue;
    added->set_write_stream(ToText(WriteStreamName{instance.instance, stored.stream}));
    WriteRowOutcome(*stored.last, added->mutable_outcome());
    *added->mutable_time() = ToTimestamp(stored.create_us);
  }
}

}  // namespace

v1::ProfileExplanation ToProto(const ProfileShape& shape, const storage::ProfileExplanation& told) {
  v1::ProfileExplanation shown;
  *shown.mutable_profile() = ToProto(shape, told.profile);
  for (const auto& membership : told.memberships) {
    auto* added = shown.add_memberships();
    added->set_audience(ToText(AudienceName{shape.instance.instance, membership.audience}));
    added->set_status(membership.realized ? v1::MEMBERSHIP_STATUS_REALIZED
                                          : v1::MEMBERSHIP_STATUS_EXITED);
    *added->mutable_qualification_time() = ToTimestamp(membership.qualified_us);
  }
  AddConsents(shape, told, &shown);
  AddReachability(shape, told, &shown);
  AddDestinations(shape.instance, told, &shown);
  return shown;
}

}  // namespace passerelle
