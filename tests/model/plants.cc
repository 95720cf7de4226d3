#include "tests/model/plants.h"

#include <utility>

namespace passerelle::model {
namespace {

using storage::Cell;
using storage::LogKind;

const std::pair<const char*, Plant> kPlants[] = {
    {"double-on-retry", Plant::kDoubleOnRetry},
    {"stale-wins", Plant::kStaleWins},
    {"scope-ignored", Plant::kScopeIgnored},
    {"optout-lost", Plant::kOptOutLost},
    {"replace-mixes", Plant::kReplaceMixes},
    {"duplicate-accepted", Plant::kDuplicateAccepted},
    {"pending-optout-lost", Plant::kPendingOptOutLost},
    {"equal-time-optin-wins", Plant::kEqualTimeOptInWins},
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

void Planted::Spoil(storage::AppendBatch& batch) const {
  for (storage::LogRecord& record : batch.rows) {
    storage::LogRow& row = record.row;
    const bool opt_out =
        row.kind == LogKind::kTracking && row.tracking_kind == storage::kTrackingOptOut;
    const bool forgets = Is(Plant::kOptOutLost) || (Is(Plant::kPendingOptOutLost) && !row.profile);
    if (opt_out && forgets) row.identity_ns = {};
    if (opt_out && forgets) row.identity_namespace = {};
    if (Is(Plant::kDuplicateAccepted) && row.event_us != 0) {
      static int64_t drift = 0;
      row.event_us += ++drift % 1000;
    }
  }
}

}  // namespace passerelle::model
