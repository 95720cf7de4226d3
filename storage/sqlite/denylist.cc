#include "storage/sqlite/denylist.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/reason.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAdd[] =
    "INSERT INTO denylist(profile, channel, reason, create_us) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT DO NOTHING";
constexpr char kRemove[] = "DELETE FROM denylist WHERE profile = ?1 AND channel = ?2";
constexpr char kList[] =
    "SELECT profile, channel, reason, create_us FROM denylist "
    "WHERE (profile, channel) > (?1, ?2) ORDER BY profile, channel LIMIT ?3";

absl::Status Missing(const char* what) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound, what);
}

}  // namespace

absl::StatusOr<Written<DenylistEntry>> CreateDenylistEntry(File& file, const DenylistEntry& entry) {
  DenylistEntry made = entry;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    auto& edits = transaction.Overlay<ProfileEdits>();
    if (!edits.Exists(entry.profile)) return Missing("there is no such profile");
    made.create_us = transaction.commit_us();
    Database& db = transaction.db();
    StatementScope add(db.Prepared(kAdd));
    add->BindAll(made.profile.value, made.channel, made.reason, made.create_us).Run();
    if (sqlite3_changes(db.handle()) == 0) {
      return MakeError(absl::StatusCode::kAlreadyExists, Reason::kAlreadyExists,
                       "the profile is on the denylist of that channel already");
    }
    edits.ReconsiderReach(entry.profile);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const CommitPosition position, file.Write(decide));
  return Written<DenylistEntry>{std::move(made), position};
}

absl::StatusOr<CommitPosition> DeleteDenylistEntry(File& file, ProfileId profile,
                                                   std::string_view channel) {
  return file.Write([&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    StatementScope(db.Prepared(kRemove))->BindAll(profile.value, channel).Run();
    if (sqlite3_changes(db.handle()) == 0) {
      return Missing("the profile is not on the denylist of that channel");
    }
    transaction.Overlay<ProfileEdits>().ReconsiderReach(profile);
    return absl::OkStatus();
  });
}

absl::StatusOr<Page<DenylistEntry>> ListDenylist(const File& file, const PageRequest& page,
                                                 const ReadContext& context) {
  int64_t profile = 0;
  const std::pair<std::string, std::string> from =
      absl::StrSplit(page.after, absl::MaxSplits(' ', 1));
  if (!page.after.empty() && !absl::SimpleAtoi(from.first, &profile)) {
    return absl::InvalidArgumentError("the page does not begin at an entry");
  }
  Page<DenylistEntry> listed;
  RETURN_IF_ERROR(file.Read(context, "denylist: list", [&](const ReadLease& lease) {
    listed = {};
    StatementScope list(lease.db().Prepared(kList));
    list->BindAll(profile, from.second, page.limit + 1);
    while (list->Step()) {
      if (static_cast<int32_t>(listed.items.size()) == page.limit) {
        const DenylistEntry& last = listed.items.back();
        listed.next = absl::StrCat(last.profile.value, " ", last.channel);
        break;
      }
      listed.items.push_back({ProfileId{list->Int(0)}, std::string(list->Text(1)),
                              std::string(list->Text(2)), list->Int(3)});
    }
    return absl::OkStatus();
  }));
  return listed;
}

}  // namespace passerelle::storage::sqlite
