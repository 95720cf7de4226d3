#include "storage/sqlite/stream_overlay.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

absl::Status Refuse(StatusCode code, Reason reason, const std::string& stream,
                    absl::string_view why, ErrorMetadata metadata = {}) {
  return MakeError(code, reason, absl::StrCat("stream '", stream, "': ", why), std::move(metadata));
}

absl::Status JudgeStream(const StreamState& state, const StreamBatch& batch) {
  const std::string& stream = state.stream;
  const bool other_target = !batch.target.empty() && state.target != batch.target;
  if (state.kind != batch.kind || other_target) {
    return Refuse(StatusCode::kFailedPrecondition, Reason::kStreamKindMismatch, stream,
                  "it belongs to another kind of ingest or to another destination");
  }
  if (batch.position.epoch != state.epoch && !PLANTED("lost-epoch-fence")) {
    return Refuse(StatusCode::kAborted, Reason::kEpochFenced, stream,
                  absl::StrCat("another writer opened it: epoch ", state.epoch, ", got ",
                               batch.position.epoch));
  }
  const int64_t offset = batch.position.offset;
  const bool gap = offset < 0 || offset > state.next_offset;
  if (state.finished && offset >= 0 && (gap || batch.rows > state.next_offset - offset)) {
    return Refuse(StatusCode::kFailedPrecondition, Reason::kStreamFinished, stream,
                  absl::StrCat("finished at ", state.next_offset, " records"));
  }
  if (gap) {
    return Refuse(StatusCode::kOutOfRange, Reason::kOffsetGap, stream,
                  absl::StrCat("the next offset is ", state.next_offset, ", got ", offset),
                  {{"next_offset", absl::StrCat(state.next_offset)}});
  }
  return absl::OkStatus();
}

// Compares what the run knows of [first, end); returns the offset of the first difference, or -1,
// and counts the records compared.
int64_t FindDifference(const HashRun& run, const StreamBatch& batch, int64_t first, int64_t end,
                       int64_t& compared) {
  const int64_t from = std::max(first, run.first_offset);
  const int64_t to = std::min(end, run.end());
  for (int64_t offset = from; offset < to; ++offset) {
    const uint32_t stored = run.hashes[static_cast<size_t>(offset - run.first_offset)];
    if (stored != batch.content_hash(offset - batch.position.offset)) return offset;
    ++compared;
  }
  return -1;
}

}  // namespace

StreamOverlay::Entry& StreamOverlay::Load(Transaction& transaction, const std::string& stream) {
  const auto [at, is_new] = streams_.try_emplace(stream);
  Entry& entry = at->second;
  if (!is_new) return entry;
  auto loaded = LoadStream(transaction.db(), stream);
  entry.exists = loaded.has_value();
  if (loaded.has_value()) entry.state = *std::move(loaded);
  return entry;
}

absl::StatusOr<StreamJudgement> StreamOverlay::Judge(Transaction& transaction,
                                                     const StreamBatch& batch) {
  const Entry& entry = Load(transaction, batch.position.stream);
  if (!entry.exists) {
    return Refuse(StatusCode::kNotFound, Reason::kStreamNotFound, batch.position.stream,
                  "it was deleted or has expired");
  }
  RETURN_IF_ERROR(CheckNotExpired(entry.state));
  RETURN_IF_ERROR(JudgeStream(entry.state, batch));
  const int64_t known = std::min(batch.rows, entry.state.next_offset - batch.position.offset);
  if (known == 0) return StreamJudgement{};
  return JudgeKnown(transaction, entry, batch, known);
}

absl::StatusOr<StreamJudgement> StreamOverlay::JudgeKnown(Transaction& transaction,
                                                          const Entry& entry,
                                                          const StreamBatch& batch,
                                                          int64_t known_rows) {
  const int64_t end = batch.position.offset + known_rows;
  const int64_t first =
      std::max(batch.position.offset, entry.state.next_offset - kHashedRecordsMax);
  std::vector<HashRun> runs;
  if (first < end) runs = LoadHashes(transaction.db(), entry.state.stream, first, end);
  int64_t compared = 0;
  int64_t differs = -1;
  for (const HashRun& run : runs) {
    if (differs < 0) differs = FindDifference(run, batch, first, end, compared);
  }
  if (differs < 0) differs = FindDifference(entry.hashes, batch, first, end, compared);
  if (differs >= 0) {
    return Refuse(
        StatusCode::kFailedPrecondition, Reason::kContentMismatch, entry.state.stream,
        absl::StrCat("the record at offset ", differs, " is not the one that was accepted there"),
        {{"offset", absl::StrCat(differs)}});
  }
  return StreamJudgement{known_rows, compared < known_rows};
}

void StreamOverlay::Accept(Transaction& transaction, const StreamBatch& batch, int64_t known_rows,
                           const OutcomeCounts& counts, std::vector<RowResult> kept) {
  Entry& entry = Load(transaction, batch.position.stream);
  StreamState& state = entry.state;
  if (entry.hashes.hashes.empty()) entry.hashes.first_offset = state.next_offset;
  entry.hashes.hashes.reserve(entry.hashes.hashes.size() +
                              static_cast<size_t>(batch.rows - known_rows));
  for (int64_t row = known_rows; row < batch.rows; ++row) {
    entry.hashes.hashes.push_back(batch.content_hash(row));
  }
  state.next_offset = batch.position.offset + batch.rows;
  state.source_token = batch.position.source_token;
  state.update_us = transaction.commit_us();
  for (size_t i = 0; i < counts.rows.size(); ++i) state.totals.rows[i] += counts.rows[i];
  entry.ledger.insert(entry.ledger.end(), std::make_move_iterator(kept.begin()),
                      std::make_move_iterator(kept.end()));
  entry.changed = true;
}

const StreamState& StreamOverlay::Get(std::string_view stream) const {
  return streams_.find(stream)->second.state;
}

absl::Status StreamOverlay::Flush(Transaction& transaction) {
  Database& db = transaction.db();
  for (const auto& [id, entry] : streams_) {
    if (!entry.changed) continue;
    UpdateStream(db, entry.state);
    InsertHashes(db, id, entry.hashes);
    const int64_t oldest = entry.state.next_offset - kHashedRecordsMax;
    if (oldest > 0) ForgetHashesBelow(db, id, oldest);
    for (const RowResult& row : entry.ledger) InsertOutcome(db, id, row, transaction.commit_us());
  }
  return absl::OkStatus();
}

}  // namespace passerelle::storage::sqlite
