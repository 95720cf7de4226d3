#include "storage/sqlite/stream_rows.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/json_text.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kReserveName[] = "INSERT OR REPLACE INTO stream_name(id, file) VALUES (?1, ?2)";
// None where this one is taken already.
constexpr char kCountOtherNames[] =
    "SELECT count(*) FROM stream_name WHERE NOT EXISTS (SELECT 1 FROM stream_name WHERE id = ?1)";
constexpr char kGet[] =
    "SELECT id, kind, target, next_offset, epoch, source_token, totals, finished, "
    "clear_record_keys, create_us, update_us, expired_us FROM write_stream WHERE id = ?1";
constexpr char kList[] =
    "SELECT id, kind, target, next_offset, epoch, source_token, totals, finished, "
    "clear_record_keys, create_us, update_us, expired_us FROM write_stream WHERE id > ?1 "
    "ORDER BY id LIMIT ?2";
constexpr char kInsert[] =
    "INSERT INTO write_stream(id, kind, target, next_offset, epoch, source_token, totals, "
    "finished, clear_record_keys, create_us, update_us, expired_us) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
constexpr char kUpdate[] =
    "UPDATE write_stream SET next_offset = ?2, epoch = ?3, source_token = ?4, totals = ?5, "
    "finished = ?6, update_us = ?7, expired_us = ?8 WHERE id = ?1";
constexpr char kGetReplace[] =
    "SELECT audience, as_of_us, max_refused_percent FROM stream_replace WHERE stream = ?1";
// The run that begins at or before ?2 may reach over it.
constexpr char kGetHashes[] =
    "SELECT first_offset, hashes FROM stream_batch WHERE stream = ?1 AND first_offset < ?3 "
    "AND first_offset >= coalesce((SELECT max(first_offset) FROM stream_batch "
    "WHERE stream = ?1 AND first_offset <= ?2), ?2) ORDER BY first_offset";
constexpr char kInsertHashes[] =
    "INSERT INTO stream_batch(stream, first_offset, hashes) VALUES (?1, ?2, ?3)";
constexpr char kForgetHashes[] =
    "DELETE FROM stream_batch WHERE stream = ?1 AND first_offset < "
    "(SELECT max(first_offset) FROM stream_batch WHERE stream = ?1 AND first_offset <= ?2)";
constexpr char kInsertOutcome[] =
    "INSERT INTO row_outcome(stream, row_offset, record_key, outcome, reason, field, flags, stale, "
    "out_of_scope, create_us, profile) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
constexpr char kListOutcomes[] =
    "SELECT row_offset, record_key, outcome, reason, field, flags, stale, out_of_scope "
    "FROM row_outcome WHERE stream = ?1 AND row_offset > ?2 ORDER BY row_offset LIMIT ?3";
constexpr char kDeleteOutcomes[] =
    "DELETE FROM row_outcome WHERE stream = ?1 AND row_offset IN "
    "(SELECT row_offset FROM row_outcome WHERE stream = ?1 LIMIT ?2)";
constexpr char kDeleteHashes[] =
    "DELETE FROM stream_batch WHERE stream = ?1 AND first_offset IN "
    "(SELECT first_offset FROM stream_batch WHERE stream = ?1 LIMIT ?2)";
constexpr char kDelete[] = "DELETE FROM write_stream WHERE id = ?1";

constexpr int64_t kCreatedFlag = 1, kMembershipFlag = 2, kAttributesFlag = 4, kUnknownFlag = 8;

StreamState ReadStream(const Statement& row) {
  StreamState stream;
  stream.stream = row.Text(0);
  stream.kind = static_cast<StreamKind>(row.Int(1));
  stream.target = row.Text(2);
  stream.next_offset = row.Int(3);
  stream.epoch = row.Int(4);
  stream.source_token = row.Blob(5);
  stream.totals = DecodeJsonCounts(row.Text(6));
  stream.finished = row.Bool(7);
  stream.clear_record_keys = row.Bool(8);
  stream.create_us = row.Int(9);
  stream.update_us = row.Int(10);
  stream.expired_us = row.Int(11);
  return stream;
}

RowResult ReadOutcome(const Statement& row) {
  RowResult result;
  result.offset = row.Int(0);
  result.record_key = row.Blob(1);
  result.outcome = static_cast<Outcome>(row.Int(2));
  result.reason = static_cast<RowReason>(row.Int(3));
  result.field = row.Text(4);
  const int64_t flags = row.Int(5);
  result.profile_created = (flags & kCreatedFlag) != 0;
  result.membership_changed = (flags & kMembershipFlag) != 0;
  result.attributes_changed = (flags & kAttributesFlag) != 0;
  result.profile_unknown = (flags & kUnknownFlag) != 0;
  result.stale_fields = DecodeJsonList(row.Text(6));
  result.out_of_scope_fields = DecodeJsonList(row.Text(7));
  return result;
}

bool HasBit(uint32_t set, int64_t bit) { return set == 0 || (set >> bit & 1) != 0; }

bool Names(const Statement& row, const std::string& field) {
  if (row.Text(4) == field) return true;
  for (const int column : {6, 7}) {
    if (row.IsNull(column)) continue;
    const std::vector<std::string> listed = DecodeJsonList(row.Text(column));
    if (std::find(listed.begin(), listed.end(), field) != listed.end()) return true;
  }
  return false;
}

bool Fits(const Statement& row, const OutcomeFilter& filter) {
  return HasBit(filter.outcomes, row.Int(2)) && HasBit(filter.reasons, row.Int(3)) &&
         (filter.record_key.empty() || row.Blob(1) == filter.record_key) &&
         (filter.field.empty() || Names(row, filter.field));
}

int64_t TextBytes(const Statement& row) {
  size_t bytes = row.Blob(1).size();
  for (const int column : {4, 6, 7}) bytes += row.Text(column).size();
  return static_cast<int64_t>(bytes);
}

std::string DaysText(int64_t us) {
  constexpr int64_t kDayUs = int64_t{24} * 3600 * 1'000'000;
  return absl::StrCat(us / kDayUs, " days");
}

std::string_view AsBytes(const std::vector<uint32_t>& hashes) {
  return {reinterpret_cast<const char*>(hashes.data()), hashes.size() * sizeof(uint32_t)};
}

}  // namespace

std::optional<StreamState> LoadStream(Database& db, std::string_view stream) {
  StatementScope get(db.Prepared(kGet));
  get->BindText(1, stream);
  if (!get->Step()) return std::nullopt;
  return ReadStream(*get);
}

absl::Status CheckNotExpired(const StreamState& state) {
  if (state.expired_us == 0) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kNotFound, Reason::kStreamNotFound,
      absl::StrCat("stream '", state.stream, "': it expired ",
                   DaysText(state.expired_us - state.update_us),
                   " after its last use, with next_offset ", state.next_offset,
                   "; take a new name for new records, or delete it, which frees its name, only "
                   "if the same records are not sent again"));
}

absl::Status CheckRoomForStream(Database& db, std::string_view stream, int64_t max) {
  StatementScope count(db.Prepared(kCountOtherNames));
  count->BindText(1, stream);
  const int64_t others = count->Step() ? count->Int(0) : 0;
  if (others < max) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted, Reason::kLimitReached,
                   absl::StrCat("the instance has ", others, " write streams, limit ", max,
                                " (--max-streams); go on with one that there is, or delete one"),
                   {{"limit", absl::StrCat(max)}});
}

void ReserveStreamName(Database& db, std::string_view stream, const char* file) {
  StatementScope reserve(db.Prepared(kReserveName));
  reserve->BindAll(stream, file).Run();
}

std::vector<StreamState> LoadStreams(Database& db, const PageRequest& page) {
  StatementScope list(db.Prepared(kList));
  list->BindAll(page.after, page.limit);
  std::vector<StreamState> streams;
  while (list->Step()) streams.push_back(ReadStream(*list));
  return streams;
}

StreamState WithReplace(Database& db, StreamState state) {
  if (state.kind != StreamKind::kReplaceMembers) return state;
  StatementScope get(db.Prepared(kGetReplace));
  get->BindText(1, state.stream);
  if (get->Step()) {
    state.replace = ReplaceOptions{std::string(get->Text(0)), get->Int(1), get->Double(2)};
  }
  return state;
}

void InsertStream(Database& db, const StreamState& stream) {
  const std::string totals = EncodeJsonCounts(stream.totals);
  StatementScope insert(db.Prepared(kInsert));
  insert->BindText(1, stream.stream).BindInt(2, static_cast<int64_t>(stream.kind));
  insert->BindText(3, stream.target).BindInt(4, stream.next_offset).BindInt(5, stream.epoch);
  insert->BindBlob(6, stream.source_token).BindText(7, totals).BindBool(8, stream.finished);
  insert->BindBool(9, stream.clear_record_keys);
  insert->BindInt(10, stream.create_us).BindInt(11, stream.update_us);
  insert->BindInt(12, stream.expired_us).Run();
}

void UpdateStream(Database& db, const StreamState& stream) {
  const std::string totals = EncodeJsonCounts(stream.totals);
  StatementScope update(db.Prepared(kUpdate));
  update->BindText(1, stream.stream).BindInt(2, stream.next_offset).BindInt(3, stream.epoch);
  update->BindBlob(4, stream.source_token).BindText(5, totals).BindBool(6, stream.finished);
  update->BindInt(7, stream.update_us).BindInt(8, stream.expired_us).Run();
}

std::vector<HashRun> LoadHashes(Database& db, std::string_view stream, int64_t first, int64_t end) {
  StatementScope get(db.Prepared(kGetHashes));
  get->BindAll(stream, first, end);
  std::vector<HashRun> runs;
  while (get->Step()) {
    const std::string_view blob = get->Blob(1);
    HashRun run;
    run.first_offset = get->Int(0);
    run.hashes.resize(blob.size() / sizeof(uint32_t));
    if (!blob.empty()) std::memcpy(run.hashes.data(), blob.data(), AsBytes(run.hashes).size());
    if (run.end() > first) runs.push_back(std::move(run));
  }
  return runs;
}

void InsertHashes(Database& db, std::string_view stream, const HashRun& run) {
  StatementScope insert(db.Prepared(kInsertHashes));
  insert->BindText(1, stream).BindInt(2, run.first_offset).BindBlob(3, AsBytes(run.hashes)).Run();
}

void ForgetHashesBelow(Database& db, std::string_view stream, int64_t offset) {
  StatementScope forget(db.Prepared(kForgetHashes));
  forget->BindText(1, stream).BindInt(2, offset).Run();
}

void InsertOutcome(Database& db, std::string_view stream, const RowResult& row, int64_t create_us) {
  const int64_t flags =
      (row.profile_created ? kCreatedFlag : 0) | (row.membership_changed ? kMembershipFlag : 0) |
      (row.attributes_changed ? kAttributesFlag : 0) | (row.profile_unknown ? kUnknownFlag : 0);
  std::string stale, out_of_scope;
  StatementScope insert(db.Prepared(kInsertOutcome));
  insert->BindText(1, stream).BindInt(2, row.offset).BindBlob(3, row.record_key);
  insert->BindInt(4, static_cast<int64_t>(row.outcome))
      .BindInt(5, static_cast<int64_t>(row.reason));
  insert->BindText(6, row.field).BindInt(7, flags).BindInt(10, create_us);
  if (row.profile != 0) insert->BindInt(11, row.profile);
  if (!row.stale_fields.empty()) insert->BindText(8, stale = EncodeJsonList(row.stale_fields));
  if (!row.out_of_scope_fields.empty()) {
    insert->BindText(9, out_of_scope = EncodeJsonList(row.out_of_scope_fields));
  }
  insert->Run();
}

OutcomePage LoadOutcomes(Database& db, std::string_view stream, const OutcomeFilter& filter,
                         const OutcomeScan& scan) {
  StatementScope list(db.Prepared(kListOutcomes));
  list->BindAll(stream, scan.after_offset, scan.scan_limit);
  OutcomePage page;
  page.after_offset = scan.after_offset;
  int32_t looked_at = 0;
  int64_t bytes = 0;
  bool more = list->Step();
  while (more && page.rows.size() < static_cast<size_t>(scan.limit) && bytes < scan.limit_bytes) {
    ++looked_at;
    page.after_offset = list->Int(0);
    if (Fits(*list, filter)) {
      page.rows.push_back(ReadOutcome(*list));
      bytes += TextBytes(*list);
    }
    more = list->Step();
  }
  page.at_end = !more && looked_at < scan.scan_limit;
  return page;
}

bool DeleteSomeOfStream(Database& db, std::string_view stream, int64_t limit) {
  bool more = false;
  for (const char* sql : {kDeleteOutcomes, kDeleteHashes}) {
    StatementScope remove(db.Prepared(sql));
    remove->BindAll(stream, limit).Run();
    more = more || sqlite3_changes64(db.handle()) >= limit;
  }
  return more;
}

void DeleteStreamRow(Database& db, std::string_view stream) {
  StatementScope remove(db.Prepared(kDelete));
  remove->BindText(1, stream).Run();
}

}  // namespace passerelle::storage::sqlite
