// What an output of members shows of a profile, and whether it may be shown.
#ifndef PASSERELLE_STORAGE_SQLITE_MEMBER_OUTPUT_H_
#define PASSERELLE_STORAGE_SQLITE_MEMBER_OUTPUT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "storage/audience_store.h"
#include "storage/schema.h"
#include "storage/sqlite/block_walker.h"
#include "storage/sqlite/database.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// An Output against the schema of now: the columns it needs, and how to judge a row of them.
// Attributes that the schema no longer has read as null.
class OutputPlan {
 public:
  OutputPlan(const Output& output, const Schema& schema);

  // Those shown first, in the order of Output, then those that only decide.
  const std::vector<AttributeNumber>& columns() const { return columns_; }
  const std::vector<NamespaceNumber>& namespaces() const { return namespaces_; }

  const std::string& channel() const { return channel_; }

  // Of an existing profile, whose columns begin at `first` in the row, and whom lists keep out of
  // the channel for `blocks` (bits of reach_lists.h): opted out (any consent of the channel and
  // purpose is false), else no opt-in (required and not true), else suppressed, else in quarantine,
  // else on the denylist, else a mandatory attribute is null.
  Exclusion Judge(const Statement& row, int first, int64_t blocks) const;
  // The shown ones; texts live as long as the row.
  void ReadCells(const Statement& row, int first, std::vector<Cell>& cells) const;

 private:
  struct Shown {
    bool gone;
  };
  struct Decides {
    int column;
    bool opt_in_required;
  };
  std::string channel_;
  std::vector<AttributeNumber> columns_;
  std::vector<NamespaceNumber> namespaces_;
  std::vector<Shown> shown_;
  std::vector<Decides> consents_;
  std::vector<int> mandatory_;
};

// Fills MemberRows on one connection. Views live until the next row. Not thread-safe; methods may
// throw SQLite::Exception.
class MemberRowReader {
 public:
  MemberRowReader(Database& db, const OutputPlan& plan)
      : db_(db), plan_(plan), blocks_(db, {plan.channel()}) {}

  // From a row that holds the profile's id (null when it is deleted) at `first`, then the plan's
  // columns. `member` has the profile. Sets exclusion, and cells and identities unless it is
  // excluded.
  void Read(const Statement& row, int first, MemberRow& member);
  // Whatever the exclusion; for those who leave.
  void ShowIdentities(MemberRow& member);

 private:
  void ReadIdentities(ProfileId profile);
  bool SeekIdentities(ProfileId profile);

  Database& db_;
  const OutputPlan& plan_;
  BlockWalker blocks_;
  std::vector<Cell> cells_;
  std::vector<std::string> identities_;
  std::vector<std::string_view> views_;
  std::optional<StatementScope> cursor_;  // over identities, by profile
  int64_t cursor_profile_ = 0;            // where it stands
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_MEMBER_OUTPUT_H_
