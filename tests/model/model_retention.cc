// What time, restarts and restores do.
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

constexpr int64_t kDayUs = 24 * kHourUs;
constexpr int64_t kChangesKeptUs = 400 * kDayUs;
constexpr int64_t kOutcomesKeptUs = 90 * kDayUs;
constexpr int64_t kStreamsKeptUs = 90 * kDayUs;

}  // namespace

void Model::PassTime(int64_t by_us) {
  ProfilesCommit();
  LogsCommit();
  now_us_ += by_us;
  ProfilesCommit();
  DropOldStagings();
}

std::string Model::Jump(const Operation& op) {
  PassTime(op.jump_us);
  if (op.altered) Reopen();
  return "OK";
}

void Model::Reopen() {
  world_.sessions.clear();
  Sweep();
}

std::string Model::Restart(const Operation&) {
  Reopen();
  return "OK";
}

std::string Model::Backup() {
  PassTime(0);
  saved_ = std::make_unique<const World>(world_);
  return "OK";
}

// All is as it was at the backup. Moments noted since are of another history.
std::string Model::Restore() {
  world_ = *saved_;
  world_.notes.clear();
  EraseAnew();
  Reopen();
  return "OK";
}

// By the clock, not by the time of commits.
void Model::Sweep() {
  LogsCommit();
  ProfilesCommit();
  DropOldStagings();
  for (auto& [id, stream] : world_.streams) SweepStream(stream);
  ExpireConsumers();
  SweepLog();
  for (auto& [id, note] : world_.notes) {
    note.gone |= note.at_us <= now_us_ - kChangesKeptUs;
  }
}

void Model::SweepStream(Stream& stream) const {
  stream.expired |= stream.used_us <= now_us_ - kStreamsKeptUs;
  if (stream.expired) {
    stream.token.clear();
    stream.outcomes.clear();
  }
  while (!stream.outcomes.empty() && stream.outcomes.front().first <= now_us_ - kOutcomesKeptUs) {
    stream.outcomes.erase(stream.outcomes.begin());
  }
}

}  // namespace passerelle::model
