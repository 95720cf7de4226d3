#include "storage/sqlite/person_data.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr FileKind kL = FileKind::kLogs;
constexpr char kCounters[] = "positions and counters of the store";
constexpr char kSettings[] = "settings made by people who run the service";
constexpr char kCounts[] = "numbers and sets of messages; they tell who only together with the log";
constexpr char kMessageNumbers[] =
    "numbers, statuses and times of a message; nobody can tell whose once its rows are cleared";

constexpr PersonColumn kCreated[] = {{"create_us", Holds::kTime}};
constexpr PersonColumn kCreatedUpdated[] = {{"create_us", Holds::kTime},
                                            {"update_us", Holds::kTime}};
constexpr PersonColumn kLogColumns[] = {
    {"delivery", Holds::kDelivery},       {"broadlog_id", Holds::kMessage},
    {"event_us", Holds::kTime},           {"append_us", Holds::kTime},
    {"profile", Holds::kProfile, true},   {"namespace", Holds::kNamespaceId, true},
    {"identity", Holds::kIdentity, true}, {"reason_message", Holds::kText, true},
    {"url", Holds::kText, true},          {"url_category", Holds::kText, true}};
constexpr PersonColumn kMessageColumns[] = {
    {"delivery", Holds::kDelivery}, {"broadlog_id", Holds::kMessage}, {"event_us", Holds::kTime}};
constexpr PersonColumn kNamelessColumns[] = {
    {"delivery", Holds::kDelivery}, {"broadlog_id", Holds::kMessage}, {"opt_out_us", Holds::kTime}};
constexpr PersonColumn kOutcomeColumns[] = {{"record_key", Holds::kRecordKey, true},
                                            {"create_us", Holds::kTime}};
constexpr PersonColumn kFoundColumns[] = {{"delivery", Holds::kDelivery},
                                          {"broadlog_id", Holds::kMessage}};

constexpr PersonTable kTables[] = {
    {kL, "meta", "key value", {}, OnErase::kNothingHeld, kCounters},
    {kL, "commit_log", "last_seq commit_us", {}, OnErase::kNothingHeld, kCounters},
    {kL, "delivery", "number id display_name channel purpose campaign log_rows revision",
     kCreatedUpdated, OnErase::kNothingHeld, kSettings},
    {kL, "delivery_audience", "delivery position audience", {}, OnErase::kNothingHeld, kSettings},
    {kL, "log", "seq kind status tracking_kind tracking_log_id failure_type failure_reason flags",
     kLogColumns, OnErase::kClear, "by hash, by profile, and by the messages of those", nullptr,
     nullptr, nullptr, nullptr,
     "SELECT seq, kind, delivery, broadlog_id, event_us, append_us, status, tracking_kind, "
     "tracking_log_id, profile, namespace, identity, failure_type, failure_reason, flags, "
     "reason_message, url, url_category FROM log WHERE seq = ?1",
     "UPDATE log SET profile = NULL, namespace = NULL, identity = NULL, reason_message = NULL, "
     "url = NULL, url_category = NULL WHERE seq = ?1 AND coalesce(profile, namespace, identity, "
     "reason_message, url, url_category) IS NOT NULL"},
    {kL,
     "log_key",
     "kind delivery log_id state event_us append_us",
     {},
     OnErase::kKeep,
     kMessageNumbers},
    {kL, "message",
     "status failure_type failure_reason apart seq early_clicks early_opens early_opt_outs "
     "identity_seq",
     kMessageColumns, OnErase::kKeep, kMessageNumbers, nullptr, nullptr, nullptr, nullptr, nullptr,
     nullptr,
     "SELECT delivery, broadlog_id, status, failure_type, failure_reason, apart, event_us, seq, "
     "early_clicks, early_opens, early_opt_outs, identity_seq FROM message "
     "WHERE delivery = ?1 AND broadlog_id = ?2"},
    {kL,
     "message_opt_out",
     "seq identity_seq opt_out_us",
     {},
     OnErase::kKeep,
     "sequences of rows of the log, and a time that is in them"},
    {kL, "nameless_opt_out", "", kNamelessColumns, OnErase::kKeep, kMessageNumbers, nullptr,
     nullptr, nullptr, nullptr, nullptr, nullptr,
     "SELECT delivery, broadlog_id, opt_out_us FROM nameless_opt_out "
     "WHERE delivery = ?1 AND broadlog_id = ?2"},
    {kL, "privacy_message", "request", kFoundColumns, OnErase::kDelete,
     "by request, when the erasure is done"},
    {kL,
     "privacy_work",
     "request searched_seq cleared_seq cleared_rows",
     {},
     OnErase::kNothingHeld,
     kCounters},
    {kL, "report_count", "delivery measure key1 key2 value", {}, OnErase::kNothingHeld, kCounts},
    {kL, "report_set", "delivery measure high bitmap", {}, OnErase::kNothingHeld, kCounts},
    {kL, "consumer", "source id acknowledged_seq acknowledge_us seek_us max_pin_us told expired_us",
     kCreated, OnErase::kNothingHeld, kCounters},
    {kL, "consumer_range", "source id first_seq last_seq", {}, OnErase::kNothingHeld, kCounters},
    {kL, "write_stream",
     "id kind target next_offset epoch source_token totals finished clear_record_keys expired_us",
     kCreatedUpdated, OnErase::kNothingHeld,
     "streams and positions as their callers name them, of no single person"},
    {kL,
     "stream_batch",
     "stream first_offset hashes",
     {},
     OnErase::kNothingHeld,
     "four bytes of a hash per record, which tell nothing back"},
    {kL, "row_outcome", "stream row_offset outcome reason field flags stale out_of_scope profile",
     kOutcomeColumns, OnErase::kClear,
     "by record key, where that is an identity in clear; others are hashed with the server's key, "
     "and profile is always null"},
    {kL, "request", "id method payload_hash response", kCreated, OnErase::kNothingHeld,
     "outcomes of rows; record keys are hashed with the server's key in unary calls"},
    {kL,
     "audit",
     "number commit_us seq kind caller method call_id resource more_resources counts "
     "exported_rows key mac",
     {},
     OnErase::kNothingHeld,
     "who of those that call did what; names of resources alone, a profile's number among them, "
     "which leads to nobody once the profile is gone"},
};

}  // namespace

absl::Span<const PersonTable> LogsTables() { return kTables; }

}  // namespace passerelle::storage::sqlite
