#include "storage/sqlite/person_data.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr FileKind kP = FileKind::kProfiles;
constexpr char kCounters[] = "positions and counters of the store";
constexpr char kSettings[] = "settings made by people who run the service";
constexpr char kOwnNumber[] =
    "a number that leads to nobody once the profile is gone; counts of the past stay true";
constexpr char kStreams[] = "streams and positions as their callers name them, of no single person";
constexpr char kContentHashes[] = "four bytes of a hash per record, which tell nothing back";
constexpr char kAnswers[] =
    "outcomes of rows; record keys are hashed with the server's key in unary calls";

constexpr PersonColumn kCreated[] = {{"create_us", Holds::kTime}};
constexpr PersonColumn kCreatedUpdated[] = {{"create_us", Holds::kTime},
                                            {"update_us", Holds::kTime}};

constexpr PersonColumn kProfileColumns[] = {{"id", Holds::kProfile},
                                            {"create_us", Holds::kTime},
                                            {"update_us", Holds::kTime},
                                            {"times", Holds::kAttributeTimes}};
constexpr PersonColumn kIdentityColumns[] = {
    {"namespace", Holds::kNamespace}, {"value", Holds::kIdentity}, {"profile", Holds::kProfile}};
constexpr PersonColumn kMembershipColumns[] = {
    {"audience", Holds::kAudience}, {"profile", Holds::kProfile}, {"qualified_us", Holds::kTime}};
constexpr PersonColumn kChangeColumns[] = {
    {"profile", Holds::kProfile}, {"audience", Holds::kAudience}, {"mask", Holds::kAttributeMask}};
constexpr PersonColumn kSuppressionColumns[] = {
    {"hash", Holds::kHash}, {"reason", Holds::kOwnWords}, {"create_us", Holds::kTime}};
constexpr PersonColumn kQuarantineColumns[] = {{"namespace", Holds::kNamespace},
                                               {"value", Holds::kIdentity},
                                               {"counted_us", Holds::kTime},
                                               {"last_us", Holds::kTime},
                                               {"quarantine_us", Holds::kTime}};
constexpr PersonColumn kDenylistColumns[] = {
    {"profile", Holds::kProfile}, {"reason", Holds::kText}, {"create_us", Holds::kTime}};
constexpr PersonColumn kReachColumns[] = {{"profile", Holds::kProfile}};
constexpr PersonColumn kPendingColumns[] = {{"namespace", Holds::kNamespace},
                                            {"value", Holds::kIdentity},
                                            {"opt_out_us", Holds::kTime},
                                            {"profile", Holds::kProfile}};
constexpr PersonColumn kOutcomeColumns[] = {{"record_key", Holds::kRecordKey, true},
                                            {"create_us", Holds::kTime},
                                            {"profile", Holds::kProfile, true}};
constexpr PersonColumn kRequestColumns[] = {{"profile", Holds::kProfile, true},
                                            {"archive_expire_us", Holds::kTime},
                                            {"create_us", Holds::kTime},
                                            {"end_us", Holds::kTime}};
constexpr PersonColumn kHashColumns[] = {{"hash", Holds::kHash}};
constexpr PersonColumn kAboutColumns[] = {{"profile", Holds::kProfile}};
constexpr PersonColumn kArchiveColumns[] = {{"sealed", Holds::kOwnWords}};
constexpr PersonColumn kTombstoneColumns[] = {{"hash", Holds::kHash}, {"create_us", Holds::kTime}};

constexpr PersonTable kTables[] = {
    {kP, "meta", "key value", {}, OnErase::kNothingHeld, kCounters},
    {kP, "commit_log", "last_seq commit_us", {}, OnErase::kNothingHeld, kCounters},
    {kP, "attribute",
     "number id display_name type personal read_only_for_sync channel purpose opt_in_required "
     "deleted revision",
     kCreatedUpdated, OnErase::kNothingHeld, kSettings},
    {kP, "identity_namespace",
     "number id display_name kind normalization derived_from built_in revision", kCreated,
     OnErase::kNothingHeld, kSettings},
    {kP, "profile", "known", kProfileColumns, OnErase::kDelete, "by its number"},
    {kP, "identity", "derived", kIdentityColumns, OnErase::kDelete, "by profile, and by hash",
     "SELECT namespace, value, profile, derived FROM identity WHERE profile = ?1 "
     "ORDER BY namespace, value"},
    {kP, "audience",
     "number id display_name kind generation next_generation max_qualified_us deleted revision",
     kCreatedUpdated, OnErase::kNothingHeld, kSettings},
    {kP,
     "audience_generation",
     "audience generation from_seq to_seq as_of_us",
     {},
     OnErase::kNothingHeld,
     "of all members together"},
    {kP, "membership", "generation from_seq to_seq status", kMembershipColumns, OnErase::kKeep,
     kOwnNumber,
     "SELECT m.audience, m.generation, m.profile, m.from_seq, m.to_seq, m.status, m.qualified_us "
     "FROM (SELECT audience, generation FROM audience_generation UNION "
     "SELECT audience, generation FROM audience_replace) g CROSS JOIN membership m "
     "ON m.audience = g.audience AND m.generation = g.generation WHERE m.profile = ?1"},
    {kP,
     "audience_replace",
     "audience stream generation as_of_us max_refused_percent staged carried_profile update_us",
     {},
     OnErase::kNothingHeld,
     "of all members together; carried_profile is a position"},
    {kP, "change", "seq kind", kChangeColumns, OnErase::kKeep, kOwnNumber, nullptr,
     "SELECT seq, kind, profile, audience, mask FROM change "
     "WHERE profile = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq"},
    {kP, "suppression", "key channel", kSuppressionColumns, OnErase::kKeep,
     "keyed hashes, and words of those who run the service; they keep the person from being "
     "reached"},
    {kP, "quarantine", "number channel errors failure_type failure_reason", kQuarantineColumns,
     OnErase::kDelete, "by hash", nullptr, nullptr, nullptr,
     "SELECT number, namespace, value FROM quarantine WHERE number > ?1 ORDER BY number LIMIT ?2",
     "SELECT number, namespace, value, channel, errors, counted_us, last_us, quarantine_us, "
     "failure_type, failure_reason FROM quarantine WHERE number = ?1",
     "DELETE FROM quarantine WHERE number = ?1"},
    {kP, "denylist", "channel", kDenylistColumns, OnErase::kDelete, "by profile",
     "SELECT profile, channel, reason, create_us FROM denylist WHERE profile = ?1", nullptr,
     "DELETE FROM denylist WHERE profile = ?1"},
    {kP, "reach_block", "channel reasons", kReachColumns, OnErase::kDelete, "by profile",
     "SELECT profile, channel, reasons FROM reach_block WHERE profile = ?1", nullptr,
     "DELETE FROM reach_block WHERE profile = ?1"},
    {kP, "destination",
     "number id display_name target sync_type namespace_order on_conflict on_unknown on_unmap "
     "record_applied state mapping_revision revision",
     kCreatedUpdated, OnErase::kNothingHeld, kSettings},
    {kP,
     "destination_audience",
     "destination source_id position audience",
     {},
     OnErase::kNothingHeld,
     kSettings},
    {kP,
     "field_mapping",
     "destination source_field position attribute namespace transform mandatory merge_policy",
     {},
     OnErase::kNothingHeld,
     kSettings},
    {kP, "source",
     "number id display_name schema dataset fields deliveries audiences start_us end_us state "
     "revision",
     kCreatedUpdated, OnErase::kNothingHeld, kSettings},
    {kP, "pending_opt_out", "number channel purpose", kPendingColumns, OnErase::kDelete,
     "by profile, and by hash",
     "SELECT number, namespace, value, channel, purpose, opt_out_us, profile FROM pending_opt_out "
     "WHERE profile = ?1",
     nullptr, "DELETE FROM pending_opt_out WHERE profile = ?1",
     "SELECT number, namespace, value FROM pending_opt_out WHERE number > ?1 ORDER BY number "
     "LIMIT ?2",
     "SELECT number, namespace, value, channel, purpose, opt_out_us, profile FROM pending_opt_out "
     "WHERE number = ?1",
     "DELETE FROM pending_opt_out WHERE number = ?1"},
    {kP, "privacy_request",
     "number id kind state step rows_done rows_total key tombstones failure archive_bytes "
     "statement signature public_key signing_key revision",
     kRequestColumns, OnErase::kClear, "by profile, when the erasure is done"},
    {kP, "privacy_hash", "request usage key", kHashColumns, OnErase::kDelete,
     "by request, when the erasure is done"},
    {kP, "privacy_profile", "request", kAboutColumns, OnErase::kDelete,
     "by request, when the erasure is done"},
    {kP,
     "privacy_count",
     "request name rows",
     {},
     OnErase::kNothingHeld,
     "how many rows there were"},
    {kP, "privacy_archive", "request chunk", kArchiveColumns, OnErase::kDelete,
     "by the profile and the hashes of their requests"},
    {kP, "tombstone", "key", kTombstoneColumns, OnErase::kKeep,
     "keyed hashes; they keep the person from coming back"},
    {kP, "stream_name", "id file", {}, OnErase::kNothingHeld, kStreams},
    {kP, "write_stream",
     "id kind target next_offset epoch source_token totals finished clear_record_keys expired_us",
     kCreatedUpdated, OnErase::kNothingHeld, kStreams},
    {kP,
     "stream_replace",
     "stream audience as_of_us max_refused_percent",
     {},
     OnErase::kNothingHeld,
     kStreams},
    {kP, "stream_batch", "stream first_offset hashes", {}, OnErase::kNothingHeld, kContentHashes},
    {kP, "row_outcome", "stream row_offset outcome reason field flags stale out_of_scope",
     kOutcomeColumns, OnErase::kClear,
     "by profile, and by record key where that is an identity in clear",
     "SELECT stream, row_offset, record_key, outcome, reason, field, flags, stale, out_of_scope, "
     "create_us, profile FROM row_outcome WHERE profile = ?1 ORDER BY create_us",
     nullptr,
     "UPDATE row_outcome SET record_key = x'', profile = NULL WHERE (stream, row_offset) IN "
     "(SELECT stream, row_offset FROM row_outcome WHERE profile = ?1 LIMIT 1000)"},
    {kP, "request", "id method payload_hash response", kCreated, OnErase::kNothingHeld, kAnswers},
    {kP,
     "audit",
     "number commit_us seq kind caller method call_id resource more_resources counts "
     "exported_rows key mac",
     {},
     OnErase::kNothingHeld,
     "who of those that call did what; names of resources alone, a profile's number among them, "
     "which leads to nobody once the profile is gone"},
};

size_t PlaceIn(absl::Span<const PersonTable> tables, std::string_view qualified_name) {
  size_t place = 0;
  while (place < tables.size() && QualifiedName(tables[place]) != qualified_name) ++place;
  return place;
}

}  // namespace

absl::Span<const PersonTable> ProfilesTables() { return kTables; }

std::string QualifiedName(const PersonTable& table) {
  const std::string_view file = FileKindName(table.file);
  return absl::StrCat(absl::string_view(file.data(), file.size()), ".", table.name);
}

size_t PlaceOfTable(std::string_view qualified_name) {
  const size_t in_profiles = PlaceIn(ProfilesTables(), qualified_name);
  if (in_profiles < ProfilesTables().size()) return in_profiles;
  return in_profiles + PlaceIn(LogsTables(), qualified_name);
}

const PersonTable* FindPersonTable(FileKind file, std::string_view name) {
  for (const PersonTable& table : file == kP ? ProfilesTables() : LogsTables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

}  // namespace passerelle::storage::sqlite
