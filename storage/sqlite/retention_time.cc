#include "storage/sqlite/retention_time.h"

#include <algorithm>
#include <cstdlib>

#include "storage/sqlite/commit_log.h"
#include "storage/sqlite/meta_rows.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kKeepEveryUs = int64_t{24} * 3600 * 1'000'000;

constexpr char kRetentionUs[] = "retention_us";

// A file that keeps none yet begins with what it holds.
int64_t Load(Transaction& transaction) {
  const auto kept_us = MetaNumber(transaction.db(), kRetentionUs);
  if (kept_us.has_value()) return *kept_us;
  const auto first = FirstCommit(transaction.db());
  return first.has_value() ? first->commit_us : transaction.commit_us();
}

}  // namespace

absl::Duration RetentionTime::MoveOn(Transaction& transaction, absl::Time clock,
                                     absl::Duration step) {
  const int64_t clock_us = std::min(transaction.commit_us(), absl::ToUnixMicros(clock));
  if (step == absl::InfiniteDuration()) {
    now_us_ = clock_us;
    return absl::ZeroDuration();
  }
  if (!kept_us_.has_value()) kept_us_ = Load(transaction);
  now_us_ = std::min(clock_us, now_us_.value_or(*kept_us_) + absl::ToInt64Microseconds(step));
  if (std::abs(*now_us_ - *kept_us_) >= kKeepEveryUs) {
    SetMetaNumber(transaction.db(), kRetentionUs, *now_us_);
    kept_us_ = now_us_;
  }
  return absl::Microseconds(clock_us - *now_us_);
}

}  // namespace passerelle::storage::sqlite
