#include "storage/sqlite/housekeeping.h"

#include <utility>

#include "storage/sqlite/membership_sweep.h"
#include "storage/sqlite/pending_revisit.h"
#include "storage/sqlite/retention.h"
#include "storage/sqlite/suppression_search.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr Chore kChores[] = {
    {"membership", [](InstanceContext& context) { StartMembershipSweep(*context.profiles); }},
    {"pending opt-outs", StartRevisit},
    {"suppressions", StartSuppressionSearch},
    {"retention", StartRetention},
};

}  // namespace

absl::Span<const Chore> Chores() { return kChores; }

void StartChores(InstanceContext& context) {
  for (const Chore& chore : Chores()) chore.start(context);
}

Housekeeping::Housekeeping(absl::Duration period, std::function<void()> round)
    : period_(period), round_(std::move(round)), thread_([this] { Loop(); }) {}

Housekeeping::~Housekeeping() { Stop(); }

void Housekeeping::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  absl::MutexLock lock(&join_mutex_);
  if (thread_.joinable()) thread_.join();
}

bool Housekeeping::Rest() {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&stopped_), period_);
}

void Housekeeping::Loop() {
  while (Rest()) round_();
}

}  // namespace passerelle::storage::sqlite
