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

}  // namespace passerelle::model
