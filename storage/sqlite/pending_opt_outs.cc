#include "storage/sqlite/pending_opt_outs.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAny[] = "SELECT 1 FROM pending_opt_out LIMIT 1";
constexpr char kGet[] =
    "SELECT channel, purpose, opt_out_us FROM pending_opt_out WHERE namespace = ?1 AND value = ?2";
constexpr char kForget[] = "DELETE FROM pending_opt_out WHERE namespace = ?1 AND value = ?2";

}  // namespace

void PendingOptOuts::Refresh() {
  StatementScope any(db_.Prepared(kAny));
  any_ = any->Step();
  refreshed_ = true;
}

std::vector<PendingOptOut> PendingOptOuts::Take(const IdentityCell& identity) {
  std::vector<PendingOptOut> pending;
  if (!refreshed_) Refresh();
  if (!any_) return pending;
  StatementScope get(db_.Prepared(kGet));
  get->BindInt(1, identity.ns.value).BindText(2, identity.value);
  while (get->Step()) {
    pending.push_back({std::string(get->Text(0)), std::string(get->Text(1)), get->Int(2)});
  }
  if (!pending.empty()) taken_.push_back(identity);
  return pending;
}

void PendingOptOuts::Flush() {
  for (const IdentityCell& identity : taken_) {
    StatementScope forget(db_.Prepared(kForget));
    forget->BindInt(1, identity.ns.value).BindText(2, identity.value).Run();
  }
}

}  // namespace passerelle::storage::sqlite
