#include "storage/sqlite/follower.h"

#include <algorithm>

#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/message_opt_outs.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/sqlite/quarantine.h"
#include "storage/sqlite/waiting.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kPosition[] = "log_applied_seq";
constexpr char kAddPending[] =
    "INSERT INTO pending_opt_out(namespace, value, channel, purpose, opt_out_us, profile) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
    "ON CONFLICT DO UPDATE SET opt_out_us = max(opt_out_us, excluded.opt_out_us), "
    "profile = iif(excluded.profile = 0, profile, excluded.profile)";

// A full queue or a read that was cut is gone after this.
constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);
// The end of the log is looked at this often, whether or not anybody told of it.
constexpr absl::Duration kRestMax = absl::Milliseconds(500);

int64_t ReadPosition(Database& db) { return MetaNumber(db, kPosition).value_or(0); }

ProfileId ProfileOf(ProfileEdits& edits, NamespaceNumber ns, const FollowedRow& row) {
  const ProfileId present = edits.Find(ns, row.identity);
  const ProfileId then{row.profile};
  return !present && then && edits.Exists(then) ? then : present;
}

Bounce BounceOf(const FollowedRow& row) {
  const bool hard = row.failure_type == kFailureHard && row.failure_reason != kNoAddress;
  return {row.event_us, hard || (row.flags & kQuarantine) != 0, row.failure_type,
          row.failure_reason};
}

void ApplyOne(Transaction& transaction, const Schema& schema, const Tombstones& tombstones,
              const FollowedRow& row) {
  const IdentityNamespace* ns = schema.FindNamespace(row.identity_namespace);
  if (ns == nullptr || tombstones.Has(schema, {ns->id, row.identity})) return;
  if (row.is_bounce) {
    return ApplyBounce(transaction, {ns->number, row.identity, row.channel}, BounceOf(row));
  }
  auto& edits = transaction.Overlay<ProfileEdits>();
  const ProfileId profile = ProfileOf(edits, ns->number, row);
  const auto consents = ConsentsOptedOut(schema, row.channel, row.purpose);
  if (!profile || consents.empty()) {
    StatementScope add(transaction.db().Prepared(kAddPending));
    add->BindAll(ns->number.value, row.identity, row.channel, row.purpose, row.event_us,
                 profile.value);
    add->Run();
    return;
  }
  for (const Attribute* consent : consents) edits.OptOut(profile, *consent, row.event_us);
}

absl::Status StoppedError() {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kStoreClosed,
                   "the store is shutting down before the log was applied that far");
}

}  // namespace

LogFollower::LogFollower(InstanceContext& context, SqliteLogs& logs)
    : context_(context), logs_(logs) {}

LogFollower::~LogFollower() { Stop(); }

absl::Status LogFollower::Start() {
  int64_t position = 0;
  RETURN_IF_ERROR(context_.profiles->Read({}, "follower: start", [&](const ReadLease& lease) {
    position = ReadPosition(lease.db());
    return absl::OkStatus();
  }));
  written_seq_ = position;
  {
    absl::MutexLock lock(&mutex_);
    applied_seq_ = position;
    context_.log_applied_seq = position;
    running_ = true;
  }
  subscription_ = logs_.Subscribe([this](int64_t) { Wake(); });
  thread_ = std::thread([this] { Loop(); });
  return absl::OkStatus();
}

void LogFollower::Stop() {
  if (!thread_.joinable()) return;
  logs_.Unsubscribe(subscription_);
  {
    absl::MutexLock lock(&mutex_);
    running_ = false;
  }
  thread_.join();
}

void LogFollower::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

bool LogFollower::Rest(absl::Duration longest) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this] {
    mutex_.AssertReaderHeld();
    return woken_ || !running_;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), longest);
  woken_ = false;
  return running_;
}

void LogFollower::Loop() {
  absl::Duration rest = absl::ZeroDuration();
  while (Rest(rest)) {
    const auto moved = Step();
    if (moved.ok()) {
      rest = *moved ? absl::ZeroDuration() : kRestMax;
    } else {
      Rest(kRetryAfter);
      rest = absl::ZeroDuration();
    }
  }
  // What cannot be written now is looked at again after the next start.
  if (applied_sequence() > written_seq_) Apply({{}, applied_sequence()}).IgnoreError();
}

// The end is read before the newest row to carry, which is noted before readers see its commit.
absl::StatusOr<bool> LogFollower::Step() {
  const int64_t end = context_.logs->readers().visible_seq();
  const int64_t position = applied_sequence();
  if (end <= position) return false;
  if (logs_.feed().newest_followed() <= position) {
    RETURN_IF_ERROR(Advance(end));
    return true;
  }
  FollowedPage page;
  RETURN_IF_ERROR(context_.logs->Read({}, "follower: read", [&](const ReadLease& lease) {
    page = ReadFollowed(lease, position, kBatchMax);
    return absl::OkStatus();
  }));
  if (!page.rows.empty()) RETURN_IF_ERROR(Apply(page));
  FAULT_POINT("follower-between-batches");
  RETURN_IF_ERROR(Advance(page.through));
  return true;
}

absl::Status LogFollower::Advance(int64_t seq) {
  if (seq - written_seq_ >= kWriteEvery) RETURN_IF_ERROR(Apply({{}, seq}));
  absl::MutexLock lock(&mutex_);
  applied_seq_ = std::max(applied_seq_, seq);
  context_.log_applied_seq = applied_seq_;
  return absl::OkStatus();
}

// What the file says decides which rows are new, not this object's memory. The schema is that of
// the transaction: an opt-out that is kept for lack of an attribute is kept before the attribute is
// made, and so looked at again after it.
absl::Status LogFollower::Apply(const FollowedPage& page) {
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    const auto schema = context_.schema.Get();
    const int64_t position = ReadPosition(transaction.db());
    if (page.through <= position) return absl::OkStatus();
    for (const FollowedRow& row : page.rows) {
      if (row.seq > position) ApplyOne(transaction, *schema, context_.tombstones, row);
    }
    SetMetaNumber(transaction.db(), kPosition, page.through);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(context_.profiles->Write(decide, WriteKind::kRelieving).status());
  written_seq_ = page.through;
  return absl::OkStatus();
}

absl::Status LogFollower::WaitForApplied(int64_t log_seq, const ReadContext& context) {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
  const auto settled = [&] {
    mutex_.AssertReaderHeld();
    return applied_seq_ >= log_seq || !running_;
  };
  RETURN_IF_ERROR(
      AwaitFor(mutex_, absl::Condition(&settled), context, "waiting for the log to be applied"));
  return applied_seq_ >= log_seq ? absl::OkStatus() : StoppedError();
}

int64_t LogFollower::applied_sequence() const {
  absl::MutexLock lock(&mutex_);
  return applied_seq_;
}

}  // namespace passerelle::storage::sqlite
