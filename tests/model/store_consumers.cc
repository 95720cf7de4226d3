#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/model/store_system.h"

namespace passerelle::model {
namespace {

constexpr char kSource[] = "all";
constexpr const char* kStates[] = {"", "UNUSED", "ACTIVE", "WARNING", "CRITICAL", "EXPIRED"};

}  // namespace

// Sequences of new rows, so that positions can be told in rows.
void StoreSystem::LearnRows() {
  std::vector<int64_t>& rows = names_.rows;
  const auto take = [&](const storage::LogRow& row) {
    rows.push_back(row.sequence);
    return false;
  };
  const int64_t after = rows.empty() ? 0 : rows.back();
  (void)instance().logs().ReadLogs({}, after, 10'000, 10'000, take, {});
}

std::string StoreSystem::StateOf(const storage::Consumer& consumer) {
  const auto bounds = instance().logs().Bounds({});
  if (!bounds.ok()) return TextOf(bounds.status());
  const int64_t position = std::max(consumer.acknowledged_sequence, bounds->earliest - 1);
  const auto& rows = names_.rows;
  const auto read = std::upper_bound(rows.begin(), rows.end(), position) - rows.begin();
  return absl::StrCat("after ", read, " rows ", kStates[static_cast<int>(consumer.state)]);
}

std::string StoreSystem::ChangeConsumer(const Operation& op) {
  if (op.verb == Verb::kDeleteConsumer) {
    const auto deleted = instance().logs().DeleteConsumer(kSource, op.id);
    return deleted.ok() ? "OK" : TextOf(deleted.status());
  }
  storage::ConsumerSettings settings;
  if (op.altered) settings.max_pin_us = storage::kForever;
  const auto made = instance().logs().CreateConsumer(kSource, op.id, settings, {});
  return made.ok() ? "OK" : TextOf(made.status());
}

std::string StoreSystem::Consume(const Operation& op) {
  const auto consumer = instance().logs().GetConsumer(kSource, op.id, {});
  if (!consumer.ok()) return TextOf(consumer.status());
  std::string text;
  int64_t last = consumer->acknowledged_sequence;
  const auto take = [&](const storage::LogRow& row) {
    absl::StrAppend(&text, Shown(row));
    last = row.sequence;
    return false;
  };
  const auto page = instance().logs().ReadLogs({}, last, op.limit, 10'000, take, {});
  if (!page.ok()) return TextOf(page.status());
  const auto moved = instance().logs().Acknowledge(kSource, op.id, last);
  return text + (moved.ok() ? StateOf(moved->value) : TextOf(moved.status()));
}

std::string StoreSystem::Seek(const Operation& op) {
  const auto bounds = instance().logs().Bounds({});
  if (!bounds.ok()) return TextOf(bounds.status());
  const int64_t to = op.altered ? bounds->end : bounds->earliest - 1;
  const auto moved = instance().logs().Seek(kSource, op.id, to);
  return moved.ok() ? StateOf(moved->value) : TextOf(moved.status());
}

std::string StoreSystem::ReadConsumers() {
  std::string text;
  const auto consumers = instance().logs().ListConsumers(kSource, {}, {});
  if (!consumers.ok()) return TextOf(consumers.status());
  for (const storage::Consumer& consumer : consumers->items) {
    absl::StrAppend(&text, "  ", consumer.id, " ", StateOf(consumer), "\n");
  }
  return text;
}

}  // namespace passerelle::model
