#include "storage/sqlite/message_opt_outs.h"

#include <algorithm>

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAdd[] =
    "INSERT INTO message_opt_out(seq, identity_seq, opt_out_us) VALUES (?1, ?2, ?3)";
constexpr char kWait[] =
    "INSERT INTO nameless_opt_out(delivery, broadlog_id, opt_out_us) VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO UPDATE SET opt_out_us = max(opt_out_us, excluded.opt_out_us)";
constexpr char kGetWaiting[] =
    "SELECT opt_out_us FROM nameless_opt_out WHERE delivery = ?1 AND broadlog_id = ?2";
constexpr char kForget[] = "DELETE FROM nameless_opt_out WHERE delivery = ?1 AND broadlog_id = ?2";

std::optional<int64_t> TakeWaiting(Database& db, const MessageKey& message) {
  std::optional<int64_t> waiting_us;
  {
    StatementScope get(db.Prepared(kGetWaiting));
    get->BindAll(message.delivery, message.broadlog_id);
    if (get->Step()) waiting_us = get->Int(0);
  }
  if (waiting_us.has_value()) {
    StatementScope(db.Prepared(kForget))->BindAll(message.delivery, message.broadlog_id).Run();
  }
  return waiting_us;
}

}  // namespace

bool WriteOptOuts(Database& db, const MessageKey& message, MessageOptOuts opt_outs, bool stored) {
  if (opt_outs.named_seq != 0) {
    // Nothing is less than any time.
    if (stored) opt_outs.waiting_us = std::max(opt_outs.waiting_us, TakeWaiting(db, message));
    if (opt_outs.waiting_us.has_value()) {
      opt_outs.known.push_back({opt_outs.named_seq, opt_outs.named_seq, *opt_outs.waiting_us});
    }
  } else if (opt_outs.waiting_us.has_value()) {
    StatementScope wait(db.Prepared(kWait));
    wait->BindAll(message.delivery, message.broadlog_id, *opt_outs.waiting_us).Run();
  }
  for (const MessageOptOut& opt_out : opt_outs.known) {
    StatementScope add(db.Prepared(kAdd));
    add->BindAll(opt_out.seq, opt_out.identity_seq, opt_out.opt_out_us).Run();
  }
  return !opt_outs.known.empty();
}

}  // namespace passerelle::storage::sqlite
