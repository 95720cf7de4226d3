// Consumers: who reads the log, how far, and how long the log waits for them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

constexpr int64_t kDayUs = 24 * kHourUs;
constexpr int64_t kLogsKeptUs = 400 * kDayUs;
constexpr int64_t kPinUs = 30 * kDayUs;

}  // namespace

size_t Model::RowsGone() const {
  return std::count_if(world_.log.begin(), world_.log.end(),
                       [](const Logged& row) { return row.gone; });
}

const Logged* Model::NextOf(const Reader& reader) const {
  const size_t next = std::max(reader.position, RowsGone());
  return next < world_.log.size() ? &world_.log[next] : nullptr;
}

std::string Model::StateOf(const Reader& reader, int64_t us) const {
  const std::string text = absl::StrCat("after ", std::max(reader.position, RowsGone()), " rows ");
  if (reader.expired) return text + "EXPIRED";
  if (!reader.used) return text + "UNUSED";
  const Logged* next = NextOf(reader);
  if (next == nullptr) return text + "ACTIVE";
  const double share = static_cast<double>(us - next->append_us) / kPinUs;
  return text + (share < 0.5 ? "ACTIVE" : share < 0.8 ? "WARNING" : "CRITICAL");
}

std::string Model::ChangeConsumer(const Operation& op) {
  LogsCommit();
  const bool exists = world_.readers.count(op.id) != 0;
  if (op.verb == Verb::kDeleteConsumer) {
    if (!exists) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
    world_.readers.erase(op.id);
    return "OK";
  }
  if (exists) return Refuse("ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS");
  world_.readers[op.id].for_ever = op.altered;
  return "OK";
}

std::string Model::Consume(const Operation& op) {
  LogsCommit();
  const auto found = world_.readers.find(op.id);
  if (found == world_.readers.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  Reader& reader = found->second;
  if (reader.position < RowsGone()) return Refuse("OUT_OF_RANGE", "CURSOR_EXPIRED");
  const size_t end = std::min(world_.log.size(), reader.position + static_cast<size_t>(op.limit));
  std::string text;
  for (size_t i = reader.position; i < end; ++i) absl::StrAppend(&text, Shown(world_.log[i]));
  if (reader.expired) return text + Refuse("FAILED_PRECONDITION", "CONSUMER_EXPIRED");
  reader.used = true;
  reader.position = end;
  return text + StateOf(reader, commit_us_);
}

std::string Model::Seek(const Operation& op) {
  LogsCommit();
  const auto found = world_.readers.find(op.id);
  if (found == world_.readers.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  Reader& reader = found->second;
  reader.position = op.altered ? world_.log.size() : RowsGone();
  reader.used = true;
  reader.expired = false;
  reader.sought_us = commit_us_;
  return StateOf(reader, commit_us_);
}

void Model::ExpireConsumers() {
  for (auto& [id, reader] : world_.readers) {
    const Logged* next = NextOf(reader);
    if (next == nullptr || !reader.used || reader.for_ever) continue;
    if (now_us_ - reader.sought_us < kDayUs) continue;
    reader.expired |= next->append_us < now_us_ - kLogsKeptUs;
  }
}

// Rows go from the first one on.
void Model::SweepLog() {
  size_t last = world_.log.size();
  for (const auto& [id, reader] : world_.readers) {
    if (reader.used && !reader.expired) last = std::min(last, reader.position);
  }
  for (size_t i = 0; i < last; ++i) {
    Logged& row = world_.log[i];
    row.gone |= row.append_us < now_us_ - kLogsKeptUs;
  }
}

}  // namespace passerelle::model
