#include "storage/sqlite/quarantine.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGet[] =
    "SELECT errors, counted_us, last_us, quarantine_us IS NOT NULL FROM quarantine "
    "WHERE namespace = ?1 AND value = ?2 AND channel = ?3";
constexpr char kSet[] =
    "INSERT INTO quarantine(namespace, value, channel, errors, counted_us, last_us, "
    "quarantine_us, failure_type, failure_reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
    "ON CONFLICT DO UPDATE SET errors = excluded.errors, counted_us = excluded.counted_us, "
    "last_us = excluded.last_us, quarantine_us = excluded.quarantine_us, "
    "failure_type = excluded.failure_type, failure_reason = excluded.failure_reason";
constexpr char kSetLast[] =
    "UPDATE quarantine SET last_us = ?4 WHERE namespace = ?1 AND value = ?2 AND channel = ?3";
constexpr char kList[] =
    "SELECT number, namespace, value, channel, quarantine_us, failure_type, failure_reason, errors "
    "FROM quarantine WHERE number > ?1 AND quarantine_us IS NOT NULL ORDER BY number LIMIT ?2";
constexpr char kRelease[] =
    "DELETE FROM quarantine WHERE namespace = ?1 AND value = ?2 AND channel = ?3 "
    "AND quarantine_us IS NOT NULL";

AddressErrors Load(Database& db, const ChannelAddress& address) {
  AddressErrors errors;
  StatementScope get(db.Prepared(kGet));
  get->BindAll(address.ns.value, address.value, address.channel);
  if (get->Step()) errors = {get->Int(0), get->Int(1), get->Int(2), get->Bool(3)};
  return errors;
}

void Store(Database& db, const ChannelAddress& address, const AddressErrors& errors,
           const Bounce& bounce) {
  StatementScope set(db.Prepared(kSet));
  set->BindAll(address.ns.value, address.value, address.channel, errors.errors, errors.counted_us,
               errors.last_us,
               errors.in_quarantine ? std::optional<int64_t>(bounce.event_us) : std::nullopt,
               bounce.failure_type, bounce.failure_reason);
  set->Run();
}

void Reconsider(Transaction& transaction, const ChannelAddress& address) {
  auto& edits = transaction.Overlay<ProfileEdits>();
  if (const ProfileId profile = edits.Find(address.ns, address.value)) {
    edits.ReconsiderReach(profile);
  }
}

}  // namespace

AddressErrors AfterBounce(const AddressErrors& before, const Bounce& bounce) {
  if (before.in_quarantine) return before;
  if (bounce.at_once) return {1, bounce.event_us, bounce.event_us, true};
  AddressErrors after = before;
  const bool forgotten =
      before.errors != 0 && bounce.event_us - before.last_us > kSoftErrorsForgottenUs;
  if (forgotten) after.errors = 0;
  if (after.errors == 0 || bounce.event_us - before.counted_us >= kSoftErrorApartUs) {
    ++after.errors;
    after.counted_us = bounce.event_us;
  }
  after.last_us = before.errors == 0 ? bounce.event_us : std::max(before.last_us, bounce.event_us);
  after.in_quarantine = after.errors >= kQuarantineSoftErrors;
  return after;
}

void ApplyBounce(Transaction& transaction, const ChannelAddress& address, const Bounce& bounce) {
  Database& db = transaction.db();
  const AddressErrors before = Load(db, address);
  const AddressErrors after = AfterBounce(before, bounce);
  if (after == before) return;
  const bool counted = after.errors != before.errors || after.counted_us != before.counted_us;
  if (!counted && !after.in_quarantine) {
    StatementScope set(db.Prepared(kSetLast));
    set->BindAll(address.ns.value, address.value, address.channel, after.last_us).Run();
    return;
  }
  Store(db, address, after, bounce);
  if (after.in_quarantine) Reconsider(transaction, address);
}

absl::StatusOr<Page<QuarantinedAddress>> ListQuarantine(const File& file, const PageRequest& page,
                                                        const ReadContext& context) {
  int64_t after = 0;
  const bool valid = page.after.empty() || absl::SimpleAtoi(page.after, &after);
  if (!valid) return absl::InvalidArgumentError("the page does not begin at a number");
  Page<QuarantinedAddress> listed;
  RETURN_IF_ERROR(file.Read(context, "quarantine: list", [&](const ReadLease& lease) {
    listed = {};
    StatementScope list(lease.db().Prepared(kList));
    list->BindAll(after, page.limit + 1);
    int64_t last = 0;
    while (list->Step()) {
      if (static_cast<int32_t>(listed.items.size()) == page.limit) {
        listed.next = absl::StrCat(last);
        break;
      }
      last = list->Int(0);
      listed.items.push_back(
          {NamespaceNumber{list->Int(1)}, std::string(list->Text(2)), std::string(list->Text(3)),
           list->Int(4), static_cast<int32_t>(list->Int(5)), static_cast<int32_t>(list->Int(6)),
           static_cast<int32_t>(list->Int(7))});
    }
    return absl::OkStatus();
  }));
  return listed;
}

absl::StatusOr<CommitPosition> ReleaseQuarantine(File& file, const ChannelAddress& address) {
  return file.Write([&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    StatementScope(db.Prepared(kRelease))
        ->BindAll(address.ns.value, address.value, address.channel)
        .Run();
    if (sqlite3_changes(db.handle()) == 0) {
      return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound,
                       "the address is not in quarantine on that channel");
    }
    Reconsider(transaction, address);
    return absl::OkStatus();
  });
}

}  // namespace passerelle::storage::sqlite
