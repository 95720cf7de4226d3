#include "tests/model/plants.h"

#include <utility>

#include "absl/synchronization/notification.h"

namespace passerelle::model {
namespace {

using storage::Cell;

const std::pair<const char*, Plant> kPlants[] = {
    {"double-on-retry", Plant::kDoubleOnRetry},
    {"stale-wins", Plant::kStaleWins},
    {"scope-ignored", Plant::kScopeIgnored},
    {"optout-lost", Plant::kOptOutLost},
    {"replace-mixes", Plant::kReplaceMixes},
    {"duplicate-accepted", Plant::kDuplicateAccepted},
    {"equal-time-optin-wins", Plant::kEqualTimeOptInWins},
    {"export-skips-a-row", Plant::kExportSkipsARow},
    {"request-forgotten", Plant::kRequestForgotten},
};

}  // namespace

std::optional<Plant> PlantNamed(const std::string& name) {
  for (const auto& [known, plant] : kPlants) {
    if (name == known) return plant;
  }
  return std::nullopt;
}

std::vector<std::string> PlantNames() {
  std::vector<std::string> names;
  for (const auto& [name, plant] : kPlants) names.emplace_back(name);
  return names;
}

void Planted::Spoil(storage::RecordBatch& batch) const {
  for (storage::Record& record : batch.records) {
    if (Is(Plant::kStaleWins)) record.event_us.reset();
    if (Is(Plant::kEqualTimeOptInWins) && record.event_us.has_value()) {
      const size_t row = &record - batch.records.data();
      for (size_t i = 0; i < batch.fields.size(); ++i) {
        const Cell& cell = batch.cells[row * batch.fields.size() + i];
        if (cell.kind == Cell::Kind::kInt && cell.integer == 1) ++*record.event_us;
      }
    }
  }
}

void Planted::TakeBackOptOuts(storage::InstanceStore& instance,
                              const std::vector<storage::Profile>& before) const {
  const auto schema = instance.schema().schema();
  for (const storage::Profile& profile : before) {
    for (const storage::Attribute& attribute : schema->attributes()) {
      if (!attribute.consent.has_value() || profile.identities.empty()) continue;
      storage::ImportBatch import;
      storage::FieldWrite field;
      field.attribute = attribute.number;
      import.rows.fields.push_back(field);
      storage::Record record;
      record.identities = 1;
      import.rows.records.push_back(record);
      const auto& [ns, value] = profile.identities.front();
      import.rows.identities.push_back({ns, value, false});
      Cell cell;
      cell.kind = Cell::Kind::kNull;
      for (const auto& [number, stored] : profile.attributes) {
        if (number == attribute.number) cell = {stored.kind, stored.integer, stored.real, ""};
      }
      import.rows.cells.push_back(cell);
      absl::Notification done;
      storage::Done<storage::WriteAck> call = [&](const absl::StatusOr<storage::WriteAck>&) {
        done.Notify();
      };
      if (instance.importer().SubmitImport(import, call).ok()) done.WaitForNotification();
    }
  }
}

}  // namespace passerelle::model
