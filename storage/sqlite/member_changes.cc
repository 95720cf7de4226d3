#include "storage/sqlite/member_changes.h"

#include <algorithm>
#include <map>
#include <roaring/roaring64map.hh>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/audience_rows.h"
#include "storage/sqlite/columns.h"
#include "storage/sqlite/member_output.h"
#include "storage/sqlite/member_reads.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int32_t kPhaseMembers = 1;
constexpr int32_t kPhaseLog = 2;
// Profile ids, and sequences, that one read looks at.
constexpr int64_t kWindowProfiles = 8'192;
constexpr int64_t kWindowChanges = 32'768;

constexpr char kStatusAt[] =
    "SELECT status, qualified_us FROM membership"
    " WHERE audience = ?1 AND generation = ?2 AND profile = ?3 AND from_seq <= ?4 AND to_seq > ?4";
constexpr char kWindowAt[] =
    "SELECT profile, status, qualified_us FROM membership"
    " WHERE audience = ?1 AND generation = ?2 AND profile BETWEEN ?3 AND ?4"
    " AND from_seq <= ?5 AND to_seq > ?5 ORDER BY profile";
// 2 attributes, 3 realized, 4 exited, 7 identities, 8 reach.
constexpr char kChanges[] =
    "SELECT seq, kind, profile FROM change WHERE seq > ?1 AND seq <= ?2"
    " AND (kind IN (2, 7, 8) OR (kind IN (3, 4) AND audience = ?3)) ORDER BY seq";
constexpr char kSelectProfile[] = "SELECT p.id";
constexpr char kFromProfile[] = " FROM profile p";
constexpr char kWhereProfile[] = " WHERE p.id = ?1";

// A moment, resolved to a generation.
struct Side {
  AudienceMoment moment;
  std::optional<GenerationRow> at;
};

struct Standing {
  bool in = false;
  std::optional<int64_t> qualified_us;  // there is a row
};

Standing StandingOf(const Statement& row, int first) {
  return {row.Int(first) == 1, row.Int(first + 1)};
}

Standing StandingAt(Database& db, const Side& side, int64_t profile) {
  if (!side.at.has_value()) return {};
  StatementScope get(db.Prepared(kStatusAt));
  get->BindAll(side.moment.audience.value, side.at->generation, profile, side.moment.sequence);
  return get->Step() ? StandingOf(*get, 0) : Standing{};
}

struct Pair {
  Standing from;
  Standing to;
};

class Changes : public MemberChanges {
 public:
  Changes(InstanceContext& instance, const AudienceMoment& from, const AudienceMoment& to,
          const Output& output, MemberPosition position)
      : instance_(instance), from_{from, {}}, to_{to, {}}, output_(output), position_(position) {}

  absl::StatusOr<std::optional<MemberPosition>> Next(int32_t limit, MemberSink sink,
                                                     const ReadContext& context) override {
    const auto schema = instance_.schema.Get();
    const OutputPlan plan(output_, *schema);
    const JoinedColumns joined = JoinColumns(plan.columns());
    sql_ = absl::StrCat(kSelectProfile, joined.columns, kFromProfile, joined.joins, kWhereProfile);
    given_ = 0;
    while (given_ == 0 && !at_end_) {
      RETURN_IF_ERROR(
          instance_.profiles->Read(context, "audiences: changes", [&](const ReadLease& lease) {
            return NextPage(lease, Page{lease.db(), plan, limit, sink});
          }));
    }
    if (at_end_) return std::nullopt;
    return position_;
  }

 private:
  struct Page {
    Database& db;
    const OutputPlan& plan;
    int32_t limit;
    MemberSink sink;
  };
  // Profiles of some of the change log; true: attributes, identities or reach changed.
  struct Touched {
    std::map<int64_t, bool> profiles;
    int64_t up_to = 0;
  };

  absl::Status NextPage(const ReadLease& lease, const Page& page) {
    RETURN_IF_ERROR(CheckMoment(*instance_.profiles, lease, from_.moment));
    RETURN_IF_ERROR(CheckMoment(*instance_.profiles, lease, to_.moment));
    RETURN_IF_ERROR(CheckLists(instance_, lease.db(), output_));
    Start(page.db);
    if (position_.phase == kPhaseMembers) return CompareMembers(page);
    if (seen_up_to_ < position_.after) return Remember(page.db);
    return ReadLog(page);
  }

  void Start(Database& db) {
    if (started_) return;
    from_.at = GenerationAt(db, from_.moment.audience, from_.moment.sequence);
    to_.at = GenerationAt(db, to_.moment.audience, to_.moment.sequence);
    replaced_ =
        !from_.at.has_value() || !to_.at.has_value() || from_.at->generation != to_.at->generation;
    seen_up_to_ = from_.moment.sequence;
    if (position_.phase == 0) {
      position_ = replaced_ ? MemberPosition{kPhaseMembers, 0}
                            : MemberPosition{kPhaseLog, from_.moment.sequence};
    }
    started_ = true;
  }

  // Phase 1.
  absl::Status CompareMembers(const Page& page) {
    const auto first = FirstAfter(page.db, position_.after);
    if (!first.has_value()) {
      position_ = {kPhaseLog, from_.moment.sequence};
      return absl::OkStatus();
    }
    const int64_t last = *first + kWindowProfiles - 1;
    std::map<int64_t, Pair> pairs;
    ReadWindow(page.db, from_, *first, last, &Pair::from, pairs);
    ReadWindow(page.db, to_, *first, last, &Pair::to, pairs);
    MemberPosition next{kPhaseMembers, last};
    for (const auto& [profile, pair] : pairs) {
      if (pair.from.in == pair.to.in) continue;
      Give(page, profile, pair, pair.to.in ? MemberChange::kEntered : MemberChange::kExited);
      next.after = profile;
      if (given_ == page.limit) break;
      next.after = last;
    }
    position_ = next;
    return absl::OkStatus();
  }

  std::optional<int64_t> FirstAfter(Database& db, int64_t after) const {
    std::optional<int64_t> first;
    for (const Side* side : {&from_, &to_}) {
      if (!side->at.has_value()) continue;
      const auto next = NextProfile(db, side->moment.audience, side->at->generation, after);
      if (next.has_value() && (!first.has_value() || *next < *first)) first = next;
    }
    return first;
  }

  static void ReadWindow(Database& db, const Side& side, int64_t first, int64_t last,
                         Standing Pair::*which, std::map<int64_t, Pair>& pairs) {
    if (!side.at.has_value()) return;
    StatementScope list(db.Prepared(kWindowAt));
    list->BindAll(side.moment.audience.value, side.at->generation, first, last,
                  side.moment.sequence);
    while (list->Step()) pairs[list->Int(0)].*which = StandingOf(*list, 1);
  }

  // Phase 2. An error leaves the position and the seen profiles as they were.
  absl::Status ReadLog(const Page& page) {
    if (position_.after >= to_.moment.sequence) {
      at_end_ = true;
      return absl::OkStatus();
    }
    const Touched touched = ReadTouched(page.db, position_.after, to_.moment.sequence, page.limit);
    std::vector<int64_t> done;
    for (const auto& [profile, attributes] : touched.profiles) {
      const Pair pair{StandingAt(page.db, from_, profile), StandingAt(page.db, to_, profile)};
      if (!IsDone(pair, attributes)) continue;
      done.push_back(profile);
      GiveTouched(page, profile, pair);
    }
    for (int64_t profile : done) seen_.add(static_cast<uint64_t>(profile));
    position_.after = touched.up_to;
    seen_up_to_ = touched.up_to;
    return absl::OkStatus();
  }

  // Does again, without giving rows, what was done before the position.
  absl::Status Remember(Database& db) {
    const Touched touched =
        ReadTouched(db, seen_up_to_, position_.after, std::numeric_limits<int32_t>::max());
    for (const auto& [profile, attributes] : touched.profiles) {
      const Pair pair{StandingAt(db, from_, profile), StandingAt(db, to_, profile)};
      if (IsDone(pair, attributes)) seen_.add(static_cast<uint64_t>(profile));
    }
    seen_up_to_ = touched.up_to;
    return absl::OkStatus();
  }

  // The next change rows of profiles not done with yet, at most `limit` profiles.
  Touched ReadTouched(Database& db, int64_t after, int64_t end, int32_t limit) const {
    Touched touched;
    touched.up_to = std::min(end, after + kWindowChanges);
    StatementScope list(db.Prepared(kChanges));
    list->BindAll(after, touched.up_to, to_.moment.audience.value);
    while (list->Step()) {
      const int64_t profile = list->Int(2);
      if (seen_.contains(static_cast<uint64_t>(profile))) continue;
      const auto kind = static_cast<ChangeKind>(list->Int(1));
      touched.profiles[profile] |= kind == ChangeKind::kAttributes ||
                                   kind == ChangeKind::kIdentities || kind == ChangeKind::kReach;
      if (static_cast<int32_t>(touched.profiles.size()) < limit) continue;
      touched.up_to = list->Int(0);
      break;
    }
    return touched;
  }

  // Whether later change rows of the profile can tell nothing more. A member that stayed is waited
  // for until its attributes change.
  static bool IsDone(const Pair& pair, bool attributes) {
    return attributes || !pair.from.in || !pair.to.in;
  }

  void GiveTouched(const Page& page, int64_t profile, const Pair& pair) {
    if (pair.from.in && pair.to.in) return Give(page, profile, pair, MemberChange::kUpdated);
    if (replaced_ || pair.from.in == pair.to.in) return;
    Give(page, profile, pair, pair.to.in ? MemberChange::kEntered : MemberChange::kExited);
  }

  void Give(const Page& page, int64_t profile, const Pair& pair, MemberChange change) {
    MemberRow member;
    member.profile = ProfileId{profile};
    member.change = change;
    member.qualified_us = pair.to.qualified_us.value_or(ReplacedUs());
    StatementScope get(page.db.PreparedGenerated(sql_));
    get->BindInt(1, profile);
    MemberRowReader reader(page.db, page.plan);
    const bool exists = get->Step();
    if (exists) {
      reader.Read(*get, 0, member);
    } else {
      member.exclusion = Exclusion::kProfileDeleted;
    }
    const bool out_of_reach =
        change == MemberChange::kUpdated && member.exclusion != Exclusion::kNone;
    if (out_of_reach) member.change = MemberChange::kExited;
    if (member.change == MemberChange::kExited && member.exclusion != Exclusion::kNone) {
      if (exists) reader.ShowIdentities(member);
      if (!exists) member.exclusion = Exclusion::kNone;
    }
    page.sink(member);
    ++given_;
  }

  // When a profile left that the new generation does not know.
  int64_t ReplacedUs() const {
    if (!to_.at.has_value() || to_.at->as_of_us == kNoAsOf) return to_.moment.commit_us;
    return to_.at->as_of_us;
  }

  InstanceContext& instance_;
  Side from_;
  Side to_;
  const Output output_;
  MemberPosition position_;
  std::string sql_;
  bool started_ = false;
  bool replaced_ = false;
  bool at_end_ = false;
  int32_t given_ = 0;
  // Profiles that change rows up to seen_up_to_ are done with: given, or never to be given.
  Roaring64Map seen_;
  int64_t seen_up_to_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MemberChanges>> MakeMemberChanges(InstanceContext& instance,
                                                                 const AudienceMoment& from,
                                                                 const AudienceMoment& to,
                                                                 const Output& output,
                                                                 MemberPosition position) {
  const int64_t epoch = instance.profiles->last_commit().epoch;
  if (from.epoch != epoch || to.epoch != epoch) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kStoreRestored,
                     "the moment is of the store before it was restored; start with a full read");
  }
  if (from.audience != to.audience || from.sequence > to.sequence) {
    return absl::InvalidArgumentError(
        "changes: wanted two moments of one audience, the earlier one first");
  }
  RETURN_IF_ERROR(instance.profiles->Read({}, "audiences: changes", [&](const ReadLease& lease) {
    return CheckMoment(*instance.profiles, lease, from);
  }));
  return std::make_unique<Changes>(instance, from, to, output, position);
}

}  // namespace passerelle::storage::sqlite
