#include "storage/sqlite/streams.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/membership_sweep.h"
#include "storage/sqlite/replace.h"
#include "storage/sqlite/stream_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

constexpr char kFreeName[] = "DELETE FROM stream_name WHERE id = ?1";
constexpr char kSetReplace[] =
    "INSERT INTO stream_replace(stream, audience, as_of_us, max_refused_percent) "
    "VALUES (?1, ?2, ?3, ?4)";
constexpr char kSetMaxRefused[] =
    "UPDATE stream_replace SET max_refused_percent = ?2 WHERE stream = ?1";
constexpr char kDeleteReplace[] = "DELETE FROM stream_replace WHERE stream = ?1";

constexpr int64_t kDeletedPerTurn = 10'000;

absl::Status Refuse(StatusCode code, Reason reason, std::string_view stream, absl::string_view why,
                    ErrorMetadata metadata = {}) {
  return MakeError(code, reason, absl::StrCat("stream '", std::string(stream), "': ", why),
                   std::move(metadata));
}

absl::Status StreamMissing(std::string_view stream) {
  return Refuse(StatusCode::kNotFound, Reason::kStreamNotFound, stream,
                "there is none; it was never opened, deleted, or has expired");
}

absl::Status KindMismatch(std::string_view stream) {
  return Refuse(StatusCode::kFailedPrecondition, Reason::kStreamKindMismatch, stream,
                "it belongs to another kind of ingest, destination or audience");
}

void RunWithStream(Transaction& transaction, const char* sql, std::string_view stream) {
  StatementScope statement(transaction.db().Prepared(sql));
  statement->BindText(1, stream).Run();
}

// The first epoch is a sequence, so that a name used again after a deletion never gives out an
// epoch that a writer of the deleted stream may still hold; above the store's epoch, because a
// restore lifts the epochs of streams there.
StreamState MakeStream(Transaction& transaction, const OpenStream& open) {
  StreamState state;
  state.stream = open.stream;
  state.kind = open.kind;
  state.target = open.target;
  state.epoch = transaction.epoch() + transaction.NextSeq();
  state.clear_record_keys = open.clear_record_keys;
  state.create_us = state.update_us = transaction.commit_us();
  InsertStream(transaction.db(), state);
  return state;
}

absl::StatusOr<StreamState> OpenRow(Transaction& transaction, const OpenStream& open) {
  auto present = LoadStream(transaction.db(), open.stream);
  if (!present.has_value()) {
    if (open.must_exist) return StreamMissing(open.stream);
    return MakeStream(transaction, open);
  }
  StreamState state = *std::move(present);
  RETURN_IF_ERROR(CheckNotExpired(state));
  if (state.kind != open.kind || state.target != open.target) return KindMismatch(open.stream);
  ++state.epoch;
  state.update_us = transaction.commit_us();
  UpdateStream(transaction.db(), state);
  return state;
}

void KeepMaxRefused(Transaction& transaction, StreamState& state, double percent) {
  SetMaxRefused(transaction, state.stream, percent);
  StatementScope set(transaction.db().Prepared(kSetMaxRefused));
  set->BindAll(state.stream, percent).Run();
  state.replace->max_refused_percent = percent;
}

// A replace whose staging was thrown away cannot go on at its offset: what was staged is lost.
absl::StatusOr<StreamState> OpenReplace(Transaction& transaction, const OpenStream& open,
                                        StreamState state) {
  Database& db = transaction.db();
  state = WithReplace(db, std::move(state));
  if (state.finished) return state;
  const ReplaceOptions options = open.replace.value_or(ReplaceOptions());
  if (state.replace.has_value()) {
    if (state.replace->audience != options.audience) return KindMismatch(open.stream);
    if (!FindReplace(db, open.stream).has_value()) return StreamMissing(open.stream);
    const auto percent = options.max_refused_percent;
    if (percent.has_value()) KeepMaxRefused(transaction, state, *percent);
    return state;
  }
  RETURN_IF_ERROR(BeginReplace(transaction, open.stream, options));
  state.replace = FindReplace(db, open.stream)->options;
  StatementScope set(db.Prepared(kSetReplace));
  set->BindAll(open.stream, state.replace->audience, state.replace->as_of_us,
               *state.replace->max_refused_percent);
  set->Run();
  return state;
}

absl::Status CheckFinish(const StreamState& state, int64_t epoch, int64_t total_records) {
  RETURN_IF_ERROR(CheckNotExpired(state));
  if (epoch != state.epoch) {
    return Refuse(StatusCode::kAborted, Reason::kEpochFenced, state.stream,
                  absl::StrCat("another writer opened it: epoch ", state.epoch, ", got ", epoch));
  }
  if (total_records != state.next_offset) {
    return Refuse(
        StatusCode::kFailedPrecondition, Reason::kTotalMismatch, state.stream,
        absl::StrCat("has accepted ", state.next_offset, " records, finish says ", total_records),
        {{"next_offset", absl::StrCat(state.next_offset)}});
  }
  return absl::OkStatus();
}

absl::Status FinishRow(Transaction& transaction, StreamState& state) {
  if (state.kind == StreamKind::kReplaceMembers) {
    RETURN_IF_ERROR(PublishReplace(transaction, state.stream, state.totals));
  }
  state.finished = true;
  state.update_us = transaction.commit_us();
  UpdateStream(transaction.db(), state);
  return absl::OkStatus();
}

// The first turn fences the writer, so that nothing is added while chunks go. True: more to do.
bool DeleteRowsTurn(Transaction& transaction, const StreamState& state, bool first) {
  Database& db = transaction.db();
  StreamState fenced = state;
  ++fenced.epoch;
  if (first) UpdateStream(db, fenced);
  return DeleteSomeOfStream(db, state.stream, kDeletedPerTurn);
}

// True: more to do, which only an open in between can have added.
bool DeleteTurn(Transaction& transaction, const StreamState& state) {
  Database& db = transaction.db();
  if (DeleteSomeOfStream(db, state.stream, kDeletedPerTurn)) return true;
  if (state.kind == StreamKind::kReplaceMembers) AbandonReplace(transaction, state.stream);
  DeleteStreamRow(db, state.stream);
  return false;
}

}  // namespace

SqliteStreams::SqliteStreams(InstanceContext& context, int64_t max_streams)
    : context_(context), max_streams_(max_streams) {}

absl::StatusOr<std::optional<StreamState>> SqliteStreams::ReadState(
    const File& file, std::string_view stream, const ReadContext& context) const {
  std::optional<StreamState> state;
  ReadContext own = context;
  if (&file != context_.profiles.get()) own.at_least_seq = 0;
  RETURN_IF_ERROR(file.Read(own, "streams: get", [&](const ReadLease& lease) {
    state = LoadStream(lease.db(), stream);
    if (state.has_value()) state = WithReplace(lease.db(), *std::move(state));
    return absl::OkStatus();
  }));
  return state;
}

absl::StatusOr<File*> SqliteStreams::FileOf(std::string_view stream) const {
  for (File* file : {context_.profiles.get(), context_.logs.get()}) {
    ASSIGN_OR_RETURN(const auto state, ReadState(*file, stream, {}));
    if (state.has_value()) return file;
  }
  return nullptr;
}

absl::StatusOr<Written<StreamState>> SqliteStreams::Open(const OpenStream& open) {
  ASSIGN_OR_RETURN(auto opened, OpenNamed(open));
  if (open.kind != StreamKind::kReplaceMembers || opened.value.finished) return opened;
  // Each turn finds the staging anew: whoever deletes or publishes the stream meanwhile ends this.
  const auto carry = [&](Transaction& transaction) -> absl::StatusOr<bool> {
    return CarryReplace(transaction, open.stream);
  };
  bool carried = true;
  RETURN_IF_ERROR(context_.profiles->Read({}, "streams: carry", [&](const ReadLease& lease) {
    const auto staged = FindReplace(lease.db(), open.stream);
    carried = !staged.has_value() || staged->carried;
    return absl::OkStatus();
  }));
  if (!carried) {
    ASSIGN_OR_RETURN(opened.position, context_.profiles->WriteInTurns(carry, WriteKind::kIngest));
  }
  return opened;
}

absl::StatusOr<Written<StreamState>> SqliteStreams::OpenNamed(const OpenStream& open) {
  absl::MutexLock lock(&names_mutex_);
  ASSIGN_OR_RETURN(const File* owner, FileOf(open.stream));
  const bool to_logs = open.kind == StreamKind::kAppendLogs;
  const File* wanted = to_logs ? context_.logs.get() : context_.profiles.get();
  if (owner != nullptr && owner != wanted) return KindMismatch(open.stream);
  if (owner == nullptr && !open.must_exist) {
    RETURN_IF_ERROR(context_.profiles->Read({}, "streams: room", [&](const ReadLease& lease) {
      return CheckRoomForStream(lease.db(), open.stream, max_streams_);
    }));
  }
  return to_logs ? OpenInLogs(open, owner != nullptr) : OpenInProfiles(open);
}

absl::StatusOr<Written<StreamState>> SqliteStreams::OpenInProfiles(const OpenStream& open) {
  StreamState state;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    // An abandoned staging of another stream does not stand in the way of this one.
    if (open.kind == StreamKind::kReplaceMembers) SweepMembership(transaction);
    ASSIGN_OR_RETURN(state, OpenRow(transaction, open));
    ReserveStreamName(transaction.db(), open.stream, "p");
    if (open.kind == StreamKind::kReplaceMembers) {
      ASSIGN_OR_RETURN(state, OpenReplace(transaction, open, std::move(state)));
    }
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const CommitPosition position,
                   context_.profiles->Write(decide, WriteKind::kIngest));
  return Written<StreamState>{std::move(state), position};
}

absl::StatusOr<Written<StreamState>> SqliteStreams::OpenInLogs(const OpenStream& open,
                                                               bool exists) {
  if (!exists && open.must_exist) return StreamMissing(open.stream);
  if (!exists) {
    RETURN_IF_ERROR(context_.profiles
                        ->Write(
                            [&](Transaction& transaction) {
                              ReserveStreamName(transaction.db(), open.stream, "l");
                              return absl::OkStatus();
                            },
                            WriteKind::kIngest)
                        .status());
    FAULT_POINT("open-name-reserved");
  }
  StreamState state;
  ASSIGN_OR_RETURN(const CommitPosition position,
                   context_.logs->Write(
                       [&](Transaction& transaction) -> absl::Status {
                         ASSIGN_OR_RETURN(state, OpenRow(transaction, open));
                         return absl::OkStatus();
                       },
                       WriteKind::kIngest));
  return Written<StreamState>{std::move(state), position};
}

absl::StatusOr<Written<StreamState>> SqliteStreams::Finish(std::string_view stream, int64_t epoch,
                                                           int64_t total_records) {
  ASSIGN_OR_RETURN(File* const file, FileOf(stream));
  if (file == nullptr) return StreamMissing(stream);
  StreamState state;
  bool answered = false;
  auto position = file->Write([&](Transaction& transaction) -> absl::Status {
    auto present = LoadStream(transaction.db(), stream);
    if (!present.has_value()) return StreamMissing(stream);
    state = WithReplace(transaction.db(), *std::move(present));
    RETURN_IF_ERROR(CheckFinish(state, epoch, total_records));
    answered = state.finished;
    return answered ? absl::CancelledError("finished before") : FinishRow(transaction, state);
  });
  if (answered && absl::IsCancelled(position.status())) {
    position = file->PositionOf(file->last_commit());
  }
  RETURN_IF_ERROR(position.status());
  return Written<StreamState>{std::move(state), *position};
}

absl::StatusOr<StreamState> SqliteStreams::GetStream(std::string_view stream,
                                                     const ReadContext& context) const {
  for (const File* file : {context_.profiles.get(), context_.logs.get()}) {
    ASSIGN_OR_RETURN(auto state, ReadState(*file, stream, context));
    if (state.has_value()) return *std::move(state);
  }
  return MissingError("stream", stream);
}

absl::StatusOr<Page<StreamState>> SqliteStreams::ListStreams(const PageRequest& page,
                                                             const ReadContext& context) const {
  std::vector<StreamState> streams;
  ReadContext own = context;
  for (const File* file : {context_.profiles.get(), context_.logs.get()}) {
    RETURN_IF_ERROR(file->Read(own, "streams: list", [&](const ReadLease& lease) {
      for (StreamState& state : LoadStreams(lease.db(), OneMore(page))) {
        streams.push_back(WithReplace(lease.db(), std::move(state)));
      }
      return absl::OkStatus();
    }));
    own.at_least_seq = 0;
  }
  std::sort(streams.begin(), streams.end(),
            [](const auto& a, const auto& b) { return a.stream < b.stream; });
  return PageOf(std::move(streams), page.limit);
}

absl::StatusOr<StreamState> SqliteStreams::DeleteRows(File& file, std::string_view stream) {
  std::optional<StreamState> state;
  const auto turn = [&](Transaction& transaction) -> absl::StatusOr<bool> {
    const bool first = !state.has_value();
    if (first) state = LoadStream(transaction.db(), stream);
    if (!state.has_value()) return MissingError("stream", stream);
    return DeleteRowsTurn(transaction, *state, first);
  };
  RETURN_IF_ERROR(file.WriteInTurns(turn, WriteKind::kRelieving).status());
  return *std::move(state);
}

// What takes long goes first, without the lock: other names are opened meanwhile.
absl::StatusOr<Written<StreamState>> SqliteStreams::DeleteStream(std::string_view stream) {
  ASSIGN_OR_RETURN(File* const file, FileOf(stream));
  if (file == nullptr) return MissingError("stream", stream);
  ASSIGN_OR_RETURN(StreamState state, DeleteRows(*file, stream));
  absl::MutexLock lock(&names_mutex_);
  const bool in_profiles = file == context_.profiles.get();
  const auto free_name = [&](Transaction& transaction) {
    RunWithStream(transaction, kFreeName, stream);
    RunWithStream(transaction, kDeleteReplace, stream);
    return absl::OkStatus();
  };
  const auto turn = [&](Transaction& transaction) -> absl::StatusOr<bool> {
    if (!LoadStream(transaction.db(), stream).has_value()) return MissingError("stream", stream);
    if (in_profiles) state = WithReplace(transaction.db(), std::move(state));
    if (DeleteTurn(transaction, state)) return true;
    if (in_profiles) RETURN_IF_ERROR(free_name(transaction));
    return false;
  };
  ASSIGN_OR_RETURN(const CommitPosition position, file->WriteInTurns(turn, WriteKind::kRelieving));
  FAULT_POINT("delete-stream-row-gone");
  if (!in_profiles)
    RETURN_IF_ERROR(context_.profiles->Write(free_name, WriteKind::kRelieving).status());
  if (state.kind == StreamKind::kReplaceMembers) StartMembershipSweep(*context_.profiles);
  return Written<StreamState>{std::move(state), position};
}

absl::StatusOr<Written<int64_t>> SqliteStreams::AbandonReplace(std::string_view stream) {
  int64_t staged = 0;
  const auto abandon = [&](Transaction& transaction) -> absl::Status {
    auto state = LoadStream(transaction.db(), stream);
    if (!state.has_value()) return MissingError("stream", stream);
    if (state->kind != StreamKind::kReplaceMembers) return KindMismatch(stream);
    RETURN_IF_ERROR(CheckNotExpired(*state));
    if (state->finished) {
      return Refuse(StatusCode::kFailedPrecondition, Reason::kStreamFinished, stream,
                    "it is finished; its replace is published or abandoned");
    }
    staged = sqlite::AbandonReplace(transaction, stream);
    state->finished = true;
    state->update_us = transaction.commit_us();
    UpdateStream(transaction.db(), *state);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(File* const file, FileOf(stream));
  if (file == context_.logs.get()) return KindMismatch(stream);
  ASSIGN_OR_RETURN(const CommitPosition position,
                   context_.profiles->Write(abandon, WriteKind::kRelieving));
  StartMembershipSweep(*context_.profiles);
  return Written<int64_t>{staged, position};
}

absl::StatusOr<OutcomePage> SqliteStreams::ListRowOutcomes(std::string_view stream,
                                                           const OutcomeFilter& filter,
                                                           const OutcomeScan& scan,
                                                           const ReadContext& context) const {
  ASSIGN_OR_RETURN(const File* file, FileOf(stream));
  if (file == nullptr) return MissingError("stream", stream);
  ReadContext own = context;
  if (file != context_.profiles.get()) own.at_least_seq = 0;
  OutcomePage page;
  RETURN_IF_ERROR(file->Read(own, "streams: outcomes", [&](const ReadLease& lease) {
    page = LoadOutcomes(lease.db(), stream, filter, scan);
    return absl::OkStatus();
  }));
  return page;
}

void SqliteStreams::OnProfilesSpace(absl::AnyInvocable<void()> callback) {
  context_.profiles->writer().OnSpace(std::move(callback));
}

void SqliteStreams::OnLogsSpace(absl::AnyInvocable<void()> callback) {
  context_.logs->writer().OnSpace(std::move(callback));
}

}  // namespace passerelle::storage::sqlite
