#include "passerelle/ingest.h"

#include <grpcpp/support/sync_stream.h>

#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "passerelle/columns.h"
#include "passerelle/error.h"
#include "passerelle/ingest_loop.h"

namespace passerelle::client {
namespace {

// A number that is no status of the contract: the server refuses the row that has it.
constexpr int kNoStatus = 1'000;

// Fills a batch of rows; `Batch` is one of the three columnar messages.
template <typename Batch>
class RowCutter {
 public:
  static constexpr bool kPush = std::is_same_v<Batch, v1::PushMembersRequest::Batch>;

  template <typename Open>
  RowCutter(const Open& open, Batch* batch) : batch_(*batch) {
    for (int i = 0; i < open.identity_namespaces_size(); ++i) {
      identities_.emplace_back(batch_.add_identities());
    }
    for (int i = 0; i < open.fields_size(); ++i) fields_.emplace_back(batch_.add_columns());
  }

  absl::Status Add(const Row& row) {
    if (row.identities.size() != identities_.size() || row.fields.size() != fields_.size()) {
      return absl::InvalidArgumentError("a row has another number of values than was opened");
    }
    for (std::size_t i = 0; i < fields_.size(); ++i) bytes_ += fields_[i].Add(row.fields[i]);
    for (std::size_t i = 0; i < identities_.size(); ++i) {
      bytes_ += identities_[i].Add(row.identities[i]);
    }
    bytes_ += times_.AddTime(row.event_time_us, row.event_time_unreadable) +
              keys_.AddText(row.record_key);
    if constexpr (kPush) AddMembership(row);
    return absl::OkStatus();
  }

  int64_t bytes() const { return bytes_; }

  absl::Status Finish(int records) {
    batch_.set_records(records);
    for (auto* columns : {&identities_, &fields_}) {
      for (ColumnBuilder& column : *columns) {
        absl::Status status = column.Finish();
        if (!status.ok()) return status;
      }
    }
    if (times_.has_values()) Move(&times_, &times_column_, batch_.mutable_event_times());
    if (keys_.has_values()) Move(&keys_, &keys_column_, batch_.mutable_record_keys());
    if constexpr (kPush) FinishMemberships();
    return absl::OkStatus();
  }

 private:
  static void Move(ColumnBuilder* builder, v1::Column* from, v1::Column* to) {
    builder->Finish().IgnoreError();  // one type by construction
    to->Swap(from);
  }

  static v1::MembershipStatus StatusOf(const Row& row) {
    if (row.status_unreadable) return static_cast<v1::MembershipStatus>(kNoStatus);
    return row.exited ? v1::MEMBERSHIP_STATUS_EXITED : v1::MEMBERSHIP_STATUS_REALIZED;
  }

  void AddMembership(const Row& row) {
    if constexpr (kPush) {
      batch_.add_audience_indexes(row.audience);
      batch_.add_statuses(StatusOf(row));
      bytes_ +=
          2 + qualified_.AddTime(row.qualification_time_us, row.qualification_time_unreadable);
      all_first_ = all_first_ && row.audience == 0;
      all_realized_ = all_realized_ && !row.exited && !row.status_unreadable;
    }
  }

  void FinishMemberships() {
    if constexpr (kPush) {
      if (all_first_) batch_.clear_audience_indexes();
      if (all_realized_) batch_.clear_statuses();
      if (qualified_.has_values()) {
        Move(&qualified_, &qualified_column_, batch_.mutable_qualification_times());
      }
    }
  }

  Batch& batch_;
  std::vector<ColumnBuilder> identities_;
  std::vector<ColumnBuilder> fields_;
  v1::Column times_column_, keys_column_, qualified_column_;
  ColumnBuilder times_{&times_column_}, keys_{&keys_column_}, qualified_{&qualified_column_};
  bool all_first_ = true;
  bool all_realized_ = true;
  int64_t bytes_ = 0;
};

template <typename Request>
class RequestFiller {
 public:
  using Record = Row;
  RequestFiller(const typename Request::Open& open, typename Request::Batch* batch)
      : cutter_(open, batch) {}
  absl::Status Add(const Row& row) { return cutter_.Add(row); }
  int64_t bytes() const { return cutter_.bytes(); }
  absl::Status Finish(int records) { return cutter_.Finish(records); }

 private:
  RowCutter<typename Request::Batch> cutter_;
};

template <>
class RequestFiller<v1::AppendLogsRequest> {
 public:
  using Record = v1::RawLogEntry;
  RequestFiller(const v1::AppendLogsRequest::Open&, v1::AppendLogsRequest::Batch* batch)
      : batch_(*batch) {}
  absl::Status Add(const v1::RawLogEntry& row) {
    *batch_.add_rows() = row;
    bytes_ += row.ByteSizeLong() + 3;
    return absl::OkStatus();
  }
  int64_t bytes() const { return bytes_; }
  absl::Status Finish(int) { return absl::OkStatus(); }

 private:
  v1::AppendLogsRequest::Batch& batch_;
  int64_t bytes_ = 0;
};

template <typename Stub, typename Request, typename Response>
class CallOf : public IngestCall {
 public:
  using Record = typename RequestFiller<Request>::Record;
  using Stream = grpc::ClientReaderWriter<Request, Response>;
  using Method = std::unique_ptr<Stream> (Stub::*)(grpc::ClientContext*);

  CallOf(Stub* stub, Method method, const typename Request::Open& open, Source<Record>* source,
         const std::string& source_token)
      : stub_(*stub), method_(method), source_(*source), source_token_(source_token) {
    *open_.mutable_open() = open;
  }

  ~CallOf() override {
    if (stream_ != nullptr) {
      Cancel();
      End().IgnoreError();
    }
  }

  bool Start(bool must_exist) override {
    {
      absl::MutexLock lock(&context_mutex_);
      context_.emplace();
    }
    if (must_exist) open_.mutable_open()->mutable_stream()->set_must_exist(true);
    stream_ = (stub_.*method_)(&*context_);
    return stream_->Write(open_);
  }

  bool ReadAnswer(Answer* answer) override {
    *answer = Answer();
    if (!stream_->Read(&response_)) return false;
    if (response_.has_opened()) answer->opened = &response_.opened();
    if (response_.has_ack()) answer->ack = &response_.ack();
    if (response_.has_finished()) answer->finished = &response_.finished();
    return true;
  }

  absl::StatusOr<int> CutBatch(int64_t offset, const BatchLimits& limits) override {
    request_.Clear();
    auto* batch = request_.mutable_batch();
    RequestFiller<Request> filler(open_.open(), batch);
    int records = 0;
    while (records < limits.records && filler.bytes() < limits.bytes) {
      absl::StatusOr<bool> more = source_.Next(&record_);
      if (!more.ok()) return more.status();
      if (!*more) break;
      absl::Status added = filler.Add(record_);
      if (!added.ok()) return added;
      ++records;
    }
    batch->set_offset(offset);
    batch->set_source_token(source_token_);
    absl::Status finished = filler.Finish(records);
    if (!finished.ok()) return finished;
    return records;
  }

  bool SendBatch() override { return stream_->Write(request_); }

  bool SendFinish(int64_t total_records) override {
    Request request;
    request.mutable_finish()->set_total_records(total_records);
    return stream_->Write(request);
  }

  absl::Status End() override {
    stream_->WritesDone();
    while (stream_->Read(&response_)) {
    }
    absl::Status status = FromGrpc(stream_->Finish());
    stream_.reset();
    return status;
  }

  void Cancel() override {
    absl::MutexLock lock(&context_mutex_);
    if (context_) context_->TryCancel();
  }
  absl::Status Seek(int64_t offset) override { return source_.Seek(offset); }

  absl::StatusOr<bool> AtEnd() override {
    absl::StatusOr<bool> more = source_.Next(&record_);
    if (!more.ok()) return more.status();
    return !*more;
  }

  const std::string& stream() const override { return open_.open().stream().stream(); }

 private:
  Stub& stub_;
  const Method method_;
  Source<Record>& source_;
  const std::string source_token_;
  Request open_;
  Request request_;
  Response response_;
  Record record_;
  absl::Mutex context_mutex_;  // of its making and cancelling; the loop's thread makes it
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
};

// Cancels a call that goes on for too long after it was stopped, for as long as the object lives.
class StopWatch {
 public:
  StopWatch(const IngestOptions& options, IngestCall* call) {
    if (options.stop == nullptr) return;
    thread_ = std::thread([this, stop = options.stop, grace = options.stop_grace, call] {
      while (!ended_.SleepFor(kLook)) {
        if (stop->stopped()) break;
      }
      if (ended_.SleepFor(grace)) return;
      // Again and again: the call may be one that is being opened.
      do {
        call->Cancel();
      } while (!ended_.SleepFor(kLook));
    });
  }
  ~StopWatch() {
    ended_.Stop();
    if (thread_.joinable()) thread_.join();
  }
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

 private:
  static constexpr absl::Duration kLook = absl::Milliseconds(50);

  StopSignal ended_;
  std::thread thread_;
};

template <typename Stub, typename Request, typename Response, typename Record>
IngestResult Ingest(Client& client,
                    std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> (Stub::*method)(
                        grpc::ClientContext*),
                    const typename Request::Open& open, Source<Record>& rows,
                    const IngestOptions& options) {
  CallOf<Stub, Request, Response> call(&client.stub<Stub>(), method, open, &rows,
                                       options.source_token);
  const StopWatch watch(options, &call);
  return IngestLoop(&call, options).Run();
}

}  // namespace

IngestResult ImportProfiles(Client& client, const v1::ImportProfilesRequest::Open& open,
                            RowSource& rows, const IngestOptions& options) {
  return Ingest(client, &v1::ProfileService::Stub::ImportProfiles, open, rows, options);
}

IngestResult SyncProfiles(Client& client, const v1::SyncProfilesRequest::Open& open,
                          RowSource& rows, const IngestOptions& options) {
  return Ingest(client, &v1::ProfileSyncService::Stub::SyncProfiles, open, rows, options);
}

IngestResult PushMembers(Client& client, const v1::PushMembersRequest::Open& open, RowSource& rows,
                         const IngestOptions& options) {
  return Ingest(client, &v1::AudienceSyncService::Stub::PushMembers, open, rows, options);
}

IngestResult AppendLogs(Client& client, const v1::AppendLogsRequest::Open& open, LogSource& rows,
                        const IngestOptions& options) {
  return Ingest(client, &v1::LogService::Stub::AppendLogs, open, rows, options);
}

}  // namespace passerelle::client
