// Pushes and replaces: who is in which list.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

constexpr int64_t kStagingKeptUs = 24 * kHourUs;
constexpr int64_t kAheadUs = 24 * kHourUs;

}  // namespace

void Model::PushRow(const Plan& plan, const Row& row, int person, RowAnswer& answer) {
  const Unknown on_unknown = world_.destinations.at(plan.destination).spec.on_unknown;
  if (person == 0 && (on_unknown == Unknown::kReport || !row.realized)) {
    answer.outcome = "NOT_FOUND";
    return;
  }
  if (const std::string in_use = IdentityInUse(plan, row, person); !in_use.empty()) {
    answer.outcome = "REJECTED";
    answer.reason = "IDENTITY_IN_USE";
    answer.field = in_use;
    return;
  }
  if (person == 0) {
    std::map<std::string, std::string> kept = row.identities;
    for (auto at = kept.begin(); at != kept.end();) {
      const bool dropped = on_unknown == Unknown::kKeep && !IsDevice(at->first);
      at = dropped ? kept.erase(at) : std::next(at);
    }
    if (kept.empty()) {
      answer.outcome = "REJECTED";
      answer.reason = "DEVICE_IDENTITY_REQUIRED";
      return;
    }
    person = Create(kept);
    answer.created = true;
  }
  answer.person = person;
  const Written written = WriteFields(plan, row, person, true, answer);
  List& list = world_.lists.at(plan.audiences.at(row.audience));
  const Move move = plan.kind == Kind::kReplace
                        ? Stage(list, person, row.qualified_us)
                        : Push(list, person, row.realized, row.qualified_us.value_or(commit_us_));
  answer.attributes = written.changed;
  answer.membership = move == Move::kEntered || move == Move::kLeft;
  const bool only_stale = move == Move::kStale && written.applied == 0;
  if (move == Move::kStale) answer.stale.insert("status");
  answer.outcome = answer.created           ? "CREATED"
                   : move == Move::kEntered ? "REALIZED"
                   : move == Move::kLeft    ? "EXITED"
                   : written.changed        ? "UPDATED"
                   : only_stale             ? "STALE"
                                            : "UNCHANGED";
}

Model::Move Model::Push(List& list, int person, bool realized, int64_t at_us) {
  const auto found = list.members.find(person);
  const bool known = found != list.members.end();
  const bool was_in = known && found->second.realized;
  const int64_t counts_us = known ? std::max(found->second.at_us, list.as_of_us) : list.as_of_us;
  if (at_us < counts_us) return Move::kStale;
  Member& member = list.members[person];
  if (!known || was_in != realized) member.pushed = true;
  member.realized = realized;
  member.at_us = at_us;
  if (list.staging.has_value() && at_us >= list.staging->as_of_us) {
    Member& staged = list.staging->members[person];
    if (!staged.pushed || at_us >= staged.at_us) staged = {realized, at_us, true};
  }
  if (was_in == realized) return Move::kSame;
  return realized ? Move::kEntered : Move::kLeft;
}

// Whether a member counts more than what a replace as of that time says.
bool Model::IsCarriedOver(const List& list, const Member& member, int64_t as_of_us) {
  const int64_t counts_us = std::max(member.at_us, list.as_of_us);
  if (counts_us > as_of_us) return true;
  return member.at_us == as_of_us && (member.pushed || list.as_of_us < as_of_us);
}

Model::Move Model::Stage(List& list, int person, std::optional<int64_t> at_us) {
  Staging& staging = *list.staging;
  staging.touched_us = commit_us_;
  const auto present = list.members.find(person);
  const bool is_in = present != list.members.end() && present->second.realized;
  const auto staged = staging.members.find(person);
  const bool pushed = staged != staging.members.end() && staged->second.pushed;
  const bool known_better = pushed || (present != list.members.end() &&
                                       IsCarriedOver(list, present->second, staging.as_of_us));
  if (known_better && is_in) {
    ++staging.records;
    return Move::kSame;
  }
  const int64_t counts_us = std::max(at_us.value_or(staging.as_of_us), staging.as_of_us);
  if (known_better || counts_us < list.as_of_us) return Move::kStale;
  const bool again = staged != staging.members.end() && staged->second.realized;
  ++staging.records;
  staging.members[person] = {true, at_us.value_or(staging.as_of_us), false};
  return again || is_in ? Move::kSame : Move::kEntered;
}

Staging* Model::StagingOf(const std::string& stream) {
  for (auto& [number, list] : world_.lists) {
    if (list.staging.has_value() && list.staging->stream == stream) return &*list.staging;
  }
  return nullptr;
}

void Model::DropOldStagings() {
  for (auto& [number, list] : world_.lists) {
    if (!list.staging.has_value()) continue;
    if (list.staging->touched_us <= commit_us_ - kStagingKeptUs) list.staging.reset();
  }
}

// The staging of a new stream, with what was pushed already at or after its time.
std::string Model::BeginReplace(const Operation& op, Stream& stream) {
  const std::string audience = AudienceOf(op.target, op.audience);
  if (audience.empty()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  List& list = world_.lists.at(world_.audiences.at(audience));
  if (list.staging.has_value()) {
    return Refuse("FAILED_PRECONDITION", "REPLACE_IN_PROGRESS");
  }
  Staging staging;
  staging.stream = op.id;
  staging.as_of_us = op.as_of_us.value_or(commit_us_);
  if (staging.as_of_us > commit_us_ + kAheadUs) return Refuse("INVALID_ARGUMENT", "FIELD_INVALID");
  staging.max_refused_percent = op.max_refused_percent.value_or(1);
  staging.touched_us = commit_us_;
  for (const auto& [person, member] : list.members) {
    if (!IsCarriedOver(list, member, staging.as_of_us)) continue;
    staging.members[person] = member;
    staging.members[person].pushed = true;
  }
  stream.audience = audience;
  stream.list = world_.audiences.at(audience);
  stream.as_of_us = staging.as_of_us;
  stream.max_refused_percent = staging.max_refused_percent;
  list.staging = staging;
  return "";
}

std::string Model::PublishReplace(const std::string& id, Stream& stream) {
  List& list = world_.lists.at(stream.list);
  if (!list.staging.has_value() || list.staging->stream != id) {
    return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
  }
  const int64_t refused =
      stream.totals["REJECTED"] + stream.totals["NOT_FOUND"] + stream.totals["AMBIGUOUS"];
  const double percent = list.staging->max_refused_percent;
  const bool too_many =
      static_cast<double>(refused) * 100 > percent * static_cast<double>(stream.next);
  if (too_many || (stream.next == 0 && percent < 100)) {
    return Refuse("FAILED_PRECONDITION", "REPLACE_REFUSED");
  }
  list.as_of_us = std::max(list.as_of_us, list.staging->as_of_us);
  list.members = list.staging->members;
  list.staging.reset();
  return "";
}

void Model::EmptyList(List& list) {
  list.members.clear();
  list.as_of_us = std::max(list.as_of_us, commit_us_);
  list.staging.reset();
}

}  // namespace passerelle::model
