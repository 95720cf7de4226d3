#include "storage/sqlite/pending_opt_outs.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAny[] = "SELECT 1 FROM pending_opt_out LIMIT 1";
constexpr char kGet[] =
    "SELECT channel, purpose, opt_out_us FROM pending_opt_out WHERE namespace = ?1 AND value = ?2";
constexpr char kForget[] =
    "DELETE FROM pending_opt_out "
    "WHERE namespace = ?1 AND value = ?2 AND channel = ?3 AND purpose = ?4";

}  // namespace

void PendingOptOuts::Refresh() {
  StatementScope any(db_.Prepared(kAny));
  any_ = any->Step();
  refreshed_ = true;
}

std::vector<PendingOptOut> PendingOptOuts::Find(const IdentityCell& identity) {
  std::vector<PendingOptOut> pending;
  if (!refreshed_) Refresh();
  if (!any_) return pending;
  StatementScope get(db_.Prepared(kGet));
  get->BindInt(1, identity.ns.value).BindText(2, identity.value);
  while (get->Step()) {
    pending.push_back({std::string(get->Text(0)), std::string(get->Text(1)), get->Int(2)});
  }
  return pending;
}

void PendingOptOuts::Forget(const IdentityCell& identity, const PendingOptOut& opt_out) {
  forgotten_.push_back({identity, opt_out});
}

void PendingOptOuts::Flush() {
  for (const auto& [identity, opt_out] : forgotten_) {
    StatementScope forget(db_.Prepared(kForget));
    forget->BindAll(identity.ns.value, identity.value, opt_out.channel, opt_out.purpose).Run();
  }
}

}  // namespace passerelle::storage::sqlite
