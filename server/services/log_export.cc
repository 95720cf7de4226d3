#include "server/services/log_export.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "passerelle/v1/log_service.pb.h"
#include "server/convert/log_filter.h"
#include "server/convert/log_schema.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/services/export_errors.h"
#include "server/services/log_filter_names.h"
#include "server/services/log_wire.h"
#include "server/services/requests.h"
#include "server/streams/feed.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr int32_t kDefaultBatchRows = 2'048;
constexpr std::size_t kMessageBytes = 1024 * 1024;  // a message ends with the row that passes this
constexpr int32_t kScanRows = 50'000;               // rows that one step looks at
constexpr char kSources[] = "/sources/";

// Fields beyond what a row is found and counted by.
bool HasDetails(const LogFieldSet& fields) {
  constexpr std::string_view kDetails[] = {"tracking_kind",  "tracking_log_id",
                                           "reason_message", "quarantine",
                                           "control_group",  "seed",
                                           "proof",          "url",
                                           "url_category"};
  return std::any_of(fields.begin(), fields.end(), [&](const LogSchemaField* field) {
    return std::find(std::begin(kDetails), std::end(kDetails), field->name) != std::end(kDetails);
  });
}

bool Read(grpc::ByteBuffer encoded, v1::ExportLogsRequest* request) {
  grpc::ProtoBufferReader bytes(&encoded);
  return bytes.status().ok() && request->ParseFromZeroCopyStream(&bytes);
}

class LogExport final : public FeedSourceOf<grpc::ByteBuffer> {
 public:
  LogExport(const ServiceContext& context, const grpc::ByteBuffer& request)
      : context_(context), readable_(Read(request, &request_)) {}

  ~LogExport() override {
    if (subscription_ != 0) stores_->logs().Unsubscribe(subscription_);
    if (notice_ != 0) context_.notices->Unsubscribe(notice_);
  }

  const v1::ExportLogsRequest& request() const { return request_; }

  void OnWake(std::function<void()> wake) override { wake_ = std::move(wake); }
  void OnEnd(std::function<void(const absl::Status&)> end) override { end_ = std::move(end); }
  int64_t rows_made() const override { return rows_made_; }
  absl::Duration PauseLimit() const override {
    return absl::Milliseconds(context_.options->heartbeat_ms);
  }

  absl::StatusOr<FeedStep> Next(const storage::ReadContext& read,
                                grpc::ByteBuffer* message) override {
    if (!opened_) return Begin(read, message);
    if (!request_.follow() && after_ >= end_sequence_) return End(message);
    return ReadOn(read, message);
  }

 private:
  absl::StatusOr<FeedStep> Begin(const storage::ReadContext& read, grpc::ByteBuffer* message);
  absl::Status Open(const storage::ReadContext& read, v1::ExportLogsResponse::Header* header);
  absl::Status OpenSource(const storage::ReadContext& read, v1::ExportLogsResponse::Header* header);
  absl::Status OpenAdHoc(v1::ExportLogsResponse::Header* header);
  absl::Status ChooseStart(const storage::ReadContext& read);
  absl::StatusOr<int64_t> ConsumerPosition(const storage::ReadContext& read) const;
  absl::StatusOr<FeedStep> ReadOn(const storage::ReadContext& read, grpc::ByteBuffer* message);
  absl::StatusOr<FeedStep> End(grpc::ByteBuffer* message);
  // Ends a message: the rows read, what `rest` tells, its cursor and sequence.
  FeedStep Send(v1::ExportLogsResponse rest, grpc::ByteBuffer* message);
  std::string CursorAt(int64_t sequence) const;

  const ServiceContext context_;
  v1::ExportLogsRequest request_;
  const bool readable_;
  std::function<void()> wake_;
  std::function<void(const absl::Status&)> end_;
  bool opened_ = false;
  int64_t rows_made_ = 0;
  std::shared_ptr<storage::InstanceStore> stores_;
  int64_t subscription_ = 0;
  int64_t notice_ = 0;
  std::string instance_;
  std::string source_;  // empty: ad hoc
  storage::LogFilter filter_;
  LogFieldSet fields_;
  LogWire wire_;
  ExportCursor cursor_;  // what every cursor of this export is bound to
  int32_t batch_rows_ = kDefaultBatchRows;
  int64_t after_ = 0;
  int64_t sent_ = -1;  // the sequence that the last message told
  int64_t end_sequence_ = 0;
  absl::Time last_message_;
};

absl::StatusOr<FeedStep> LogExport::Begin(const storage::ReadContext& read,
                                          grpc::ByteBuffer* message) {
  if (!readable_) {
    return errors::FieldInvalid({"request", "got bytes that are no ExportLogsRequest"});
  }
  v1::ExportLogsResponse first;
  RETURN_IF_ERROR(Open(read, first.mutable_header()));
  opened_ = true;
  return Send(std::move(first), message);
}

absl::Status LogExport::Open(const storage::ReadContext& read,
                             v1::ExportLogsResponse::Header* header) {
  if (request_.max_batch_rows() < 0 ||
      request_.max_batch_rows() > static_cast<int32_t>(kMaxRecordsPerMessage)) {
    return errors::FieldInvalid(
        {"max_batch_rows",
         absl::StrCat("got ", request_.max_batch_rows(), ", wanted 0 to ", kMaxRecordsPerMessage)});
  }
  if (request_.max_batch_rows() > 0) batch_rows_ = request_.max_batch_rows();
  const bool by_source = request_.name().find(kSources) != std::string::npos;
  RETURN_IF_ERROR(by_source ? OpenSource(read, header) : OpenAdHoc(header));
  filter_.with_details = HasDetails(fields_);
  RETURN_IF_ERROR(AwaitCommit(context_, *stores_, request_.commit_token(), read));
  if (!by_source) RETURN_IF_ERROR(CheckFilterNames(filter_, *stores_, read));
  if (request_.follow()) {
    // Before the bounds are read, so that no commit falls between.
    subscription_ = stores_->logs().Subscribe([wake = wake_](int64_t) { wake(); });
  }
  RETURN_IF_ERROR(ChooseStart(read));
  header->set_end_sequence(end_sequence_);
  header->set_schema_version(kLogSchemaVersion);
  return absl::OkStatus();
}

absl::Status LogExport::OpenSource(const storage::ReadContext& read,
                                   v1::ExportLogsResponse::Header* header) {
  ASSIGN_OR_RETURN(const SourceName name, ParseSourceName({"name", request_.name()}));
  if (request_.has_filter() || !request_.fields().empty()) {
    return errors::FieldInvalid({request_.has_filter() ? "filter" : "fields",
                                 "an export by source has those of the source"});
  }
  instance_ = name.instance;
  source_ = name.id;
  ASSIGN_OR_RETURN(stores_, OpenInstance(context_, instance_));
  // Before the source is looked at, so that no pause falls between.
  notice_ = context_.notices->Subscribe(request_.name(), end_);
  auto source = stores_->flows().GetSource(source_, read);
  if (storage::ReasonOf(source.status()) == storage::Reason::kNotFound) {
    return errors::ResourceNotFound(request_.name());
  }
  if (!source.ok()) return source.status();
  if (source->state == storage::FlowState::kPaused) return errors::SourcePaused(request_.name());
  filter_ = FilterOf(*source);
  std::vector<std::string> names;
  for (const storage::SourceField& field : source->fields) names.push_back(field.field);
  ASSIGN_OR_RETURN(fields_,
                   ChooseLogFields(static_cast<storage::LogKind>(source->schema), names, "fields"));
  header->set_dataset(source->dataset);
  for (const LogSchemaField* field : fields_) {
    v1::SourceField* sent = header->add_fields();
    sent->set_field(field->name);
    sent->set_rename(field->name);
    for (const storage::SourceField& chosen : source->fields) {
      if (chosen.field == field->name && !chosen.rename.empty()) sent->set_rename(chosen.rename);
    }
  }
  return absl::OkStatus();
}

absl::Status LogExport::OpenAdHoc(v1::ExportLogsResponse::Header* header) {
  ASSIGN_OR_RETURN(const InstanceName name, ParseInstanceName({"name", request_.name()}));
  if (!request_.consumer().empty()) {
    return errors::FieldInvalid({"consumer", "only an export by source has consumers"});
  }
  instance_ = name.instance;
  ASSIGN_OR_RETURN(stores_, OpenInstance(context_, instance_));
  ASSIGN_OR_RETURN(filter_, ReadLogFilter(request_.filter(), "filter"));
  const std::vector<std::string> names(request_.fields().begin(), request_.fields().end());
  ASSIGN_OR_RETURN(fields_, ChooseLogFields(std::nullopt, names, "fields"));
  for (const LogSchemaField* field : fields_) {
    v1::SourceField* sent = header->add_fields();
    sent->set_field(field->name);
    sent->set_rename(field->name);
  }
  return absl::OkStatus();
}

absl::Status LogExport::ChooseStart(const storage::ReadContext& read) {
  ASSIGN_OR_RETURN(const storage::LogBounds bounds, stores_->logs().Bounds(read));
  end_sequence_ = bounds.end;
  cursor_.instance = instance_;
  cursor_.source = source_;
  cursor_.filter_hash = HashOf(filter_);
  cursor_.epoch = static_cast<uint64_t>(bounds.epoch);
  const int64_t before_first = bounds.earliest - 1;
  after_ = before_first;
  // Also with a cursor: one that is absent or expired could not acknowledge what is read for it.
  if (!request_.consumer().empty()) {
    ASSIGN_OR_RETURN(const int64_t acknowledged, ConsumerPosition(read));
    after_ = std::max(after_, acknowledged);
  }
  if (request_.cursor().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(after_,
                   ReadExportCursor(*context_.tokens, {"cursor", request_.cursor()}, cursor_));
  if (after_ < before_first) {
    return RowsGone("cursor", CursorAt(before_first));
  }
  if (after_ <= bounds.end) return absl::OkStatus();
  return errors::CursorInvalid({"cursor", "after the last row of this store"});
}

absl::StatusOr<int64_t> LogExport::ConsumerPosition(const storage::ReadContext& read) const {
  const auto consumer = stores_->logs().GetConsumer(source_, request_.consumer(), read);
  if (storage::ReasonOf(consumer.status()) == storage::Reason::kNotFound) {
    return errors::ResourceNotFound(
        absl::StrCat(request_.name(), "/consumers/", Quoted(request_.consumer())));
  }
  if (!consumer.ok()) return consumer.status();
  if (consumer->state == storage::Consumer::State::kExpired) {
    ASSIGN_OR_RETURN(const storage::LogBounds bounds, stores_->logs().Bounds(read));
    return ConsumerExpired(ToText(ConsumerName{instance_, source_, request_.consumer()}),
                           CursorAt(bounds.earliest - 1));
  }
  return consumer->acknowledged_sequence;
}

absl::StatusOr<FeedStep> LogExport::ReadOn(const storage::ReadContext& read,
                                           grpc::ByteBuffer* message) {
  const int64_t last = request_.follow() ? storage::kForever : end_sequence_;
  const auto take = [&](const storage::LogRow& row) {
    if (row.sequence > last) return true;
    wire_.Add(row, fields_);
    ++rows_made_;
    return wire_.size_bytes() >= kMessageBytes;
  };
  const auto read_page =
      stores_->logs().ReadLogs(filter_, after_, batch_rows_, kScanRows, take, read);
  // Retention went past a reader that is too slow: better told than a gap.
  if (storage::ReasonOf(read_page.status()) == storage::Reason::kHistoryGone) {
    ASSIGN_OR_RETURN(const storage::LogBounds bounds, stores_->logs().Bounds(read));
    return RowsGone("cursor", CursorAt(bounds.earliest - 1));
  }
  RETURN_IF_ERROR(read_page.status());
  const storage::LogPage& page = *read_page;
  after_ = std::min(page.after, last);
  v1::ExportLogsResponse rest;
  if (!wire_.empty()) return Send(std::move(rest), message);
  if (!request_.follow()) return after_ >= end_sequence_ ? End(message) : FeedStep::kMore;
  if (context_.clock->Now() - last_message_ >= PauseLimit()) {
    rest.set_heartbeat(true);
    return Send(std::move(rest), message);
  }
  return page.at_end ? FeedStep::kWait : FeedStep::kMore;
}

// The tail may have held no row that matched: a last message tells its cursor all the same.
absl::StatusOr<FeedStep> LogExport::End(grpc::ByteBuffer* message) {
  if (sent_ >= after_) return FeedStep::kEnd;
  return Send({}, message);
}

FeedStep LogExport::Send(v1::ExportLogsResponse rest, grpc::ByteBuffer* message) {
  const int64_t ahead = PLANTED("cursor-ahead") && !wire_.empty() ? 1 : 0;
  rest.set_cursor(CursorAt(after_ + ahead));
  rest.set_sequence(after_);
  wire_.Take(rest, message);
  sent_ = after_;
  last_message_ = context_.clock->Now();
  return FeedStep::kMessage;
}

std::string LogExport::CursorAt(int64_t sequence) const {
  ExportCursor cursor = cursor_;
  cursor.seq = static_cast<uint64_t>(sequence);
  return context_.tokens->Encode(cursor);
}

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* ExportLogs(const ServiceContext& context, Door& door,
                                                       grpc::CallbackServerContext* grpc_context,
                                                       const grpc::ByteBuffer& request) {
  auto source = std::make_unique<LogExport>(context, request);
  const v1::ExportLogsRequest* asked = &source->request();
  return StartFeed<grpc::ByteBuffer>(door, grpc_context, {"LogService/ExportLogs", asked},
                                     std::move(source));
}

}  // namespace passerelle
