// Checks of the profiles file: audiences, their generations and the intervals of their members.
#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "storage/sqlite/checks.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAudiences[] =
    "SELECT a.number, a.generation, a.next_generation, a.deleted, "
    "(SELECT max(generation) FROM audience_generation g WHERE g.audience = a.number), "
    "(SELECT to_seq FROM audience_generation g WHERE g.audience = a.number "
    " AND g.generation = a.generation), "
    "(SELECT generation FROM audience_replace r WHERE r.audience = a.number) "
    "FROM audience a WHERE a.number >= ?1 ORDER BY a.number LIMIT ?2";
constexpr char kGenerations[] =
    "SELECT audience, generation, from_seq, to_seq FROM audience_generation "
    "WHERE (audience, generation) >= (?1, ?2) ORDER BY audience, generation LIMIT ?3";
constexpr char kMemberships[] =
    "SELECT m.audience, m.generation, m.profile, m.from_seq, m.to_seq, a.number IS NULL, "
    "(SELECT value FROM meta WHERE key = 'next_seq'), "
    "m.status = 1 AND m.to_seq = 9223372036854775807 AND m.generation = a.generation "
    "AND a.deleted = 0 AND NOT EXISTS (SELECT 1 FROM profile p WHERE p.id = m.profile), m.status "
    "FROM membership m LEFT JOIN audience a ON a.number = m.audience "
    "WHERE (m.audience, m.generation, m.profile, m.from_seq) >= (?1, ?2, ?3, ?4) "
    "ORDER BY m.audience, m.generation, m.profile, m.from_seq LIMIT ?5";
constexpr int64_t kRealized = 1;
constexpr int64_t kExited = 2;

void JudgeAudience(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  const std::string which = absl::StrCat("audience ", row.Int(0));
  if (row.Int(2) <= row.Int(1) || row.Int(2) <= row.Int(4)) {
    sink.Damage(absl::StrCat(which, ": the next generation ", row.Int(2), " exists already"));
  }
  if (!row.IsNull(6) && row.Int(6) >= row.Int(2)) {
    sink.Damage(absl::StrCat(which, ": generation ", row.Int(6),
                             " is being staged and would be given out again"));
  }
  if (row.Bool(3)) return;
  if (row.IsNull(5) || row.Int(5) != kForever) {
    sink.Damage(absl::StrCat(which, ": its present generation ", row.Int(1),
                             row.IsNull(5) ? " does not exist" : " has ended"));
  }
}

// Generations of one audience follow each other.
class GenerationJudge {
 public:
  void operator()(const ExaminedRow& examined, FindingSink& sink) {
    Statement& row = examined.columns;
    if (examined.page_begins || row.Int(0) != audience_) end_ = 0;
    audience_ = row.Int(0);
    if (row.Int(2) < end_ || row.Int(2) > row.Int(3)) {
      sink.Damage(absl::StrCat("audience ", audience_, ": generation ", row.Int(1),
                               " overlaps the one before, or ends before it begins"));
    }
    end_ = row.Int(3);
  }

 private:
  int64_t audience_ = 0;
  int64_t end_ = 0;
};

// Empty intervals are history only and may lie anywhere.
class MembershipJudge {
 public:
  void operator()(const ExaminedRow& examined, FindingSink& sink) {
    Statement& row = examined.columns;
    const Key key{row.Int(0), row.Int(1), row.Int(2)};
    if (examined.page_begins || key != key_) end_ = 0;
    key_ = key;
    Judge(row, sink);
    if (row.Int(3) < row.Int(4)) end_ = std::max(end_, row.Int(4));
  }

 private:
  using Key = std::tuple<int64_t, int64_t, int64_t>;

  void Judge(Statement& row, FindingSink& sink) const {
    const int64_t from = row.Int(3);
    const int64_t to = row.Int(4);
    const std::string which =
        absl::StrCat("audience ", row.Int(0), ", profile ", row.Int(2), ": a membership ");
    if (row.Bool(5)) sink.Damage(absl::StrCat(which, "of an audience that does not exist"));
    if (from > to) sink.Damage(absl::StrCat(which, "ends before it begins"));
    if (from < to && from < end_) {
      sink.Damage(absl::StrCat(which, "from ", from, " overlaps the one before"));
    }
    if (from >= row.Int(6) || (to != kForever && to >= row.Int(6))) {
      sink.Damage(absl::StrCat(which, "lies beyond the last sequence given out"));
    }
    if (row.Bool(7)) sink.Damage(absl::StrCat(which, "counts a profile that does not exist"));
    if (row.Int(8) != kRealized && row.Int(8) != kExited) {
      sink.Damage(absl::StrCat(which, "has the status ", row.Int(8), ", which does not exist"));
    }
  }

  Key key_;
  int64_t end_ = 0;
};

}  // namespace

void AddMembershipChecks(Checks& checks) {
  constexpr KeyKind kNumber = KeyKind::kNumber;
  checks.push_back(MakePagedCheck({"audiences", kAudiences, {kNumber}}, JudgeAudience));
  checks.push_back(
      MakePagedCheck({"generations", kGenerations, {kNumber, kNumber}}, GenerationJudge()));
  checks.push_back(MakePagedCheck(
      {"memberships", kMemberships, {kNumber, kNumber, kNumber, kNumber}}, MembershipJudge()));
}

}  // namespace passerelle::storage::sqlite
