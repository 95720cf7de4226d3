// Log rows, and what reports make of them: worked out from all rows each time.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

constexpr int64_t kAheadUs = 24 * kHourUs;
constexpr int64_t kDuplicateUs = 30 * 24 * kHourUs;
constexpr int kSent = 1, kFailed = 2, kPending = 6, kCancelled = 7;
constexpr int kHard = 1;
constexpr int kClick = 1, kOpen = 2, kOptOut = 3;

bool IsDuplicate(const Entry& a, int64_t a_us, const Logged& b) {
  if (a.tracking != b.entry.tracking || a.delivery != b.entry.delivery || a_us != b.event_us) {
    return false;
  }
  if (a.tracking) {
    return a.tracking_id == b.entry.tracking_id && a.tracking_kind == b.entry.tracking_kind;
  }
  return a.message == b.entry.message && a.status == b.entry.status;
}

// All rows of one message.
struct Message {
  const Logged* first = nullptr;   // of its delivery rows
  const Logged* latest = nullptr;  // by event time, then by sequence
  std::vector<const Logged*> tracking;
};

struct Tally {
  int64_t distinct = 0, total = 0;
};

}  // namespace

RowAnswer Model::AppendRow(const Entry& entry) {
  RowAnswer answer;
  answer.outcome = "REJECTED";
  const auto delivery = world_.deliveries.find(entry.delivery);
  if (delivery == world_.deliveries.end()) {
    answer.reason = "UNKNOWN_DELIVERY";
    answer.field = "delivery";
    return answer;
  }
  const int64_t event_us = entry.event_us.value_or(commit_us_);
  if (event_us > commit_us_ + kAheadUs) {
    answer.reason = "TIME_IN_FUTURE";
    answer.field = "event_time_us";
    return answer;
  }
  for (const Logged& row : world_.log) {
    if (!IsDuplicate(entry, event_us, row)) continue;
    if (row.append_us <= commit_us_ - kDuplicateUs) continue;
    answer.outcome = "DUPLICATE";
    return answer;
  }
  const bool of_erased = world_.erased_messages.count({entry.delivery, entry.message}) != 0;
  if (entry.ns.empty() ? of_erased : IsBuried({entry.ns, entry.identity})) {
    Logged nameless{entry, event_us, commit_us_, 0};
    nameless.entry.ns.clear();
    nameless.entry.identity.clear();
    world_.log.push_back(nameless);
    world_.erased_messages.insert({entry.delivery, entry.message});
    answer.outcome = "SUPPRESSED";
    return answer;
  }
  const int person = entry.ns.empty() ? 0 : Find({entry.ns, entry.identity});
  const Logged* named_before = NamedRow(entry);
  const Logged named = named_before == nullptr ? Logged() : *named_before;
  world_.log.push_back({entry, event_us, commit_us_, person});
  const Logged row = world_.log.back();
  answer.outcome = "APPENDED";
  answer.unknown = !entry.ns.empty() && person == 0;
  const bool bounced = !entry.tracking && entry.status == kFailed;
  if (bounced && !entry.ns.empty()) {
    ApplyBounce(delivery->second.channel, entry, {entry.ns, entry.identity}, event_us);
  } else if (bounced && named_before != nullptr && !named.gone) {
    ApplyBounce(delivery->second.channel, entry, {named.entry.ns, named.entry.identity}, event_us);
  }
  const bool opt_out = entry.tracking && entry.tracking_kind == kOptOut;
  if (opt_out && !entry.ns.empty()) {
    ApplyOptOut(delivery->second, row, event_us);
  } else if (opt_out && named_before != nullptr) {
    if (!named.gone) ApplyOptOut(delivery->second, named, event_us);
  } else if (!entry.tracking && named_before == nullptr && !entry.ns.empty() && !of_erased) {
    std::optional<int64_t> waiting_us;  // nothing is less than any time
    for (const Logged& other : world_.log) {
      const Entry& e = other.entry;
      const bool waits = e.tracking && e.tracking_kind == kOptOut && e.ns.empty();
      if (!waits || e.delivery != entry.delivery || e.message != entry.message) continue;
      waiting_us = std::max(waiting_us, std::optional<int64_t>(other.event_us));
    }
    if (waiting_us.has_value()) ApplyOptOut(delivery->second, row, *waiting_us);
  }
  return answer;
}

// The delivery row that says whom the message of `entry` went to: that of the present status, or,
// if that has no identity, the one that counted before it. None of a message of who was erased.
const Logged* Model::NamedRow(const Entry& entry) const {
  if (world_.erased_messages.count({entry.delivery, entry.message}) != 0) return nullptr;
  const Logged* present = nullptr;
  const Logged* named = nullptr;
  for (const Logged& row : world_.log) {
    const Entry& e = row.entry;
    if (e.tracking || e.delivery != entry.delivery || e.message != entry.message) continue;
    if (present == nullptr || row.event_us >= present->event_us) present = &row;
    if (!e.ns.empty() && (named == nullptr || present == &row)) named = &row;
  }
  return named;
}

void Model::ApplyOptOut(const DeliveryState& delivery, const Logged& of_whom, int64_t at_us) {
  const Identity identity{of_whom.entry.ns, of_whom.entry.identity};
  int person = Find(identity);
  if (person == 0 && world_.people.count(of_whom.person) != 0) person = of_whom.person;
  if (person != 0 && !ConsentsOptedOut(delivery.channel, delivery.purpose).empty()) {
    return OptOut(person, delivery.channel, delivery.purpose, at_us);
  }
  auto& pending = world_.pending_opt_outs[identity];
  const auto [at, added] =
      pending.try_emplace({delivery.channel, delivery.purpose}, World::Pending{at_us, person});
  at->second.at_us = std::max(at->second.at_us, at_us);
  if (person != 0) at->second.person = person;
}

void Model::ApplyBounce(const std::string& channel, const Entry& failed, const Identity& of_whom,
                        int64_t at_us) {
  World::Errors& errors = world_.bounces[of_whom][channel];
  if (errors.quarantined) return;
  if (failed.failure_type == kHard) {
    errors.quarantined = true;
    return;
  }
  if (errors.counted != 0 && at_us > errors.last_us + 10 * 24 * kHourUs) errors.counted = 0;
  if (errors.counted == 0 || at_us >= errors.counted_us + 24 * kHourUs) {
    ++errors.counted;
    errors.counted_us = at_us;
  }
  errors.last_us = errors.last_us == 0 ? at_us : std::max(errors.last_us, at_us);
  errors.quarantined = errors.counted == 5;
}

bool Model::IsQuarantined(int person, const std::string& channel) const {
  for (const auto& [identity, channels] : world_.bounces) {
    const auto errors = channels.find(channel);
    if (errors == channels.end() || !errors->second.quarantined) continue;
    if (Find(identity) == person) return true;
  }
  return false;
}

// Once there is a new consent.
void Model::RevisitPending() {
  auto all = world_.pending_opt_outs;
  for (const auto& [identity, pending] : all) {
    for (const auto& [about, opt_out] : pending) {
      int person = Find(identity);
      if (person == 0 && world_.people.count(opt_out.person) != 0) person = opt_out.person;
      if (person == 0 || ConsentsOptedOut(about.first, about.second).empty()) continue;
      OptOut(person, about.first, about.second, opt_out.at_us);
      world_.pending_opt_outs[identity].erase(about);
    }
    if (world_.pending_opt_outs[identity].empty()) world_.pending_opt_outs.erase(identity);
  }
}

std::string Model::ReadReport(const Operation& op) {
  if (world_.deliveries.count(op.id) == 0) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  std::map<int64_t, Message> messages;
  int64_t rows = 0;
  for (const Logged& row : world_.log) {
    if (row.entry.delivery != op.id) continue;
    ++rows;
    Message& message = messages[row.entry.message];
    if (row.entry.tracking) {
      message.tracking.push_back(&row);
      continue;
    }
    if (message.first == nullptr) message.first = &row;
    const bool later = message.latest == nullptr || row.event_us >= message.latest->event_us;
    if (later) message.latest = &row;
  }
  std::map<int, int64_t> by_status;
  std::map<std::pair<int, int>, int64_t> failures;
  int64_t seeds = 0;
  Tally opens, clicks, opt_outs;
  for (const auto& [id, message] : messages) {
    if (message.first != nullptr && message.first->entry.seed) {
      ++seeds;
      continue;
    }
    if (message.latest != nullptr) {
      const Entry& present = message.latest->entry;
      ++by_status[present.status];
      if (present.status == kFailed) ++failures[{present.failure_type, present.failure_reason}];
    }
    bool any = false, clicked = false, opted_out = false;
    for (const Logged* row : message.tracking) {
      if (row->entry.seed) continue;
      any = true;
      opens.total += row->entry.tracking_kind == kOpen;
      clicks.total += row->entry.tracking_kind == kClick;
      opt_outs.total += row->entry.tracking_kind == kOptOut;
      clicked |= row->entry.tracking_kind == kClick;
      opted_out |= row->entry.tracking_kind == kOptOut;
    }
    opens.distinct += any;
    clicks.distinct += clicked;
    opt_outs.distinct += opted_out;
  }
  std::string text =
      absl::StrCat("OK sent=", by_status[kSent], " failed=", by_status[kFailed],
                   " pending=", by_status[kPending], " cancelled=", by_status[kCancelled]);
  for (const auto& [key, count] : failures) {
    absl::StrAppend(&text, " ", key.first, "/", key.second, "=", count);
  }
  return absl::StrCat(text, " opens=", opens.distinct, "/", opens.total,
                      " clicks=", clicks.distinct, "/", clicks.total,
                      " opt_outs=", opt_outs.distinct, "/", opt_outs.total, " seeds=", seeds,
                      " rows=", rows);
}

// Filters: deliveries (id), audiences, a time range (as_of to total), kinds (skip 1 or 2).
std::string Model::ReadLogs(const Operation& op) {
  const bool no_delivery = !op.id.empty() && world_.deliveries.count(op.id) == 0;
  const bool no_audience = !op.audience.empty() && world_.audiences.count(op.audience) == 0;
  if (wire_ && (no_delivery || no_audience)) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  std::string text = "OK\n";
  for (const Logged& row : world_.log) {
    const Entry& entry = row.entry;
    if (row.gone) continue;
    if (!op.id.empty() && entry.delivery != op.id) continue;
    if (op.as_of_us.has_value() && row.event_us < *op.as_of_us) continue;
    if (op.skip != 0 && op.skip != (entry.tracking ? 2 : 1)) continue;
    const auto& audiences = world_.deliveries.at(entry.delivery).audiences;
    if (!op.audience.empty() &&
        std::find(audiences.begin(), audiences.end(), op.audience) == audiences.end()) {
      continue;
    }
    absl::StrAppend(&text, Shown(row));
  }
  return text;
}

std::string Model::Shown(const Logged& row) const {
  Entry told = row.entry;
  told.key.clear();
  told.event_us.reset();
  std::string text = absl::StrCat("  ", Describe(told), " @", times_(row.event_us));
  if (times_.exact) absl::StrAppend(&text, " appended ", times_(row.append_us));
  if (row.person != 0) absl::StrAppend(&text, " profile ", row.person);
  if (row.person == 0 && !told.ns.empty()) absl::StrAppend(&text, " unknown");
  return text + "\n";
}

}  // namespace passerelle::model
