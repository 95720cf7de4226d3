// What can be read of profiles and members.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

constexpr const char* kShownNamespaces[] = {"external_id", "email", "email_sha256"};

}  // namespace

std::string Model::ReadProfiles() {
  std::string text = "OK\n";
  for (const auto& [name, person] : world_.people) {
    absl::StrAppend(&text, "  #", name, person.known ? " known" : " unknown");
    for (const auto& [identity, owner] : world_.owners) {
      if (owner.person != name || owner.derived) continue;
      absl::StrAppend(&text, " ", identity.first, ":", identity.second);
    }
    for (const auto& [id, attribute] : world_.attributes) {
      const auto found = person.values.find(attribute.key);
      if (found == person.values.end()) continue;
      const Timed& stored = found->second;
      if (!stored.value.null) absl::StrAppend(&text, " ", id, "='", stored.value.text, "'");
      if (stored.time_us.has_value()) {
        absl::StrAppend(&text, " ", id, "@", times_(*stored.time_us));
      }
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string Model::Exclusion(int person, const Operation& question) const {
  const auto found = world_.people.find(person);
  if (found == world_.people.end()) return "DELETED";
  bool opt_in_missing = false;
  for (const auto& [id, attribute] : world_.attributes) {
    const AttributeSpec& spec = attribute.spec;
    if (!spec.consent || question.channel.empty() || spec.channel != question.channel) continue;
    if (!spec.purpose.empty() && spec.purpose != question.purpose) continue;
    const auto value = found->second.values.find(attribute.key);
    const bool unknown = value == found->second.values.end() || value->second.value.null;
    if (!unknown && value->second.value.text == "false") return "OPTED_OUT";
    opt_in_missing |= unknown && spec.opt_in_required;
  }
  if (opt_in_missing) return "NO_OPT_IN";
  if (!question.channel.empty() && IsQuarantined(person, question.channel)) return "QUARANTINED";
  if (!question.altered || question.fields.empty()) return "";
  const auto mandatory = world_.attributes.find(question.fields.front());
  if (mandatory == world_.attributes.end()) return "";
  const auto value = found->second.values.find(mandatory->second.key);
  const bool missing = value == found->second.values.end() || value->second.value.null;
  return missing ? "MANDATORY_MISSING" : "";
}

std::string Model::Shown(int person, const Operation& question) const {
  std::string text;
  for (const char* ns : kShownNamespaces) {
    // Of several the first by value; one that was given comes before a hash that follows another.
    std::string given, derived;
    for (const auto& [identity, owner] : world_.owners) {
      if (owner.person != person || identity.first != ns) continue;
      std::string& first = owner.derived ? derived : given;
      if (first.empty()) first = identity.second;
    }
    absl::StrAppend(&text, " ", ns, ":", given.empty() ? derived : given);
  }
  for (const std::string& field : question.fields) {
    const auto& values = world_.people.at(person).values;
    const auto value = values.find(world_.attributes.at(field).key);
    const bool null = value == values.end() || value->second.value.null;
    absl::StrAppend(&text, " ", field, "=", null ? "null" : "'" + value->second.value.text + "'");
  }
  return text;
}

// Those who can be reached, with what is shown of them.
std::map<int, std::string> Model::Output(const List& list, const Operation& question) const {
  std::map<int, std::string> output;
  for (const auto& [person, member] : list.members) {
    if (!member.realized || !Exclusion(person, question).empty()) continue;
    output[person] = Shown(person, question);
  }
  return output;
}

// The server does not answer for a channel and purpose that no consent is about, unless there is no
// consent at all.
std::string Model::CheckReach(const Operation& question) const {
  bool any = false;
  for (const auto& [id, attribute] : world_.attributes) {
    const AttributeSpec& spec = attribute.spec;
    any |= spec.consent;
    const bool fits = spec.purpose.empty() || spec.purpose == question.purpose;
    if (spec.consent && spec.channel == question.channel && fits) return "";
  }
  return any && wire_ ? Refuse("INVALID_ARGUMENT", "FIELD_INVALID") : "";
}

std::string Model::Counts(const List& list) const {
  std::string text;
  for (const auto& [channel, purpose] :
       {std::pair("email", ""), std::pair("email", "promo"), std::pair("sms", "")}) {
    Operation question;
    question.channel = channel;
    question.purpose = purpose;
    if (const std::string refused = CheckReach(question); !refused.empty()) {
      absl::StrAppend(&text, "  ", channel, "/", purpose, " ", refused, "\n");
      continue;
    }
    std::map<std::string, int> counts;
    for (const auto& [person, member] : list.members) {
      if (!member.realized) continue;
      const std::string exclusion = Exclusion(person, question);
      ++counts[exclusion.empty() ? "reachable" : exclusion];
    }
    absl::StrAppend(&text, "  ", channel, "/", purpose);
    for (const auto& [what, count] : counts) absl::StrAppend(&text, " ", what, "=", count);
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string Model::ReadMembers(const Operation& op) {
  const auto found = world_.audiences.find(op.audience);
  if (found == world_.audiences.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  const List& list = world_.lists.at(found->second);
  std::string text = CheckReach(op);
  const bool refused = !text.empty();
  int64_t members = 0;
  std::map<std::string, int64_t> excluded;
  for (const auto& [person, member] : list.members) {
    if (!member.realized) continue;
    ++members;
    if (refused) continue;
    const std::string exclusion = Exclusion(person, op);
    if (!exclusion.empty()) ++excluded[exclusion];
    if (!exclusion.empty() && wire_) continue;
    absl::StrAppend(&text, "  #", person);
    if (times_.exact) absl::StrAppend(&text, " at ", times_(member.at_us));
    absl::StrAppend(&text, exclusion.empty() ? Shown(person, op) : " " + exclusion, "\n");
  }
  for (const auto& [exclusion, count] : excluded) {
    if (wire_) absl::StrAppend(&text, "  ", exclusion, "=", count, "\n");
  }
  return absl::StrCat("OK members=", members, "\n", Counts(list), text);
}

std::string Model::TakeNote(const Operation& op) {
  if (const std::string refused = CheckReach(op); !refused.empty()) return refused;
  const auto found = world_.audiences.find(op.audience);
  if (found == world_.audiences.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  Note note;
  note.list = found->second;
  note.question = op;
  note.at_us = world_.profiles_us;
  const List& list = world_.lists.at(note.list);
  for (const auto& [person, member] : list.members) {
    if (member.realized) note.members.insert(person);
  }
  note.copy = Output(list, op);
  world_.notes[op.id] = note;
  return "OK";
}

std::string Model::ReadNoted(const Operation& op) {
  const auto found = world_.notes.find(op.id);
  if (found == world_.notes.end()) return "no note";
  const Note& note = found->second;
  if (!world_.lists.at(note.list).exists) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  if (note.gone) return Refuse("OUT_OF_RANGE", "CURSOR_EXPIRED");
  std::string text = "OK\n";
  for (int person : note.members) absl::StrAppend(&text, "  #", person, "\n");
  return text;
}

// The copy, after what changed since the note was applied to it: what a full read gives now.
std::string Model::Follow(const Operation& op) {
  const auto found = world_.notes.find(op.id);
  if (found == world_.notes.end()) return "no note";
  Note& note = found->second;
  const List& list = world_.lists.at(note.list);
  if (!list.exists) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  if (note.gone) return Refuse("OUT_OF_RANGE", "CURSOR_EXPIRED");
  note.at_us = world_.profiles_us;
  note.copy = Output(list, note.question);
  note.members.clear();
  for (const auto& [person, member] : list.members) {
    if (member.realized) note.members.insert(person);
  }
  std::string text = "OK\n";
  for (const auto& [person, shown] : note.copy) {
    absl::StrAppend(&text, "  #", person, shown, "\n");
  }
  return text;
}

std::string Model::ReadFlows() {
  std::string text = "OK\n";
  for (const auto& [id, destination] : world_.destinations) {
    absl::StrAppend(&text, "  ", id, destination.paused ? " paused" : "",
                    " audiences=", destination.spec.audiences.size(),
                    " mappings=", destination.spec.mappings.size(), "\n");
  }
  for (const auto& [id, number] : world_.audiences) {
    const List& list = world_.lists.at(number);
    absl::StrAppend(&text, "  ", id,
                    list.staging.has_value() ? " replaced by " + list.staging->stream : "", "\n");
  }
  for (const auto& [id, attribute] : world_.attributes) absl::StrAppend(&text, "  ", id, "\n");
  for (const auto& [id, delivery] : world_.deliveries) {
    absl::StrAppend(&text, "  ", id, " ", delivery.channel, "/", delivery.purpose, "\n");
  }
  for (const auto& [id, reader] : world_.readers) {
    absl::StrAppend(&text, "  ", id, " ", StateOf(reader, now_us_), "\n");
  }
  return text;
}

}  // namespace passerelle::model
