#include "storage/sqlite/checks.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/sqlite/meta_rows.h"

namespace passerelle::storage::sqlite {
namespace {

// A page is to take about this long; reads may last 50 ms.
constexpr absl::Duration kPageMayTake = absl::Milliseconds(15);
constexpr int64_t kFirstPageRows = 500;
constexpr int64_t kLeastPageRows = 50;
constexpr int64_t kMaxPageRows = 50'000;
constexpr int64_t kQuickCheckMaxBytes = 8 * 1024 * 1024;

constexpr char kPageSize[] = "PRAGMA page_size";
constexpr char kPageCount[] = "PRAGMA page_count";
constexpr char kQuickCheck[] = "PRAGMA quick_check(5)";
constexpr char kIntegrityCheck[] = "PRAGMA integrity_check(5)";
constexpr char kLastCommit[] = "SELECT max(last_seq) FROM commit_log";
constexpr char kCommits[] =
    "SELECT last_seq, commit_us, (SELECT value FROM meta WHERE key = 'last_commit_us') "
    "FROM commit_log WHERE last_seq >= ?1 ORDER BY last_seq LIMIT ?2";

struct KeyValue {
  KeyKind kind = KeyKind::kNumber;
  int64_t number = std::numeric_limits<int64_t>::min();
  std::string text;
};

class DeafSink : public FindingSink {
 public:
  void Add(Severity, std::string, std::string) override {}
};

class PagedCheck : public Check {
 public:
  PagedCheck(PagedQuery query, RowJudge judge)
      : Check(query.name), sql_(query.sql), judge_(std::move(judge)) {
    for (const KeyKind kind : query.keys) key_.push_back(KeyValue{kind});
  }

  absl::StatusOr<bool> Step(Database& db, FindingSink& sink) override {
    const absl::Time begin = absl::Now();
    const int64_t limit = limit_;
    limit_ = std::max(limit / 2, kLeastPageRows);  // of the next try, if this one is cut
    const std::vector<KeyValue> from = key_;
    StatementScope page(db.Prepared(sql_));
    Bind(from, limit, *page);
    int64_t rows = 0;
    for (; page->Step(); ++rows) JudgeRow({db, *page, rows == 0, false}, sink);
    const bool slow = absl::Now() - begin > kPageMayTake;
    if (!slow) limit_ = std::min(limit * 2, kMaxPageRows);
    return rows == limit;
  }

 private:
  // The first row of a page may be the last one of the page before.
  void JudgeRow(ExaminedRow row, FindingSink& sink) {
    row.again = row.page_begins && begun_ && IsAtKey(row.columns);
    begun_ = true;
    if (row.again) {
      DeafSink deaf;
      return judge_(row, deaf);
    }
    ++rows_read_;
    TakeKey(row.columns);
    judge_(row, sink);
  }

  bool IsAtKey(Statement& row) const {
    for (size_t i = 0; i < key_.size(); ++i) {
      const int column = static_cast<int>(i);
      const bool same = key_[i].kind == KeyKind::kText ? row.Text(column) == key_[i].text
                                                       : row.Int(column) == key_[i].number;
      if (!same) return false;
    }
    return true;
  }

  void Bind(const std::vector<KeyValue>& from, int64_t limit, Statement& page) const {
    int parameter = 0;
    for (const KeyValue& value : from) {
      ++parameter;
      value.kind == KeyKind::kText ? page.BindText(parameter, value.text)
                                   : page.BindInt(parameter, value.number);
    }
    page.BindInt(parameter + 1, limit);
  }

  void TakeKey(Statement& row) {
    for (size_t i = 0; i < key_.size(); ++i) {
      const int column = static_cast<int>(i);
      if (key_[i].kind == KeyKind::kText) {
        key_[i].text = std::string(row.Text(column));
      } else {
        key_[i].number = row.Int(column);
      }
    }
  }

  const char* const sql_;
  const RowJudge judge_;
  std::vector<KeyValue> key_;
  int64_t limit_ = kFirstPageRows;
  bool begun_ = false;
};

class SingleCheck : public Check {
 public:
  using Look = std::function<void(Database& db, FindingSink& sink)>;
  SingleCheck(std::string name, Look look) : Check(std::move(name)), look_(std::move(look)) {}
  absl::StatusOr<bool> Step(Database& db, FindingSink& sink) override {
    look_(db, sink);
    ++rows_read_;
    return false;
  }

 private:
  const Look look_;
};

void CheckPages(Database& db, bool all_pages, FindingSink& sink) {
  const int64_t bytes = db.QueryInt(kPageCount) * db.QueryInt(kPageSize);
  if (!all_pages && bytes > kQuickCheckMaxBytes) {
    return sink.Note(
        absl::StrCat("at ", bytes >> 20,
                     " MiB too large for a check of all its pages while it is served; those that "
                     "hold rows are read by the other checks"),
        "to check every page, make a backup and run passerelled restore --check-only on it");
  }
  StatementScope check(db.Prepared(all_pages ? kIntegrityCheck : kQuickCheck));
  while (check->Step()) {
    if (check->Text(0) == "ok") continue;
    // SQLite's line may quote a table's or index's name, never a value.
    sink.Damage(absl::StrCat("SQLite finds damaged pages: ", std::string(check->Text(0))));
  }
}

void CheckMeta(Database& db, bool has_commits, FindingSink& sink) {
  for (const char* key : {"epoch", "next_seq", "last_commit_us"}) {
    if (MetaNumber(db, key).value_or(-1) < 0) sink.Damage(absl::StrCat("meta has no valid ", key));
  }
  if (!has_commits) return;
  const int64_t last = db.QueryInt(kLastCommit);
  const int64_t next = MetaNumber(db, "next_seq").value_or(-1);
  if (last == next - 1) return;
  sink.Damage(absl::StrCat("the next sequence is ", next, ", but the last commit ended at ", last,
                           "; wanted ", last + 1));
}

std::unique_ptr<Check> MakeCommitCheck() {
  return MakePagedCheck(
      {"commits", kCommits, {KeyKind::kNumber}},
      [before = int64_t{0}](const ExaminedRow& examined, FindingSink& sink) mutable {
        Statement& row = examined.columns;
        const int64_t commit_us = row.Int(1);
        if (commit_us < before || commit_us > row.Int(2)) {
          sink.Damage(absl::StrCat("commit ", row.Int(0), " has a time ",
                                   commit_us < before ? "before that of an earlier commit"
                                                      : "after that of the last commit"));
        }
        before = std::max(before, commit_us);
      });
}

}  // namespace

std::unique_ptr<Check> MakePagedCheck(PagedQuery query, RowJudge judge) {
  return std::make_unique<PagedCheck>(std::move(query), std::move(judge));
}

std::unique_ptr<Check> MakeSingleCheck(std::string name,
                                       std::function<void(Database&, FindingSink&)> look) {
  return std::make_unique<SingleCheck>(std::move(name), std::move(look));
}

void AddFileChecks(FileKind kind, bool all_pages, Checks& checks) {
  const bool has_commits = kind != FileKind::kControl;
  checks.push_back(MakeSingleCheck(
      "pages", [all_pages](Database& db, FindingSink& sink) { CheckPages(db, all_pages, sink); }));
  checks.push_back(MakeSingleCheck("sequences", [has_commits](Database& db, FindingSink& sink) {
    CheckMeta(db, has_commits, sink);
  }));
  if (has_commits) checks.push_back(MakeCommitCheck());
}

Checks ChecksOf(FileKind kind, bool all_pages) {
  Checks checks;
  AddFileChecks(kind, all_pages, checks);
  if (kind == FileKind::kControl) return checks;
  if (kind == FileKind::kProfiles) {
    AddProfileChecks(checks);
    AddMembershipChecks(checks);
    AddReachChecks(checks);
    AddPrivacyChecks(checks);
  } else {
    AddLogChecks(checks);
  }
  AddStreamChecks(kind, checks);
  return checks;
}

}  // namespace passerelle::storage::sqlite
