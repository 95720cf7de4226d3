#include "tests/bench/raw_store.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/sqlite/columns.h"
#include "storage/sqlite/run.h"

namespace passerelle::bench {
namespace {

namespace sqlite = storage::sqlite;
using sqlite::StatementScope;

// As in the migrations: the first namespace is external_id, kinds of changes, the end of time.
constexpr int64_t kExternalId = 1;
constexpr int64_t kCreated = 1;
constexpr int64_t kAttributesChanged = 2;
constexpr int64_t kRealized = 3;
constexpr int64_t kForever = INT64_MAX;
constexpr int64_t kDuplicateWindowUs = int64_t{30} * 24 * 3600 * 1'000'000;

constexpr char kFindIdentity[] = "SELECT profile FROM identity WHERE namespace = ?1 AND value = ?2";
constexpr char kAddIdentity[] =
    "INSERT INTO identity(namespace, value, profile, derived) VALUES (?1, ?2, ?3, 0)";
constexpr char kAddProfile[] =
    "INSERT INTO profile(id, create_us, update_us, known, times, a1, a2, a3, a4, a5, a6, a7, a8, "
    "a9, a10, a11, a12) VALUES (?1, ?2, ?2, 1, NULL, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
    "?13, ?14)";
constexpr char kUpdateProfile[] =
    "UPDATE profile SET update_us = ?2, a3 = ?3, a7 = ?4, a9 = ?5 "
    "WHERE id = ?1 AND (a3 IS NOT ?3 OR a7 IS NOT ?4 OR a9 IS NOT ?5)";
constexpr char kScanProfiles[] = "SELECT COUNT(*), SUM(a6) FROM profile";
constexpr char kAddChange[] =
    "INSERT INTO change(seq, kind, profile, audience, mask) VALUES (?1, ?2, ?3, ?4, ?5)";
constexpr char kAddAudience[] =
    "INSERT INTO audience(number, id, display_name, kind, generation, next_generation, "
    "max_qualified_us, deleted, create_us, update_us, revision) "
    "VALUES (?1, ?2, '', 1, 1, 2, 0, 0, ?3, ?3, ?4)";
constexpr char kAddGeneration[] =
    "INSERT INTO audience_generation(audience, generation, from_seq, to_seq, as_of_us) "
    "VALUES (?1, 1, 0, ?2, 0)";
constexpr char kOpenMembership[] =
    "SELECT from_seq, status, qualified_us FROM membership WHERE audience = ?1 AND generation = 1 "
    "AND profile = ?2 AND to_seq = 9223372036854775807";
constexpr char kAddMembership[] =
    "INSERT INTO membership(audience, generation, profile, from_seq, to_seq, status, qualified_us) "
    "VALUES (?1, 1, ?2, ?3, ?4, 1, ?5)";
constexpr char kGrowAudience[] = "UPDATE audience SET max_qualified_us = ?2 WHERE number = ?1";
constexpr char kAddDelivery[] =
    "INSERT INTO delivery(number, id, display_name, channel, purpose, campaign, log_rows, "
    "create_us, update_us, revision) VALUES (?1, ?2, '', 'email', '', '', 0, ?3, ?3, ?4)";
constexpr char kTakeKey[] =
    "INSERT INTO log_key(kind, delivery, log_id, state, event_us, append_us) "
    "VALUES (1, ?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET append_us = excluded.append_us "
    "WHERE append_us <= ?6";
constexpr char kAddMessage[] =
    "INSERT INTO message(delivery, broadlog_id, status, failure_type, failure_reason, apart, "
    "event_us, seq, early_clicks, early_opens, early_opt_outs) "
    "VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, 0, 0, 0) ON CONFLICT DO UPDATE SET "
    "status = excluded.status, failure_type = excluded.failure_type, "
    "failure_reason = excluded.failure_reason, event_us = excluded.event_us, seq = excluded.seq "
    "WHERE event_us <= excluded.event_us";
constexpr char kAddLog[] =
    "INSERT INTO log(seq, kind, delivery, broadlog_id, event_us, append_us, status, profile, "
    "namespace, identity, failure_type, failure_reason) "
    "VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
constexpr char kCountMessages[] =
    "INSERT INTO report_count(delivery, measure, key1, key2, value) VALUES (?1, 1, ?2, ?3, ?4) "
    "ON CONFLICT DO UPDATE SET value = value + excluded.value";
constexpr char kCountRows[] = "UPDATE delivery SET log_rows = log_rows + ?2 WHERE number = ?1";
constexpr char kScanLog[] =
    "SELECT seq, kind, delivery, broadlog_id, event_us, append_us, status, profile, namespace, "
    "identity, failure_type, failure_reason FROM log WHERE seq > ?1 ORDER BY seq";

storage::AttributeType StoredType(v1::AttributeType type) {
  return static_cast<storage::AttributeType>(type);
}

std::string MaskOf(std::initializer_list<int> attributes) {
  std::string mask;
  for (int number : attributes) {
    const size_t byte = (number - 1) / 8;
    if (mask.size() <= byte) mask.resize(byte + 1, '\0');
    mask[byte] = static_cast<char>(mask[byte] | (1 << ((number - 1) % 8)));
  }
  return mask;
}

std::unique_ptr<sqlite::Database> OpenReader(const std::string& path) {
  sqlite::DatabaseOptions options;
  options.path = path;
  return std::make_unique<sqlite::Database>(options);
}

// Calls body(first, count) for each transaction's share of the rows.
template <class Body>
void InTransactions(RawFile& file, int64_t rows, Body body) {
  for (int64_t first = 0; first < rows; first += kTransactionRows) {
    file.Begin();
    body(first, std::min(kTransactionRows, rows - first));
    file.Commit();
  }
}

struct Found {
  int64_t profile;
  uint32_t row;
  bool operator<(const Found& other) const {
    return std::tie(profile, row) < std::tie(other.profile, other.row);
  }
};

std::vector<Found> SortedByProfile(const std::vector<int64_t>& profiles) {
  std::vector<Found> order(profiles.size());
  for (size_t i = 0; i < profiles.size(); ++i) order[i] = {profiles[i], static_cast<uint32_t>(i)};
  std::sort(order.begin(), order.end());
  return order;
}

class LogWriter {
 public:
  LogWriter(RawFile& file, int64_t delivery)
      : file_(file),
        delivery_(delivery),
        key_(file.db().Prepared(kTakeKey)),
        message_(file.db().Prepared(kAddMessage)),
        add_(file.db().Prepared(kAddLog)) {}

  void Append(const Sending& sending, int64_t profile) {
    const int64_t append_us = file_.commit_us();
    key_->BindAll(delivery_, sending.broadlog_id, sending.status, sending.event_us, append_us,
                  append_us - kDuplicateWindowUs)
        .Run();
    Expect(sqlite3_changes(file_.db().handle()) == 1, "a log row is a duplicate");
    const int64_t seq = file_.NextSeq();
    message_
        ->BindAll(delivery_, sending.broadlog_id, sending.status, sending.failure_type,
                  sending.failure_reason, sending.event_us, seq)
        .Run();
    add_->BindAll(seq, delivery_, sending.broadlog_id, sending.event_us, append_us, sending.status,
                  profile, kNamespace, sending.external_id);
    if (sending.failure_type != 0) {
      add_->BindInt(10, sending.failure_type).BindInt(11, sending.failure_reason);
    }
    add_->Run();
  }

 private:
  RawFile& file_;
  const int64_t delivery_;
  StatementScope key_;
  StatementScope message_;
  StatementScope add_;
};

}  // namespace

RawStore::RawStore(const std::string& folder)
    : profiles_(absl::StrCat(folder, "/profiles.db"), sqlite::FileKind::kProfiles),
      logs_(absl::StrCat(folder, "/logs.db"), sqlite::FileKind::kLogs),
      people_(OpenReader(absl::StrCat(folder, "/profiles.db"))),
      log_reader_(OpenReader(absl::StrCat(folder, "/logs.db"))),
      delivery_ids_(1) {
  for (size_t i = 0; i < kAttributes.size(); ++i) {
    sqlite::AddAttributeColumn(profiles_.db(),
                               storage::AttributeNumber{static_cast<int64_t>(i + 1)},
                               StoredType(kAttributes[i].type));
  }
}

RawStore::~RawStore() = default;

void RawStore::Import(int64_t people, uint64_t seed) {
  const std::string mask = MaskOf({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  StatementScope profile(profiles_.db().Prepared(kAddProfile));
  StatementScope identity(profiles_.db().Prepared(kAddIdentity));
  StatementScope change(profiles_.db().Prepared(kAddChange));
  InTransactions(profiles_, people, [&](int64_t first, int64_t count) {
    for (int64_t i = first; i < first + count; ++i) {
      const Person p = MakePerson(i, seed);
      const int64_t id = i + 1;
      profile
          ->BindAll(id, profiles_.commit_us(), p.first_name, p.last_name, p.city, p.country,
                    p.language, p.age, p.points, p.spent, p.last_order_us, p.birth_day,
                    p.newsletter, p.store)
          .Run();
      identity->BindAll(kExternalId, p.external_id, id).Run();
      change->BindInt(1, profiles_.NextSeq()).BindInt(2, kCreated).BindInt(3, id);
      change->BindBlob(5, mask).Run();
    }
  });
}

int64_t RawStore::AddAudience() {
  profiles_.Begin();
  const int64_t number = profiles_.db().QueryInt("SELECT ifnull(max(number), 0) + 1 FROM audience");
  {
    StatementScope audience(profiles_.db().Prepared(kAddAudience));
    audience
        ->BindAll(number, absl::StrCat("audience-", number), profiles_.commit_us(),
                  profiles_.NextSeq())
        .Run();
    StatementScope generation(profiles_.db().Prepared(kAddGeneration));
    generation->BindAll(number, kForever).Run();
  }
  profiles_.Commit();
  return number;
}

int64_t RawStore::AddDelivery(const std::string& id) {
  logs_.Begin();
  const auto number = static_cast<int64_t>(delivery_ids_.size());
  {
    StatementScope add(logs_.db().Prepared(kAddDelivery));
    add->BindAll(number, id, logs_.commit_us(), logs_.NextSeq()).Run();
  }
  logs_.Commit();
  delivery_ids_.push_back(id);
  return number;
}

std::vector<int64_t> RawStore::LookUp(sqlite::Database& db,
                                      const std::vector<std::string_view>& external_ids) {
  std::vector<std::pair<std::string_view, uint32_t>> order;
  order.reserve(external_ids.size());
  for (size_t i = 0; i < external_ids.size(); ++i) {
    order.emplace_back(external_ids[i], static_cast<uint32_t>(i));
  }
  std::sort(order.begin(), order.end());
  std::vector<int64_t> profiles(external_ids.size());
  StatementScope find(db.Prepared(kFindIdentity));
  find->BindInt(1, kExternalId);
  for (size_t i = 0; i < order.size(); ++i) {
    int64_t& profile = profiles[order[i].second];
    if (i != 0 && order[i].first == order[i - 1].first) {
      profile = profiles[order[i - 1].second];
      continue;
    }
    find->BindInt(1, kExternalId).BindText(2, order[i].first);
    Expect(find->Step(), "an identity is unknown");
    profile = find->Int(0);
    find->Reset();
  }
  return profiles;
}

void RawStore::Sync(const std::vector<Patch>& patches) {
  InTransactions(profiles_, static_cast<int64_t>(patches.size()),
                 [&](int64_t first, int64_t count) { SyncSome(&patches[first], count); });
}

void RawStore::SyncSome(const Patch* patches, int64_t count) {
  static const std::string mask = MaskOf({3, 7, 9});
  sqlite::Database& db = profiles_.db();
  std::vector<std::string_view> external_ids;
  external_ids.reserve(count);
  for (int64_t i = 0; i < count; ++i) external_ids.push_back(patches[i].external_id);
  StatementScope update(db.Prepared(kUpdateProfile));
  StatementScope change(db.Prepared(kAddChange));
  for (const Found& found : SortedByProfile(LookUp(db, external_ids))) {
    const Patch& patch = patches[found.row];
    update
        ->BindAll(found.profile, profiles_.commit_us(), patch.city, patch.points,
                  patch.last_order_us)
        .Run();
    Expect(sqlite3_changes(db.handle()) == 1, "a patch changed nothing");
    change->BindInt(1, profiles_.NextSeq()).BindInt(2, kAttributesChanged);
    change->BindInt(3, found.profile).BindBlob(5, mask).Run();
  }
}

void RawStore::Push(int64_t audience, const std::vector<std::string>& members) {
  InTransactions(profiles_, static_cast<int64_t>(members.size()),
                 [&](int64_t first, int64_t count) { PushSome(audience, &members[first], count); });
}

void RawStore::PushSome(int64_t audience, const std::string* members, int64_t count) {
  sqlite::Database& db = profiles_.db();
  StatementScope open(db.Prepared(kOpenMembership));
  StatementScope add(db.Prepared(kAddMembership));
  StatementScope change(db.Prepared(kAddChange));
  const std::vector<std::string_view> external_ids(members, members + count);
  for (const Found& found : SortedByProfile(LookUp(db, external_ids))) {
    const bool is_member = open->BindAll(audience, found.profile).Step();
    open->Reset();
    Expect(!is_member, "somebody was a member already");
    const int64_t seq = profiles_.NextSeq();
    add->BindAll(audience, found.profile, seq, kForever, profiles_.commit_us()).Run();
    change->BindInt(1, seq).BindInt(2, kRealized).BindInt(3, found.profile);
    change->BindInt(4, audience).Run();
  }
  StatementScope grow(db.Prepared(kGrowAudience));
  grow->BindAll(audience, profiles_.commit_us()).Run();
}

void RawStore::Append(int64_t delivery, const std::vector<Sending>& sendings) {
  InTransactions(logs_, static_cast<int64_t>(sendings.size()), [&](int64_t first, int64_t count) {
    AppendSome(delivery, &sendings[first], count);
  });
}

// The broadlog ids ascend, so keys and messages need no sorting.
void RawStore::AppendSome(int64_t delivery, const Sending* sendings, int64_t count) {
  std::vector<std::string_view> external_ids;
  external_ids.reserve(count);
  for (int64_t i = 0; i < count; ++i) external_ids.push_back(sendings[i].external_id);
  const std::vector<int64_t> profiles = LookUp(*people_, external_ids);
  LogWriter writer(logs_, delivery);
  for (int64_t i = 0; i < count; ++i) writer.Append(sendings[i], profiles[i]);
  CountAppended(delivery, sendings, count);
}

void RawStore::CountAppended(int64_t delivery, const Sending* sendings, int64_t count) {
  std::map<std::pair<int64_t, int64_t>, int64_t> messages;  // by status and failure
  for (int64_t i = 0; i < count; ++i) {
    const Sending& sending = sendings[i];
    ++messages[{sending.status, sending.failure_type * 1000 + sending.failure_reason}];
  }
  StatementScope add(logs_.db().Prepared(kCountMessages));
  for (const auto& [key, number] : messages) {
    add->BindAll(delivery, key.first, key.second, number).Run();
  }
  StatementScope rows(logs_.db().Prepared(kCountRows));
  rows->BindAll(delivery, count).Run();
}

ExportSum RawStore::Export() {
  ExportSum sum;
  StatementScope scan(log_reader_->Prepared(kScanLog));
  scan->BindInt(1, 0);
  while (scan->Step()) {
    ++sum.rows;
    const bool complete = scan->Int(0) > 0 && scan->Int(1) == 1 && scan->Int(5) > 0;
    Expect(complete, "a log row lacks a value");
    sum.broadlog_ids += scan->Int(3);
    sum.event_us += scan->Int(4);
    sum.profiles += scan->Int(7);
    sum.failures += scan->Int(6) == 2 ? scan->Int(10) * 1000 + scan->Int(11) : 0;
    sum.text_bytes += static_cast<int64_t>(delivery_ids_[scan->Int(2)].size() +
                                           scan->Text(8).size() + scan->Text(9).size());
  }
  return sum;
}

int64_t RawStore::ScanProfiles() {
  StatementScope scan(people_->Prepared(kScanProfiles));
  Expect(scan->Step() && scan->Int(1) > 0, "the profiles have no values");
  return scan->Int(0);
}

}  // namespace passerelle::bench
