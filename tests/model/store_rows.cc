#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "storage/reason.h"
#include "storage/status.h"
#include "tests/model/store_system.h"

namespace passerelle::model {
namespace {

using storage::AttributeType;
using storage::Cell;
using storage::Done;
using storage::WriteAck;

// FNV-1a: all that matters is that equal records have equal hashes.
uint32_t HashOfText(const std::string& text) {
  uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

template <class Store, class Batch>
absl::StatusOr<WriteAck> Await(Store& store, absl::Status (Store::*submit)(Batch&, Done<WriteAck>&),
                               Batch batch) {
  absl::StatusOr<WriteAck> result = absl::UnknownError("done was not called");
  absl::Notification called;
  Done<WriteAck> done = [&](absl::StatusOr<WriteAck> given) {
    result = std::move(given);
    called.Notify();
  };
  const absl::Status taken = (store.*submit)(batch, done);
  if (!taken.ok()) return taken;
  called.WaitForNotification();
  return result;
}

Cell CellOf(const Value& value, AttributeType type, std::string_view text) {
  Cell cell;
  cell.kind = Cell::Kind::kNull;
  if (value.null) return cell;
  cell.kind = Cell::Kind::kInt;
  switch (type) {
    case AttributeType::kString:
    case AttributeType::kStringList:
      cell.kind = Cell::Kind::kText;
      cell.text = text;
      break;
    case AttributeType::kDouble:
      cell.kind = Cell::Kind::kDouble;
      (void)absl::SimpleAtod(value.text, &cell.real);
      break;
    case AttributeType::kBool:
      cell.integer = value.text == "true";
      break;
    default:
      (void)absl::SimpleAtoi(value.text, &cell.integer);
  }
  return cell;
}

}  // namespace

absl::Status StoreSystem::MakePlan(const Operation& op, Plan& plan) {
  plan.kind = op.kind;
  const auto schema = instance().schema().schema();
  for (const storage::IdentityNamespace& ns : schema->namespaces()) {
    plan.namespaces[ns.id] = ns.number;
    const auto* derived = schema->DerivedFrom(ns);
    if (derived != nullptr) plan.derived[ns.id] = derived->number;
  }
  if (op.kind == Kind::kAppend) return absl::OkStatus();
  if (op.kind != Kind::kImport) return AddDestination(op, plan);
  for (const std::string& name : op.fields) {
    const storage::Attribute* attribute = schema->FindAttribute(name);
    Field field;
    field.write.name = name;
    field.write.attribute = attribute->number;
    field.type = attribute->type;
    plan.fields.push_back(field);
  }
  return absl::OkStatus();
}

absl::Status StoreSystem::AddDestination(const Operation& op, Plan& plan) {
  ASSIGN_OR_RETURN(const storage::Destination destination,
                   instance().flows().GetDestination(op.target, {}));
  plan.destination = destination.number;
  plan.revision = destination.revision;
  plan.scoped = !destination.audiences.empty();
  const auto schema = instance().schema().schema();
  for (const storage::FieldMapping& mapping : destination.mappings) {
    bool named = false;
    for (const std::string& field : op.fields) named |= field == mapping.source_field;
    if (!named) continue;
    Field field;
    field.write.name = mapping.source_field;
    field.write.attribute = mapping.attribute_number;
    field.write.identity = mapping.namespace_number;
    field.write.mandatory = mapping.mandatory;
    field.write.policy = mapping.policy;
    if (!mapping.writable_identity.empty()) {
      const auto derived = plan.derived.find(mapping.writable_identity);
      if (derived != plan.derived.end()) field.write.derived_identity = derived->second;
    } else {
      field.type = schema->FindAttribute(mapping.attribute_number)->type;
    }
    plan.fields.push_back(field);
  }
  for (const storage::DestinationAudience& audience : destination.audiences) {
    if (op.kind == Kind::kReplace && audience.source_id != op.audience) continue;
    plan.source_ids.push_back(audience.source_id);
    plan.audiences.push_back(audience.number);
  }
  return absl::OkStatus();
}

storage::RecordBatch StoreSystem::RecordsOf(const Plan& plan, const std::vector<Row>& rows) {
  storage::RecordBatch batch;
  auto texts = std::make_shared<std::deque<std::string>>();
  const auto keep = [&](std::string text) -> std::string_view {
    return texts->emplace_back(std::move(text));
  };
  batch.keepalive = texts;
  for (const Field& field : plan.fields) batch.fields.push_back(field.write);
  for (const Row& row : rows) {
    storage::Record record;
    record.first_identity = static_cast<uint32_t>(batch.identities.size());
    for (const auto& [ns, value] : row.identities) {
      batch.identities.push_back({plan.namespaces.at(ns), keep(value), false});
      const auto derived = plan.derived.find(ns);
      if (derived == plan.derived.end()) continue;
      batch.identities.push_back({derived->second, keep(HashOf(value)), true});
    }
    record.identities = static_cast<uint32_t>(batch.identities.size()) - record.first_identity;
    record.event_us = row.event_us;
    record.record_key = keep(row.key);
    record.content_hash = HashOfText(Describe(row));
    record.realized = row.realized;
    record.qualified_us = row.qualified_us;
    record.audience = static_cast<uint32_t>(plan.audiences.size());
    for (size_t i = 0; i < plan.source_ids.size(); ++i) {
      if (plan.source_ids[i] == row.audience) record.audience = static_cast<uint32_t>(i);
    }
    if (!row.bad_field.empty()) {
      record.refusal = storage::Refusal{storage::RowReason::kContainsNul, row.bad_field};
    }
    batch.records.push_back(record);
    for (const Field& field : plan.fields) {
      const auto value = row.fields.find(field.write.name);
      const bool absent = value == row.fields.end();
      batch.cells.push_back(absent ? Cell{}
                                   : CellOf(value->second, field.type, keep(value->second.text)));
      const bool hashed = !absent && field.write.derived_identity && !value->second.null;
      batch.derived_values.push_back(hashed ? keep(HashOf(value->second.text))
                                            : std::string_view());
    }
  }
  return batch;
}

StoreSystem::AckOr StoreSystem::Submit(const Plan& plan, const Operation& op,
                                       storage::WriteOptions options) {
  options.list_every_row = true;
  if (plan.kind == Kind::kAppend) return SubmitEntries(op, std::move(options));
  storage::RecordBatch rows = RecordsOf(plan, op.rows);
  planted_.Spoil(rows);
  if (plan.kind == Kind::kImport || (planted_.Is(Plant::kScopeIgnored) && plan.scoped &&
                                     plan.kind == Kind::kSync && !options.position)) {
    return Await(instance().importer(), &storage::ProfileImporter::SubmitImport,
                 storage::ImportBatch{options, std::move(rows)});
  }
  if (plan.kind == Kind::kSync) {
    return Await(instance().profiles(), &storage::ProfileStore::SubmitUpdates,
                 storage::UpdateBatch{options, plan.destination, plan.revision, std::move(rows)});
  }
  storage::PushBatch push{
      options,        plan.destination, plan.revision, plan.audiences, plan.kind == Kind::kReplace,
      std::move(rows)};
  if (planted_.Is(Plant::kReplaceMixes) && push.replace) {
    storage::PushBatch early{{},    plan.destination,        plan.revision, plan.audiences,
                             false, RecordsOf(plan, op.rows)};
    (void)Await(instance().audiences(), &storage::AudienceStore::SubmitPush, std::move(early));
  }
  return Await(instance().audiences(), &storage::AudienceStore::SubmitPush, std::move(push));
}

StoreSystem::AckOr StoreSystem::SubmitEntries(const Operation& op, storage::WriteOptions options) {
  const auto schema = instance().schema().schema();
  storage::AppendBatch batch;
  batch.options = std::move(options);
  for (const Entry& entry : op.entries) {
    storage::LogRecord record;
    storage::LogRow& row = record.row;
    row.kind = entry.tracking ? storage::LogKind::kTracking : storage::LogKind::kDelivery;
    row.delivery = entry.delivery;
    row.broadlog_id = entry.message;
    row.tracking_log_id = entry.tracking_id;
    row.event_us = entry.event_us.value_or(0);
    if (!entry.ns.empty()) {
      row.identity_namespace = entry.ns;
      row.identity_ns = schema->FindNamespace(entry.ns)->number;
      row.identity = entry.identity;
      const auto found = instance().profiles().LookupProfile(row.identity_ns, entry.identity, {});
      row.profile = found.ok() ? found->value : 0;
    }
    row.status = entry.status;
    row.failure_type = entry.failure_type;
    row.failure_reason = entry.failure_reason;
    row.tracking_kind = entry.tracking_kind;
    row.flags = entry.seed ? storage::kSeed : 0;
    record.record_key = entry.key;
    record.content_hash = HashOfText(Describe(entry));
    batch.rows.push_back(record);
  }
  std::vector<storage::Profile> before;
  if (planted_.Is(Plant::kOptOutLost)) {
    ASSIGN_OR_RETURN(before, instance().profiles().ListProfiles({}, 10'000, {}));
  }
  if (planted_.Is(Plant::kDuplicateAccepted)) AppendAgain(batch);
  const bool opts_out = std::any_of(op.entries.begin(), op.entries.end(), [](const Entry& entry) {
    return entry.tracking_kind == storage::kTrackingOptOut;
  });
  auto ack = Await(instance().logs(), &storage::LogStore::SubmitAppend, std::move(batch));
  if (ack.ok()) RETURN_IF_ERROR(instance().WaitFor(ack->position, {}));
  LearnRows();
  if (opts_out && !before.empty()) planted_.TakeBackOptOuts(instance(), before);
  return ack;
}

// The planted bug: rows that were appended before are appended once more, a moment later.
void StoreSystem::AppendAgain(const storage::AppendBatch& batch) {
  storage::AppendBatch again;
  for (const storage::LogRecord& record : batch.rows) {
    const storage::LogRow& row = record.row;
    const bool known = !appended_.insert(row.broadlog_id * 100 + row.tracking_log_id).second;
    if (known && row.event_us != 0) again.rows.push_back(record);
  }
  for (storage::LogRecord& record : again.rows) ++record.row.event_us;
  if (again.rows.empty()) return;
  (void)Await(instance().logs(), &storage::LogStore::SubmitAppend, std::move(again));
}

// Profiles are named by the order in which they were made.
void StoreSystem::LearnProfiles() {
  const auto made = instance().profiles().ListProfiles(storage::ProfileId{names_.last}, 10'000, {});
  if (!made.ok()) return;
  for (const storage::Profile& profile : *made) {
    names_.of.emplace(profile.id.value, static_cast<int>(names_.of.size()) + 1);
    names_.last = profile.id.value;
  }
}

std::string StoreSystem::Batch(const Operation& op) {
  Plan plan;
  if (const absl::Status made = MakePlan(op, plan); !made.ok()) return TextOf(made);
  storage::WriteOptions options;
  options.all_or_nothing = op.all_or_nothing;
  if (!op.request_id.empty() && !planted_.Is(Plant::kRequestForgotten)) {
    Operation payload = op;
    payload.request_id.clear();
    payload.fields.clear();
    std::string hash = absl::StrCat(HashOfText(Describe(payload)));
    hash.resize(32, '.');
    options.request = storage::RequestKey{op.request_id, "batch", hash};
  }
  const AckOr ack = Submit(plan, op, options);
  LearnProfiles();
  return ack.ok() ? TextOf(AckOf(*ack), true) : TextOf(ack.status());
}

}  // namespace passerelle::model
