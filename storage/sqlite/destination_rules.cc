#include "storage/sqlite/destination_rules.h"

#include "absl/strings/str_cat.h"
#include "storage/reason.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGetState[] =
    "SELECT id, state, mapping_revision, sync_type, on_conflict, on_unknown, record_applied "
    "FROM destination WHERE number = ?1";
constexpr char kGetOrder[] =
    "SELECT value FROM json_each((SELECT namespace_order FROM destination WHERE number = ?1)) "
    "ORDER BY key";
constexpr char kGetAudiences[] =
    "SELECT DISTINCT audience FROM destination_audience WHERE destination = ?1 ORDER BY audience";

absl::Status DeletedError() {
  return MakeError(absl::StatusCode::kNotFound, Reason::kDestinationDeleted,
                   "the destination was deleted");
}

absl::Status PausedError(std::string_view id) {
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kDestinationPaused,
                   absl::StrCat("destination ", std::string(id),
                                " is paused; resume it and go on at the same offset"));
}

absl::Status ChangedError(std::string_view id) {
  return MakeError(absl::StatusCode::kAborted, Reason::kMappingChanged,
                   absl::StrCat("the mappings or rules of destination ", std::string(id),
                                " changed; open the stream again at the same offset"));
}

template <class T>
std::vector<T> ReadNumbers(Database& db, const char* sql, DestinationNumber destination) {
  std::vector<T> numbers;
  StatementScope get(db.Prepared(sql));
  get->BindInt(1, destination.value);
  while (get->Step()) numbers.push_back(T{get->Int(0)});
  return numbers;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const DestinationRules>> DestinationRulesCache::Get(
    Transaction& transaction, DestinationNumber destination, int64_t revision) {
  Database& db = transaction.db();
  StatementScope get(db.Prepared(kGetState));
  if (!get->BindInt(1, destination.value).Step()) return DeletedError();
  if (get->Int(1) != static_cast<int64_t>(FlowState::kActive)) return PausedError(get->Text(0));
  if (get->Int(2) != revision) return ChangedError(get->Text(0));
  auto& cached = by_number_[destination.value];
  if (cached != nullptr && cached->revision == revision) return cached;
  auto rules = std::make_shared<DestinationRules>();
  rules->revision = revision;
  rules->sync_type = static_cast<SyncType>(get->Int(3));
  rules->on_conflict = static_cast<OnConflict>(get->Int(4));
  rules->on_unknown = static_cast<OnUnknown>(get->Int(5));
  rules->record_applied = get->Bool(6);
  rules->namespace_order = ReadNumbers<NamespaceNumber>(db, kGetOrder, destination);
  rules->audiences = ReadNumbers<AudienceNumber>(db, kGetAudiences, destination);
  cached = rules;
  return cached;
}

}  // namespace passerelle::storage::sqlite
