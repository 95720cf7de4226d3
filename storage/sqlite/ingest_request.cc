#include "storage/sqlite/ingest_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/ack_codec.h"
#include "storage/sqlite/requests.h"
#include "storage/sqlite/stream_overlay.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr size_t kRefusedRowsNamed = 20;
constexpr int64_t kSkippedEvery = 23;  // rows that the planted bug loses

// Decide's answer when nothing is to be stored: the ack is complete. Refusing keeps a transaction
// of nothing but such answers from being committed.
absl::Status Answered() { return absl::CancelledError("answered without a commit"); }

std::string WhyRefused(const RowResult& row) {
  return absl::StrCat(row.offset, " ", static_cast<int>(row.outcome), " ",
                      static_cast<int>(row.reason), " ", row.field);
}

}  // namespace

IngestRequest::IngestRequest(char file_letter, StreamKind kind, std::string target,
                             WriteOptions options, storage::Done<WriteAck> done)
    : file_letter_(file_letter),
      kind_(kind),
      target_(std::move(target)),
      options_(std::move(options)),
      done_(std::move(done)) {}

std::string_view IngestRequest::queue_key() const {
  return options_.position.has_value() ? std::string_view(options_.position->stream)
                                       : std::string_view();
}

bool IngestRequest::alone() const { return options_.all_or_nothing; }

absl::Status IngestRequest::Decide(Transaction& transaction) {
  ack_ = WriteAck();
  refused_.clear();
  ledger_.clear();
  ASSIGN_OR_RETURN(const bool repeated, AnswerRepeated(transaction));
  if (repeated) return Answered();
  ASSIGN_OR_RETURN(const int64_t first, JudgePosition(transaction));
  if (options_.position.has_value() && first == row_count()) return Answered();
  const int64_t applied_from = PLANTED("double-on-retry") ? 0 : first;
  RETURN_IF_ERROR(BeginBatch(transaction, applied_from));
  DecideRows(transaction, applied_from);
  RETURN_IF_ERROR(CheckNoneRefused());
  Accept(transaction, first);
  return absl::OkStatus();
}

absl::StatusOr<bool> IngestRequest::AnswerRepeated(Transaction& transaction) {
  if (!options_.request.has_value()) return false;
  ASSIGN_OR_RETURN(const auto stored,
                   transaction.Overlay<RequestOverlay>().Find(transaction, *options_.request));
  if (!stored.has_value()) return false;
  ASSIGN_OR_RETURN(ack_, DecodeAck(*stored));
  ack_.repeated_request = true;
  return true;
}

// The first row that is new.
absl::StatusOr<int64_t> IngestRequest::JudgePosition(Transaction& transaction) {
  if (!options_.position.has_value()) return 0;
  auto& streams = transaction.Overlay<StreamOverlay>();
  const auto hash = [this](int64_t row) { return content_hash(row); };
  const StreamBatch batch{*options_.position, kind_, target_, row_count(), hash};
  ASSIGN_OR_RETURN(const StreamJudgement judgement, streams.Judge(transaction, batch));
  const StreamState& state = streams.Get(options_.position->stream);
  ack_.already_known = judgement.known_rows;
  ack_.overlap_unverified = judgement.overlap_unverified;
  ack_.next_offset = state.next_offset;
  ack_.source_token = state.source_token;
  return judgement.known_rows;
}

void IngestRequest::DecideRows(Transaction& transaction, int64_t first) {
  const int64_t rows = row_count();
  for (int64_t row = first; row < rows; ++row) {
    RowResult result;
    const Refusal* refused = refusal(row);
    if (refused != nullptr && refused->reason != RowReason::kNone) {
      result.outcome = Outcome::kRejected;
      result.reason = refused->reason;
      result.field = refused->field;
    } else if (PLANTED("skip-row") && row % kSkippedEvery == kSkippedEvery - 1) {
      result.outcome = kind_ == StreamKind::kAppendLogs ? Outcome::kAppended : Outcome::kUpdated;
    } else {
      DecideRow(transaction, row, result);
    }
    AddResult(row, std::move(result));
  }
}

void IngestRequest::AddResult(int64_t row, RowResult&& result) {
  ++ack_.received;
  ++ack_.counts[result.outcome];
  if (IsRefusal(result.outcome)) refused_.push_back(row);
  const bool listed = IsListed(result);
  const bool kept = options_.position.has_value() && (listed || record_every_row_);
  const bool told = listed || options_.list_every_row;
  if (!kept && !told) return;
  result.offset = (options_.position.has_value() ? options_.position->offset : 0) + row;
  result.record_key = record_key(row);
  if (kept) {
    ledger_.push_back(result);
    // It may be one of the identities that are not to come back.
    if (result.outcome == Outcome::kSuppressed) ledger_.back().record_key.clear();
  }
  if (told) ack_.rows.push_back(std::move(result));
}

absl::Status IngestRequest::CheckNoneRefused() const {
  if (!options_.all_or_nothing || refused_.empty()) return absl::OkStatus();
  const size_t named = std::min(refused_.size(), kRefusedRowsNamed);
  ErrorMetadata metadata = {
      {"rows", absl::StrJoin(absl::MakeConstSpan(refused_).first(named), ",")}};
  for (const RowResult& row : ack_.rows) {
    if (metadata.size() > named) break;
    if (IsRefusal(row.outcome)) metadata.emplace_back("row", WhyRefused(row));
  }
  return MakeError(absl::StatusCode::kAborted, Reason::kBatchRolledBack,
                   absl::StrCat(refused_.size(), " of ", row_count(),
                                " rows were refused and all_or_nothing is set: nothing was "
                                "written"),
                   std::move(metadata));
}

void IngestRequest::Accept(Transaction& transaction, int64_t first) {
  transaction.NoteOutcomes(ack_.counts);
  ack_.next_offset = row_count();
  if (options_.position.has_value()) {
    auto& streams = transaction.Overlay<StreamOverlay>();
    const auto hash = [this](int64_t row) { return content_hash(row); };
    const StreamBatch batch{*options_.position, kind_, target_, row_count(), hash};
    streams.Accept(transaction, batch, first, ack_.counts, std::move(ledger_));
    ack_.next_offset = streams.Get(options_.position->stream).next_offset;
    ack_.source_token = options_.position->source_token;
  }
  if (options_.request.has_value()) {
    transaction.Overlay<RequestOverlay>().Record(*options_.request, EncodeAck(ack_));
  }
}

void IngestRequest::Done(const absl::Status& status, const CommitInfo& info) {
  if (!status.ok() && status != Answered()) {
    done_(status);
    return;
  }
  ack_.position = {file_letter_, info.epoch, info.last_seq};
  done_(std::move(ack_));
}

bool IsListed(const RowResult& result) {
  return IsRefusal(result.outcome) || !result.stale_fields.empty() ||
         !result.out_of_scope_fields.empty();
}

}  // namespace passerelle::storage::sqlite
