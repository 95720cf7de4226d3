#include "storage/sqlite/pending_revisit.h"

#include <cstdint>
#include <string>
#include <vector>

#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/profile_edits.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kPosition[] = "pending_revisited";
constexpr char kOrder[] =
    "INSERT INTO meta(key, value) SELECT 'pending_revisited', 0 "
    "WHERE EXISTS (SELECT 1 FROM pending_opt_out) ON CONFLICT DO UPDATE SET value = 0";
constexpr char kDropPosition[] = "DELETE FROM meta WHERE key = 'pending_revisited'";
constexpr char kNext[] =
    "SELECT number, namespace, value, channel, purpose, opt_out_us, profile FROM pending_opt_out "
    "WHERE number > ?1 ORDER BY number LIMIT ?2";
constexpr char kForget[] = "DELETE FROM pending_opt_out WHERE number = ?1";

struct Waiting {
  int64_t number = 0;
  NamespaceNumber ns;
  std::string value;
  std::string channel;
  std::string purpose;
  int64_t opt_out_us = 0;
  ProfileId profile;
};

std::vector<Waiting> NextWaiting(Database& db, int64_t after, int rows) {
  std::vector<Waiting> waiting;
  StatementScope next(db.Prepared(kNext));
  next->BindAll(after, rows);
  while (next->Step()) {
    waiting.push_back({next->Int(0),
                       {next->Int(1)},
                       std::string(next->Text(2)),
                       std::string(next->Text(3)),
                       std::string(next->Text(4)),
                       next->Int(5),
                       {next->Int(6)}});
  }
  return waiting;
}

ProfileId ProfileOf(ProfileEdits& edits, const Waiting& opt_out) {
  const ProfileId present = edits.Find(opt_out.ns, opt_out.value);
  return !present && opt_out.profile && edits.Exists(opt_out.profile) ? opt_out.profile : present;
}

// False: it goes on waiting.
bool Apply(ProfileEdits& edits, const Schema& schema, const Waiting& opt_out) {
  const auto consents = ConsentsOptedOut(schema, opt_out.channel, opt_out.purpose);
  if (consents.empty()) return false;
  const ProfileId profile = ProfileOf(edits, opt_out);
  if (!profile) return false;
  for (const Attribute* consent : consents) edits.OptOut(profile, *consent, opt_out.opt_out_us);
  return true;
}

}  // namespace

void OrderRevisit(Database& db) { StatementScope(db.Prepared(kOrder))->Run(); }

absl::StatusOr<bool> RevisitPending(Transaction& transaction, const Schema& schema, int rows) {
  Database& db = transaction.db();
  const auto position = MetaNumber(db, kPosition);
  if (!position.has_value()) return absl::CancelledError("no pending opt-out is to be looked at");
  auto& edits = transaction.Overlay<ProfileEdits>();
  const auto waiting = NextWaiting(db, *position, rows);
  for (const Waiting& opt_out : waiting) {
    if (!Apply(edits, schema, opt_out)) continue;
    StatementScope(db.Prepared(kForget))->BindAll(opt_out.number).Run();
  }
  if (static_cast<int>(waiting.size()) < rows) {
    StatementScope(db.Prepared(kDropPosition))->Run();
    return false;
  }
  SetMetaNumber(db, kPosition, waiting.back().number);
  return true;
}

void StartRevisit(InstanceContext& context) {
  context.profiles->WriteInBackground("pending opt-outs",
                                      [&context](Transaction& transaction) -> absl::StatusOr<bool> {
                                        return RevisitPending(transaction, *context.schema.Get());
                                      });
}

}  // namespace passerelle::storage::sqlite
