// One call of a bidi ingest, as a test drives it: SyncProfiles, PushMembers, AppendLogs.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "passerelle/v1/ingest.pb.h"

namespace passerelle {

template <class Stub, class Request, class Response>
class WireStream {
 public:
  using Stream = grpc::ClientReaderWriter<Request, Response>;
  WireStream(const std::shared_ptr<grpc::Channel>& channel,
             std::unique_ptr<Stream> (Stub::*method)(grpc::ClientContext*))
      : stub_(channel) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = (stub_.*method)(&context_);
  }

  ~WireStream() { context_.TryCancel(); }
  WireStream(const WireStream&) = delete;
  WireStream& operator=(const WireStream&) = delete;

  // Opens with `request`; false when the call ended instead.
  bool Open(const Request& request) {
    stream_->Write(request);
    Response response;
    if (!stream_->Read(&response)) return false;
    opened_ = response.opened();
    return true;
  }
  bool Send(const Request& request) { return stream_->Write(request); }
  // The next message, which has to be an ack: else an empty one.
  v1::IngestAck Ack() {
    Response response;
    return stream_->Read(&response) ? response.ack() : v1::IngestAck();
  }
  v1::IngestFinished Finish(int64_t total) {
    Request request;
    request.mutable_finish()->set_total_records(total);
    stream_->Write(request);
    Response response;
    while (stream_->Read(&response)) {
      if (response.has_finished()) return response.finished();
    }
    return {};
  }
  // How the call ended.
  grpc::Status End() {
    Response response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }
  const v1::StreamOpened& opened() const { return opened_; }

 private:
  Stub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  v1::StreamOpened opened_;
};

inline void FillTexts(const std::vector<std::string>& texts, v1::Column* column) {
  for (const std::string& text : texts) column->add_texts(text);
}

// "UPDATED 3, NOT_FOUND 1", by the numbers of the outcomes.
template <class Counts>
std::string CountsOf(const Counts& counts) {
  std::string told;
  for (const v1::OutcomeCount& count : counts) {
    if (!told.empty()) told += ", ";
    told += v1::Outcome_Name(count.outcome()).substr(sizeof("OUTCOME_") - 1) + " " +
            std::to_string(count.rows());
  }
  return told;
}

}  // namespace passerelle
