#include "storage/sqlite/member_reads.h"

#include <algorithm>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/sqlite/audience_rows.h"
#include "storage/sqlite/columns.h"
#include "storage/sqlite/commit_log.h"
#include "storage/sqlite/reach_lists.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// A read looks at this many profile ids at a time and stops at the first look at the clock after
// this time: rows that are not members at the moment count for nothing in a page's limit.
constexpr int64_t kWindowProfiles = 8'192;
constexpr absl::Duration kReadTakes = absl::Milliseconds(20);

constexpr char kGenerationAt[] =
    "SELECT generation, as_of_us FROM audience_generation"
    " WHERE audience = ?1 AND from_seq <= ?2 AND to_seq > ?2";
constexpr char kNextProfile[] =
    "SELECT profile FROM membership WHERE audience = ?1 AND generation = ?2 AND profile > ?3"
    " ORDER BY profile LIMIT 1";
constexpr char kCountWindow[] =
    "SELECT count(*) FROM membership WHERE audience = ?1 AND generation = ?2"
    " AND profile BETWEEN ?3 AND ?4 AND status = 1 AND from_seq <= ?5 AND to_seq > ?5";
constexpr char kSelectMembers[] = "SELECT m.profile, m.qualified_us, p.id";
constexpr char kFromMembers[] = " FROM membership m LEFT JOIN profile p ON p.id = m.profile";
constexpr char kWhereMembers[] =
    " WHERE m.audience = ?1 AND m.generation = ?2 AND m.profile BETWEEN ?3 AND ?4"
    " AND m.status = 1 AND m.from_seq <= ?5 AND m.to_seq > ?5 ORDER BY m.profile";
constexpr int kFirstColumn = 2;  // p.id
absl::Status HistoryGone(Database& db, absl::string_view what) {
  const auto first = FirstCommit(db);
  const absl::Time kept_from = absl::FromUnixMicros(first.has_value() ? first->commit_us : 0);
  return MakeError(
      absl::StatusCode::kOutOfRange, Reason::kHistoryGone,
      absl::StrCat(what, ": older than the changes kept, which begin at ",
                   absl::FormatTime(absl::RFC3339_full, kept_from, absl::UTCTimeZone()),
                   "; ask for a later moment, or start with a full read"));
}

std::string MembersSql(absl::Span<const AttributeNumber> columns) {
  const JoinedColumns joined = JoinColumns(columns);
  return absl::StrCat(kSelectMembers, joined.columns, kFromMembers, joined.joins, kWhereMembers);
}

// The windows of one generation, from a profile on, within the time of one read.
class Windows {
 public:
  Windows(Database& db, const AudienceMoment& moment, int64_t generation, int64_t after)
      : db_(db), moment_(moment), generation_(generation), last_(after) {}

  // False: no more rows, or no more time.
  bool Next() {
    if (first_ != 0 && absl::Now() > stop_at_) return false;
    const auto next = NextProfile(db_, moment_.audience, generation_, last_);
    at_end_ = !next.has_value();
    if (at_end_) return false;
    first_ = *next;
    last_ = first_ + kWindowProfiles - 1;
    return true;
  }
  void Bind(Statement& statement) const {
    statement.BindAll(moment_.audience.value, generation_, first_, last_, moment_.sequence);
  }
  bool at_end() const { return at_end_; }
  int64_t last() const { return last_; }

 private:
  Database& db_;
  const AudienceMoment& moment_;
  const int64_t generation_;
  const absl::Time stop_at_ = absl::Now() + kReadTakes;
  int64_t first_ = 0;
  int64_t last_;
  bool at_end_ = false;
};

using Position = std::optional<MemberPosition>;

Position ReadPage(Database& db, const AudienceMoment& moment, int64_t generation,
                  const OutputPlan& plan, const std::string& sql, int64_t after, int32_t limit,
                  MemberSink sink) {
  Windows windows(db, moment, generation, after);
  MemberRowReader reader(db, plan);
  MemberRow member;
  int32_t given = 0;
  while (windows.Next()) {
    StatementScope list(db.PreparedGenerated(sql));
    windows.Bind(*list);
    while (list->Step()) {
      member.profile = ProfileId{list->Int(0)};
      member.qualified_us = list->Int(1);
      reader.Read(*list, kFirstColumn, member);
      sink(member);
      if (++given == limit) return MemberPosition{1, member.profile.value};
    }
  }
  if (windows.at_end()) return std::nullopt;
  return MemberPosition{1, windows.last()};
}

// How one Output of a count is judged; its columns begin at `first`.
struct Reach {
  OutputPlan plan;
  int first;
};

class Counter {
 public:
  Counter(const AudienceMoment& moment, absl::Span<const Output> outputs, const Schema& schema) {
    count_.moment = moment;
    std::vector<AttributeNumber> columns;
    for (const Output& output : outputs) {
      Output judged = output;
      judged.attributes.clear();
      OutputPlan plan(judged, schema);
      const int first = kFirstColumn + 1 + static_cast<int>(columns.size());
      columns.insert(columns.end(), plan.columns().begin(), plan.columns().end());
      reaches_.push_back({std::move(plan), first});
      channels_.push_back(output.channel);
      count_.reaches.push_back({output.channel, output.purpose});
    }
    sql_ = reaches_.empty() ? kCountWindow : MembersSql(columns);
  }

  // Counts on from `after`; returns up to where, nullopt at the end.
  std::optional<int64_t> CountPage(Database& db, int64_t generation, int64_t after) {
    Windows windows(db, count_.moment, generation, after);
    BlockWalker blocks(db, channels_);
    while (windows.Next()) {
      StatementScope list(db.PreparedGenerated(sql_));
      windows.Bind(*list);
      reaches_.empty() ? AddNumber(*list) : AddRows(*list, blocks);
    }
    if (windows.at_end()) return std::nullopt;
    return windows.last();
  }

  MemberCount Take() { return std::move(count_); }

 private:
  void AddNumber(Statement& number) {
    if (number.Step()) count_.members += number.Int(0);
  }
  void AddRows(Statement& list, BlockWalker& blocks) {
    while (list.Step()) {
      ++count_.members;
      const bool deleted = list.IsNull(kFirstColumn);
      const std::vector<int64_t>& blocked = blocks.At(ProfileId{list.Int(0)});
      for (size_t i = 0; i < reaches_.size(); ++i) {
        const Exclusion exclusion =
            deleted ? Exclusion::kProfileDeleted
                    : reaches_[i].plan.Judge(list, reaches_[i].first, blocked[i]);
        if (exclusion == Exclusion::kNone) {
          ++count_.reaches[i].reachable;
        } else {
          ++count_.reaches[i].excluded[static_cast<int>(exclusion)];
        }
      }
    }
  }

  std::vector<Reach> reaches_;
  std::vector<std::string> channels_;  // one for each of them
  std::string sql_;
  MemberCount count_;
};

}  // namespace

std::optional<GenerationRow> GenerationAt(Database& db, AudienceNumber audience, int64_t sequence) {
  StatementScope get(db.Prepared(kGenerationAt));
  get->BindAll(audience.value, sequence);
  if (!get->Step()) return std::nullopt;
  return GenerationRow{get->Int(0), get->Int(1)};
}

std::optional<int64_t> NextProfile(Database& db, AudienceNumber audience, int64_t generation,
                                   int64_t after) {
  StatementScope get(db.Prepared(kNextProfile));
  get->BindAll(audience.value, generation, after);
  if (!get->Step()) return std::nullopt;
  return get->Int(0);
}

absl::Status CheckMoment(const File& file, const ReadLease& lease, const AudienceMoment& moment) {
  if (moment.epoch != file.last_commit().epoch) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kStoreRestored,
                     "the moment is of the store before it was restored; start with a full read");
  }
  if (moment.sequence > lease.seq()) {
    return MakeError(absl::StatusCode::kOutOfRange, Reason::kBeyondEnd,
                     absl::StrCat("sequence ", moment.sequence, " is not written yet, the last is ",
                                  lease.seq()));
  }
  // First: "read from a later moment" would be no help.
  if (!FindAudience(lease.db(), moment.audience).has_value()) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound, "the audience was deleted");
  }
  const auto first = FirstCommit(lease.db());
  if (first.has_value() && moment.sequence < first->sequence) {
    return HistoryGone(lease.db(), "the moment");
  }
  return absl::OkStatus();
}

absl::Status CheckLists(const InstanceContext& instance, Database& db, const Output& output) {
  if (output.channel.empty()) return absl::OkStatus();
  return CheckSuppressionKeys(db, instance.store_keys.get());
}

absl::StatusOr<AudienceMoment> MomentOf(const File& file, std::string_view id,
                                        std::optional<int64_t> as_of_us,
                                        const ReadContext& context) {
  AudienceMoment moment;
  moment.epoch = file.last_commit().epoch;
  RETURN_IF_ERROR(file.Read(context, "audiences: moment", [&](const ReadLease& lease) {
    const auto audience = FindAudience(lease.db(), id);
    if (!audience.has_value()) {
      return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound,
                       absl::StrCat("there is no audience ", std::string(id)));
    }
    moment.audience = audience->number;
    const auto commit =
        as_of_us.has_value() ? LastCommitAt(lease.db(), *as_of_us) : LastCommit(lease.db());
    if (!commit.has_value()) return HistoryGone(lease.db(), "as_of");
    moment.sequence = commit->sequence;
    moment.commit_us = commit->commit_us;
    return absl::OkStatus();
  }));
  return moment;
}

absl::StatusOr<MemberCount> CountMembers(const InstanceContext& instance,
                                         const AudienceMoment& moment,
                                         absl::Span<const Output> reaches,
                                         const ReadContext& context) {
  const auto schema = instance.schema.Get();
  Counter counter(moment, reaches, *schema);
  std::optional<int64_t> after = std::numeric_limits<int64_t>::min();
  while (after.has_value()) {
    RETURN_IF_ERROR(instance.profiles->Read(context, "audiences: count", [&](const auto& lease) {
      RETURN_IF_ERROR(CheckMoment(*instance.profiles, lease, moment));
      for (const Output& reach : reaches) {
        RETURN_IF_ERROR(CheckLists(instance, lease.db(), reach));
      }
      const auto at = GenerationAt(lease.db(), moment.audience, moment.sequence);
      after = at.has_value() ? counter.CountPage(lease.db(), at->generation, *after) : std::nullopt;
      return absl::OkStatus();
    }));
  }
  return counter.Take();
}

absl::StatusOr<std::optional<MemberPosition>> ReadMembers(
    const InstanceContext& instance, const AudienceMoment& moment, const Output& output,
    MemberPosition position, int32_t limit, MemberSink sink, const ReadContext& context) {
  const auto schema = instance.schema.Get();
  const OutputPlan plan(output, *schema);
  const std::string sql = MembersSql(plan.columns());
  Position next;
  RETURN_IF_ERROR(instance.profiles->Read(context, "audiences: members", [&](const auto& lease) {
    RETURN_IF_ERROR(CheckMoment(*instance.profiles, lease, moment));
    RETURN_IF_ERROR(CheckLists(instance, lease.db(), output));
    const auto at = GenerationAt(lease.db(), moment.audience, moment.sequence);
    if (!at.has_value()) return absl::OkStatus();
    next = ReadPage(lease.db(), moment, at->generation, plan, sql, position.after, limit, sink);
    return absl::OkStatus();
  }));
  return next;
}

}  // namespace passerelle::storage::sqlite
