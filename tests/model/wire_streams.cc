#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "passerelle/error.h"
#include "tests/model/wire_system.h"

namespace passerelle::model {
namespace {

constexpr char kAbsent = 0, kNull = 1, kPresent = 2;

// A record that has no value gets no entry in the column's list of values.
void AddInteger(std::optional<int64_t> value, v1::Column* column) {
  column->mutable_presence()->push_back(value.has_value() ? kPresent : kAbsent);
  if (value.has_value()) column->add_integers(*value);
}

void AddValue(const Value* value, const std::string& type, v1::Column* column) {
  column->mutable_presence()->push_back(value == nullptr ? kAbsent
                                        : value->null    ? kNull
                                                         : kPresent);
  if (value == nullptr || value->null) return;
  if (type == "bool") {
    column->add_bools(value->text == "true");
  } else if (type == "int64") {
    int64_t number = 0;
    (void)absl::SimpleAtoi(value->text, &number);
    column->add_integers(number);
  } else if (type == "double") {
    double number = 0;
    (void)absl::SimpleAtod(value->text, &number);
    column->add_doubles(number);
  } else {
    column->add_texts(value->text);
  }
}

constexpr const char* kNamespaces[] = {"external_id", "email", "ecid", "email_sha256"};

template <class Batch>
void FillRows(const Operation& op, const std::vector<std::string>& fields, Batch* batch) {
  batch->set_records(static_cast<int32_t>(op.rows.size()));
  for (const char* ns : kNamespaces) {
    v1::Column* column = batch->add_identities();
    for (const Row& row : op.rows) {
      const auto found = row.identities.find(ns);
      const Value value{false, found == row.identities.end() ? "" : found->second};
      AddValue(found == row.identities.end() ? nullptr : &value, "string", column);
    }
  }
  for (const std::string& field : fields) {
    v1::Column* column = batch->add_columns();
    for (const Row& row : op.rows) {
      const auto found = row.fields.find(field);
      AddValue(found == row.fields.end() ? nullptr : &found->second, TypeOfField(field), column);
    }
  }
  for (const Row& row : op.rows) {
    AddInteger(row.event_us, batch->mutable_event_times());
    batch->mutable_record_keys()->add_texts(row.key);
  }
}

template <class Request, class Response>
class LiveCall : public WireSession {
 public:
  ~LiveCall() override {
    if (stream_ == nullptr) return;
    context_.TryCancel();
    Response ignored;
    while (stream_->Read(&ignored)) {
    }
    stream_->Finish();
  }

  absl::StatusOr<v1::StreamOpened> Open(const Operation& op) override {
    Request request;
    FillOpen(op, request.mutable_open());
    stream_ = Begin(&context_);
    const auto response = Exchange(request);
    if (!response.ok()) return response.status();
    return response->opened();
  }
  absl::StatusOr<v1::IngestAck> Send(const Operation& op) override {
    Request request;
    auto* batch = request.mutable_batch();
    batch->set_offset(op.offset);
    batch->set_source_token(op.token);
    FillBatch(op, batch);
    const auto response = Exchange(request);
    if (!response.ok()) return response.status();
    return response->ack();
  }
  absl::StatusOr<v1::IngestFinished> Finish(int64_t total) override {
    Request request;
    request.mutable_finish()->set_total_records(total);
    const auto response = Exchange(request);
    if (!response.ok()) return response.status();
    return response->finished();
  }

 protected:
  using Stream = grpc::ClientReaderWriter<Request, Response>;
  using OpenMessage = std::remove_pointer_t<decltype(Request().mutable_open())>;
  using BatchMessage = std::remove_pointer_t<decltype(Request().mutable_batch())>;

  virtual std::unique_ptr<Stream> Begin(grpc::ClientContext* context) = 0;
  virtual void FillOpen(const Operation& op, OpenMessage* open) = 0;
  virtual void FillBatch(const Operation& op, BatchMessage* batch) = 0;

  static void FillStream(const Operation& op, v1::StreamOptions* options) {
    options->set_stream(op.id);
    options->set_must_exist(op.must_exist);
    options->set_clear_record_keys(true);
  }
  void FillFields(const Operation& op, OpenMessage* open) {
    fields_ = op.fields;
    if constexpr (!std::is_same_v<Request, v1::AppendLogsRequest>) {
      for (const char* ns : kNamespaces) open->add_identity_namespaces(ns);
      for (const std::string& field : op.fields) open->add_fields(field);
    }
  }

  std::vector<std::string> fields_;

 private:
  // One message there, one back; else how the call ended.
  absl::StatusOr<Response> Exchange(const Request& request) {
    Response response;
    (void)stream_->Write(request);
    if (stream_->Read(&response)) return response;
    const grpc::Status status = stream_->Finish();
    stream_ = nullptr;
    if (status.ok()) return absl::DataLossError("the call ended without an answer");
    return client::FromGrpc(status);
  }

  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
};

class ImportCall : public LiveCall<v1::ImportProfilesRequest, v1::ImportProfilesResponse> {
 public:
  explicit ImportCall(client::Client& client) : client_(client) {}

 private:
  std::unique_ptr<Stream> Begin(grpc::ClientContext* context) override {
    return client_.profiles().ImportProfiles(context);
  }
  void FillOpen(const Operation& op, OpenMessage* open) override {
    open->set_parent(kInstance);
    FillStream(op, open->mutable_stream());
    FillFields(op, open);
  }
  void FillBatch(const Operation& op, BatchMessage* batch) override {
    FillRows(op, fields_, batch);
  }
  client::Client& client_;
};

class SyncCall : public LiveCall<v1::SyncProfilesRequest, v1::SyncProfilesResponse> {
 public:
  explicit SyncCall(client::Client& client) : client_(client) {}

 private:
  std::unique_ptr<Stream> Begin(grpc::ClientContext* context) override {
    return client_.profile_sync().SyncProfiles(context);
  }
  void FillOpen(const Operation& op, OpenMessage* open) override {
    open->set_destination(NameOf("destinations", op.target));
    FillStream(op, open->mutable_stream());
    FillFields(op, open);
  }
  void FillBatch(const Operation& op, BatchMessage* batch) override {
    FillRows(op, fields_, batch);
  }
  client::Client& client_;
};

class PushCall : public LiveCall<v1::PushMembersRequest, v1::PushMembersResponse> {
 public:
  explicit PushCall(client::Client& client) : client_(client) {}

 private:
  std::unique_ptr<Stream> Begin(grpc::ClientContext* context) override {
    return client_.audience_sync().PushMembers(context);
  }
  // Audiences by the source_ids that Prepare put there.
  void FillOpen(const Operation& op, OpenMessage* open) override {
    open->set_destination(NameOf("destinations", op.target));
    FillStream(op, open->mutable_stream());
    FillFields(op, open);
    source_ids_ = op.kind == Kind::kReplace ? std::vector<std::string>{op.audience} : op.audiences;
    for (const std::string& source : source_ids_) open->add_audiences(source);
    if (op.kind != Kind::kReplace) return;
    auto* replace = open->mutable_replace();
    if (op.as_of_us.has_value()) {
      *replace->mutable_as_of() = WireTime(*op.as_of_us);
    }
    if (op.max_refused_percent.has_value()) {
      replace->set_max_refused_percent(*op.max_refused_percent);
    }
  }
  void FillBatch(const Operation& op, BatchMessage* batch) override {
    FillRows(op, fields_, batch);
    for (const Row& row : op.rows) {
      const auto at = std::find(source_ids_.begin(), source_ids_.end(), row.audience);
      batch->add_audience_indexes(static_cast<uint32_t>(at - source_ids_.begin()));
      batch->add_statuses(row.realized ? v1::MEMBERSHIP_STATUS_REALIZED
                                       : v1::MEMBERSHIP_STATUS_EXITED);
      AddInteger(row.qualified_us, batch->mutable_qualification_times());
    }
  }
  client::Client& client_;
  std::vector<std::string> source_ids_;
};

class AppendCall : public LiveCall<v1::AppendLogsRequest, v1::AppendLogsResponse> {
 public:
  explicit AppendCall(client::Client& client) : client_(client) {}

 private:
  std::unique_ptr<Stream> Begin(grpc::ClientContext* context) override {
    return client_.logs().AppendLogs(context);
  }
  void FillOpen(const Operation& op, OpenMessage* open) override {
    open->set_parent(kInstance);
    FillStream(op, open->mutable_stream());
  }
  void FillBatch(const Operation& op, BatchMessage* batch) override {
    for (const Entry& entry : op.entries) {
      v1::LogEntry row;
      FillEntry(entry, &row);
      // The same message with bytes where that one has strings.
      batch->add_rows()->ParseFromString(row.SerializeAsString());
      batch->add_record_keys(entry.key);
    }
  }
  client::Client& client_;
};

}  // namespace

std::unique_ptr<WireSession> MakeSession(client::Client& client, Kind kind) {
  switch (kind) {
    case Kind::kImport:
      return std::make_unique<ImportCall>(client);
    case Kind::kSync:
      return std::make_unique<SyncCall>(client);
    case Kind::kAppend:
      return std::make_unique<AppendCall>(client);
    default:
      return std::make_unique<PushCall>(client);
  }
}

std::string WireSystem::Open(const Operation& op) {
  auto session = MakeSession(*client_, op.kind);
  const auto opened = session->Open(op);
  if (!opened.ok()) return WireText(opened.status());
  int64_t& epoch = epochs_[absl::StrCat(op.id, op.kind == Kind::kAppend ? " of logs" : "")];
  if (opened->epoch() <= epoch) return absl::StrCat("epoch went back to ", opened->epoch());
  epoch = opened->epoch();
  sessions_[op.session] = std::move(session);
  return absl::StrCat("OK next=", opened->next_offset(), " token=", opened->source_token(),
                      opened->finished() ? " finished" : "", "\n");
}

std::string WireSystem::Send(const Operation& op) {
  const auto session = sessions_.find(op.session);
  if (session == sessions_.end()) return "there is no such session";
  const auto ack = session->second->Send(op);
  LearnProfiles();
  if (!ack.ok()) {
    sessions_.erase(session);
    return WireText(ack.status());
  }
  if (op.kind == Kind::kAppend) AwaitFollower(ack->commit_token());
  Ack told;
  told.next = ack->next_offset();
  told.received = ack->received();
  told.known = ack->already_known();
  told.unverified = ack->overlap_unverified();
  told.token = ack->source_token();
  told.counts = CountsOf(ack->counts());
  for (const v1::RowOutcome& row : ack->rows()) told.rows.push_back(AnswerOf(row));
  return TextOf(told, false);
}

std::string WireSystem::Finish(const Operation& op) {
  const auto session = sessions_.find(op.session);
  if (session == sessions_.end()) return "there is no such session";
  const auto finished = session->second->Finish(op.total);
  sessions_.erase(session);
  if (!finished.ok()) return WireText(finished.status());
  return absl::StrCat("OK next=", finished->total_records(), "\n");
}

std::string WireSystem::DeleteStream(const Operation& op) {
  if (op.verb == Verb::kDeleteStream) {
    v1::DeleteWriteStreamRequest request;
    request.set_name(model::NameOf("writeStreams", op.id));
    const auto deleted = client_->Call(&v1::StreamService::Stub::DeleteWriteStream, request);
    return deleted.ok() ? "OK" : WireText(deleted.status());
  }
  v1::AbandonReplaceRequest request;
  request.set_stream(model::NameOf("writeStreams", op.id));
  const auto abandoned = client_->Call(&v1::AudienceSyncService::Stub::AbandonReplace, request);
  if (!abandoned.ok()) return WireText(abandoned.status());
  return absl::StrCat("OK ", abandoned->abandoned_records(), " records");
}

std::string WireSystem::ReadStreams() {
  v1::ListWriteStreamsRequest request;
  request.set_parent(kInstance);
  request.set_page_size(3);
  std::string text = "OK\n";
  do {
    const auto page = client_->Call(&v1::StreamService::Stub::ListWriteStreams, request);
    if (!page.ok()) return WireText(page.status());
    for (const v1::WriteStream& stream : page->write_streams()) {
      const std::string target = stream.target();
      absl::StrAppend(&text, "  ", IdOf(stream.name()), " kind ", stream.kind() - 1, " ",
                      target == kInstance ? "" : IdOf(target), " OK next=", stream.next_offset(),
                      " token=", stream.source_token(), stream.finished() ? " finished" : "", "\n");
      for (const auto& [outcome, rows] : CountsOf(stream.totals())) {
        absl::StrAppend(&text, "    ", outcome, "=", rows, "\n");
      }
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return text;
}

std::string WireSystem::ReadOutcomes(const Operation& op) {
  v1::ListRowOutcomesRequest request;
  request.set_parent(model::NameOf("writeStreams", op.id));
  request.set_page_size(3);
  std::string text = "OK\n";
  do {
    const auto page = client_->Call(&v1::StreamService::Stub::ListRowOutcomes, request);
    if (!page.ok()) return WireText(page.status());
    for (const v1::RowOutcome& row : page->rows()) absl::StrAppend(&text, TextOf(AnswerOf(row)));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return text;
}

}  // namespace passerelle::model
