#include "tests/model/model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace passerelle::model {

std::string Refuse(const std::string& code, const std::string& reason, const std::string& detail) {
  return absl::StrCat(code, " ", reason, detail.empty() ? "" : " ", detail);
}

bool IsDevice(const std::string& ns) { return ns == "ecid"; }

std::string DerivedNamespace(const std::string& ns) { return ns == "email" ? "email_sha256" : ""; }

Model::Model(const TimeText& times, bool wire) : times_(times), wire_(wire) {
  world_.namespaces = {"external_id", "email", "ecid", "email_sha256"};
}

// Commit times never go back.
int64_t Model::ProfilesCommit() {
  commit_us_ = world_.profiles_us = std::max(world_.profiles_us, now_us_);
  return commit_us_;
}

int64_t Model::LogsCommit() {
  commit_us_ = world_.logs_us = std::max(world_.logs_us, now_us_);
  return commit_us_;
}

namespace {

// Fields of a destination that the operation names, and its mandatory ones.
std::vector<std::string> MappedFields(const DestinationSpec& spec,
                                      const std::vector<std::string>& wanted) {
  std::vector<std::string> fields;
  for (const MappingSpec& mapping : spec.mappings) {
    const bool named =
        std::find(wanted.begin(), wanted.end(), mapping.source_field) != wanted.end();
    if (named || mapping.mandatory) fields.push_back(mapping.source_field);
  }
  return fields;
}

bool IsWrongType(const Destination& destination, Kind kind) {
  return destination.spec.audience_sync != (kind == Kind::kPush || kind == Kind::kReplace);
}

}  // namespace

void Model::Prepare(Operation& op) const {
  const bool makes_plan = op.verb == Verb::kBatch || op.verb == Verb::kOpen;
  if (op.verb == Verb::kSend || op.verb == Verb::kFinish || op.verb == Verb::kLeave) {
    PrepareSend(op);
  } else if (op.verb == Verb::kCreateDelivery || op.verb == Verb::kUpdateDelivery) {
    const auto gone = [&](const std::string& id) { return world_.audiences.count(id) == 0; };
    auto& named = op.audiences;
    named.erase(std::remove_if(named.begin(), named.end(), gone), named.end());
  } else if (op.verb == Verb::kReadMembers || op.verb == Verb::kNote ||
             (makes_plan && op.kind == Kind::kImport)) {
    auto gone = [&](const std::string& field) { return world_.attributes.count(field) == 0; };
    op.fields.erase(std::remove_if(op.fields.begin(), op.fields.end(), gone), op.fields.end());
  } else if (makes_plan && op.kind != Kind::kAppend) {
    const auto found = world_.destinations.find(op.target);
    if (found != world_.destinations.end() && IsWrongType(found->second, op.kind)) {
      op.verb = Verb::kNothing;
    } else if (found != world_.destinations.end()) {
      const DestinationSpec& spec = found->second.spec;
      op.fields = MappedFields(spec, op.fields);
      // The server wants a sync to be opened with a field.
      const bool wants_field = wire_ && op.kind == Kind::kSync && op.fields.empty();
      if (wants_field && !spec.mappings.empty()) {
        op.fields.push_back(spec.mappings.front().source_field);
      }
      op.audiences.clear();
      for (const auto& [source, audience] : spec.audiences) op.audiences.push_back(source);
      if (op.kind == Kind::kReplace && spec.audiences.empty()) op.verb = Verb::kNothing;
      if (op.kind == Kind::kReplace && !spec.audiences.empty()) {
        op.audience = spec.audiences[op.limit % spec.audiences.size()].first;
      }
    }
  }
  if (op.verb == Verb::kRestore && saved_ == nullptr) op.verb = Verb::kNothing;
  // Over the wire a noted moment is known by its end token only.
  if (wire_ && op.verb == Verb::kReadNoted) op.verb = Verb::kNothing;
  if (op.verb == Verb::kBatch && op.kind != Kind::kAppend) {
    RestrictRows(op.kind, world_.namespaces, {op.fields.begin(), op.fields.end()}, op.rows);
  }
}

std::string Model::Do(const Operation& op) {
  now_us_ = op.at_us;
  switch (op.verb) {
    case Verb::kNothing:
      return "nothing";
    case Verb::kCreateAttribute:
      return CreateAttribute(op);
    case Verb::kUpdateAttribute:
      return UpdateAttribute(op);
    case Verb::kDeleteAttribute:
      return DeleteAttribute(op);
    case Verb::kCreateNamespace:
    case Verb::kDeleteNamespace:
      return ChangeNamespace(op);
    case Verb::kCreateAudience:
    case Verb::kDeleteAudience:
      return ChangeAudience(op);
    case Verb::kCreateDestination:
      return CreateDestination(op);
    case Verb::kUpdateDestination:
      return UpdateDestination(op);
    case Verb::kPause:
    case Verb::kResume:
      return SetPaused(op);
    case Verb::kDeleteDestination:
      return DeleteDestination(op);
    case Verb::kCreateDelivery:
    case Verb::kUpdateDelivery:
    case Verb::kDeleteDelivery:
      return ChangeDelivery(op);
    case Verb::kCreateConsumer:
    case Verb::kDeleteConsumer:
      return ChangeConsumer(op);
    case Verb::kConsume:
      return Consume(op);
    case Verb::kSeek:
      return Seek(op);
    case Verb::kBatch:
      return Batch(op);
    case Verb::kDeleteProfile:
      return DeleteProfile(op);
    case Verb::kOpen:
      return Open(op);
    case Verb::kSend:
      return Send(op);
    case Verb::kFinish:
      return Finish(op);
    case Verb::kLeave:
      world_.sessions.erase(op.session);
      return "OK";
    case Verb::kDeleteStream:
      return DeleteStream(op);
    case Verb::kAbandon:
      return Abandon(op);
    case Verb::kRestart:
      return Restart();
    case Verb::kJump:
      Jump(op.jump_us);
      return op.altered ? Restart() : "OK";
    case Verb::kBackup:
      Jump(0);
      saved_ = std::make_unique<const World>(world_);
      return "OK";
    case Verb::kRestore:
      return Restore();
    case Verb::kReadProfiles:
      return ReadProfiles();
    case Verb::kReadMembers:
      return ReadMembers(op);
    case Verb::kNote:
      return TakeNote(op);
    case Verb::kReadNoted:
      return ReadNoted(op);
    case Verb::kFollow:
      return Follow(op);
    case Verb::kReadStreams:
      return ReadStreams();
    case Verb::kReadOutcomes:
      return ReadOutcomes(op);
    case Verb::kReadLogs:
      return ReadLogs(op);
    case Verb::kReadReport:
      return Report(op);
    case Verb::kReadFlows:
      return ReadFlows();
  }
  return "";
}

}  // namespace passerelle::model
