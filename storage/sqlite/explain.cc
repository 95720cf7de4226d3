#include "storage/sqlite/explain.h"

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/reason.h"
#include "storage/sqlite/json_text.h"
#include "storage/sqlite/profile_reader.h"
#include "storage/sqlite/reach_lists.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kFind[] = "SELECT profile FROM identity WHERE namespace = ?1 AND value = ?2";
// A look per audience: the order of the tables is meant.
constexpr char kMemberships[] =
    "SELECT a.id, m.status, m.qualified_us FROM audience a CROSS JOIN membership m "
    "WHERE a.deleted = 0 AND m.audience = a.number AND m.generation = a.generation "
    "AND m.profile = ?1 AND m.from_seq <= ?2 AND m.to_seq > ?2 ORDER BY a.id";
constexpr char kDestinations[] = "SELECT id, record_applied, number FROM destination ORDER BY id";
// Streams of kinds 2, 3 and 4 have a destination.
constexpr char kLastRows[] =
    "SELECT w.target, o.stream, o.create_us, o.row_offset, o.outcome, o.reason, o.field, o.flags, "
    "o.stale, o.out_of_scope "
    "FROM row_outcome o INDEXED BY row_outcome_profile CROSS JOIN write_stream w "
    "WHERE o.profile = ?1 AND w.id = o.stream AND w.kind IN (2, 3, 4) "
    "ORDER BY o.create_us DESC LIMIT ?2";
constexpr char kSuppressedOn[] =
    "SELECT channel FROM reach_block WHERE profile = ?1 AND reasons & 1 ORDER BY channel";

using Block = ProfileExplanation::Block;

Exclusion ExclusionOf(int64_t reason) {
  if (reason == kBlockSuppressed) return Exclusion::kSuppressed;
  return reason == kBlockQuarantined ? Exclusion::kQuarantined : Exclusion::kDenylisted;
}

ProfileId IdOf(Database& db, const ProfileQuery& query) {
  if (query.id) return query.id;
  StatementScope find(db.Prepared(kFind));
  find->BindAll(query.ns.value, query.value);
  return ProfileId{find->Step() ? find->Int(0) : 0};
}

void ReadMemberships(Database& db, int64_t seq, ProfileExplanation& told) {
  StatementScope list(db.Prepared(kMemberships));
  list->BindAll(told.profile.id.value, seq);
  while (list->Step()) {
    told.memberships.push_back({std::string(list->Text(0)), list->Int(1) == 1, list->Int(2)});
  }
}

// Suppressed on a channel by no entry that can be told: by one of a key that is missing, or one
// that was taken off just now.
void AddUntold(Database& db, ProfileExplanation& told) {
  StatementScope list(db.Prepared(kSuppressedOn));
  list->BindInt(1, told.profile.id.value);
  while (list->Step()) {
    const std::string channel(list->Text(0));
    const bool is_told =
        std::any_of(told.blocks.begin(), told.blocks.end(), [&](const Block& block) {
          return block.exclusion == Exclusion::kSuppressed && block.channel == channel;
        });
    if (is_told) continue;
    Block block;
    block.exclusion = Exclusion::kSuppressed;
    block.channel = channel;
    told.blocks.push_back(std::move(block));
  }
}

void ReadBlocks(Database& db, const StoreKeys* keys, ProfileExplanation& told) {
  ReachLists lists(db, keys);
  if (lists.empty()) return;
  std::vector<std::string> texts;
  const std::vector<IdentityCell> identities = ReadIdentities(db, told.profile.id, texts);
  lists.Visit(told.profile.id, identities, [&](const ListEntry& entry) {
    Block block;
    block.exclusion = ExclusionOf(entry.reason);
    block.channel = entry.channel;
    block.since_us = entry.since_us;
    block.reason = entry.words;
    block.failure_reason = entry.failure_reason;
    if (entry.identity != nullptr) {
      block.ns = entry.identity->ns;
      block.value = entry.identity->value;
    }
    told.blocks.push_back(std::move(block));
  });
  AddUntold(db, told);
  std::stable_sort(told.blocks.begin(), told.blocks.end(), [](const Block& a, const Block& b) {
    return std::tie(a.exclusion, a.channel) < std::tie(b.exclusion, b.channel);
  });
}

RowResult ReadRow(const Statement& row, int first) {
  RowResult result;
  result.offset = row.Int(first);
  result.outcome = static_cast<Outcome>(row.Int(first + 1));
  result.reason = static_cast<RowReason>(row.Int(first + 2));
  result.field = row.Text(first + 3);
  const int64_t flags = row.Int(first + 4);
  result.profile_created = (flags & 1) != 0;
  result.membership_changed = (flags & 2) != 0;
  result.attributes_changed = (flags & 4) != 0;
  result.stale_fields = DecodeJsonList(row.Text(first + 5));
  result.out_of_scope_fields = DecodeJsonList(row.Text(first + 6));
  return result;
}

void ReadDestinations(Database& db, ProfileExplanation& told) {
  absl::flat_hash_map<std::string, size_t> place;
  {
    StatementScope list(db.Prepared(kDestinations));
    while (list->Step()) {
      place[std::string(list->Text(0))] = told.destinations.size();
      told.destinations.emplace_back();
      told.destinations.back().destination = list->Text(0);
      told.destinations.back().records_applied = list->Bool(1);
      told.destinations.back().number = DestinationNumber{list->Int(2)};
    }
  }
  size_t missing = place.size();
  StatementScope rows(db.Prepared(kLastRows));
  rows->BindAll(told.profile.id.value, kExplainedRows);
  while (missing != 0 && rows->Step()) {
    const auto found = place.find(std::string(rows->Text(0)));
    if (found == place.end()) continue;
    auto& destination = told.destinations[found->second];
    if (destination.last.has_value()) continue;
    destination.stream = rows->Text(1);
    destination.create_us = rows->Int(2);
    destination.last = ReadRow(*rows, 3);
    --missing;
  }
}

}  // namespace

absl::StatusOr<ProfileExplanation> Explain(const InstanceContext& context,
                                           const ProfileQuery& query, const ReadContext& caller) {
  const std::shared_ptr<const Schema> schema = context.schema.Get();
  ProfileExplanation told;
  RETURN_IF_ERROR(context.profiles->Read(caller, "profiles: explain", [&](const ReadLease& lease) {
    told = {};
    Database& db = lease.db();
    if (!ProfileReader(db, *schema).Read(IdOf(db, query), told.profile)) {
      return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound, "there is no such profile");
    }
    ReadMemberships(db, lease.seq(), told);
    ReadBlocks(db, context.store_keys.get(), told);
    ReadDestinations(db, told);
    return absl::OkStatus();
  }));
  return told;
}

}  // namespace passerelle::storage::sqlite
