// One page of entries of several chains, in the order of their times.
#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "storage/reason.h"
#include "storage/sqlite/audit_rows.h"
#include "storage/sqlite/audit_trail.h"
#include "storage/sqlite/json_text.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// Rows that are looked at in one short read, and reads that are begun anew because writers cut
// them.
constexpr int64_t kScanRows = 20'000;
constexpr int kCutsMax = 50;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

AuditEntry EntryOf(const std::string& chain, AuditRow row) {
  AuditEntry entry;
  entry.chain = chain;
  entry.number = row.number;
  entry.commit_us = row.commit_us;
  entry.sequence = row.seq;
  entry.kind = static_cast<AuditKind>(row.kind);
  entry.act = std::move(row.act);
  if (row.counts.has_value()) entry.counts = DecodeJsonCounts(*row.counts);
  entry.exported_rows = row.exported_rows;
  return entry;
}

AuditPlace PlaceOf(const AuditEntry& entry) { return {entry.commit_us, entry.chain, entry.number}; }
bool ComesBefore(const AuditEntry& a, const AuditEntry& b) { return PlaceOf(a) < PlaceOf(b); }

// Gathers one page, chain by chain: the first entries of all that were seen so far.
class PageGatherer {
 public:
  explicit PageGatherer(const AuditQuery& query) : query_(query) {}

  // One chain, inside one transaction of its file.
  void Read(const std::string& chain, Database& db) {
    const int64_t first = FirstNumber(chain, db);
    // At the time of the last entry of the page so far another one may still come before it.
    const int64_t past =
        FirstAuditNumberSince(db, std::min(query_.end_us.value_or(kNever), Until()));
    const int64_t last = std::min(past - 1, first + kScanRows - 1);
    const AuditFilter filter{query_.caller, query_.method, query_.call_id};
    std::vector<AuditRow> rows = LoadAuditRows(db, {first - 1, last, query_.limit}, filter);
    if (static_cast<int32_t>(rows.size()) == query_.limit) {
      StopAt({rows.back().commit_us, chain, rows.back().number});
    } else if (last < past - 1) {
      StopAt({AuditCommitTime(db, last), chain, last});
    }
    Add(chain, std::move(rows));
  }

  AuditPage Page() && {
    AuditPage page;
    const auto end =
        stop_.has_value()
            ? std::find_if(entries_.begin(), entries_.end(),
                           [this](const AuditEntry& entry) { return *stop_ < PlaceOf(entry); })
            : entries_.end();
    page.entries.assign(std::make_move_iterator(entries_.begin()), std::make_move_iterator(end));
    page.next = stop_;
    return page;
  }

 private:
  int64_t FirstNumber(const std::string& chain, Database& db) const {
    const int64_t start = query_.start_us.value_or(std::numeric_limits<int64_t>::min());
    if (!query_.after.has_value()) return FirstAuditNumberSince(db, start);
    const AuditPlace& after = *query_.after;
    if (chain == after.chain) return after.number + 1;
    // Chains of one time follow each other by name.
    const int64_t since = chain < after.chain ? after.commit_us + 1 : after.commit_us;
    return FirstAuditNumberSince(db, std::max(start, since));
  }

  int64_t Until() const {
    const bool full = static_cast<int32_t>(entries_.size()) == query_.limit;
    return full ? entries_.back().commit_us + 1 : kNever;
  }

  void Add(const std::string& chain, std::vector<AuditRow> rows) {
    for (AuditRow& row : rows) entries_.push_back(EntryOf(chain, std::move(row)));
    std::sort(entries_.begin(), entries_.end(), ComesBefore);
    if (static_cast<int32_t>(entries_.size()) <= query_.limit) return;
    entries_.resize(static_cast<size_t>(query_.limit));
    StopAt(PlaceOf(entries_.back()));
  }

  // Nothing behind this place can be told yet.
  void StopAt(const AuditPlace& place) {
    if (!stop_.has_value() || place < *stop_) stop_ = place;
  }

  const AuditQuery& query_;
  std::vector<AuditEntry> entries_;  // in order
  std::optional<AuditPlace> stop_;
};

absl::Status ReadChain(const AuditFiles& files, const AuditChain& chain, PageGatherer& gatherer,
                       const ReadContext& context) {
  const std::string name = NameOf(chain);
  absl::Status status;
  for (int cuts = 0; cuts < kCutsMax; ++cuts) {
    status = files.With(chain, [&](File& file) {
      return file.Read(context, "audit: list", [&](const ReadLease& lease) {
        gatherer.Read(name, lease.db());
        return absl::OkStatus();
      });
    });
    if (ReasonOf(status) != Reason::kReadTooLong) break;
  }
  // It was deleted since the chains were listed.
  const bool is_gone = !status.ok() && !chain.instance.empty() &&
                       absl::IsNotFound(files.open(chain.instance).status());
  return is_gone ? absl::OkStatus() : status;
}

}  // namespace

absl::StatusOr<AuditPage> ListAudit(const AuditFiles& files, const std::vector<AuditChain>& chains,
                                    const AuditQuery& query, const ReadContext& context) {
  PageGatherer gatherer(query);
  for (const AuditChain& chain : chains) {
    RETURN_IF_ERROR(ReadChain(files, chain, gatherer, context));
  }
  return std::move(gatherer).Page();
}

}  // namespace passerelle::storage::sqlite
