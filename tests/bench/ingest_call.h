// One bidi ingest of the public API, from open to finished: batches are written on the caller's
// thread, acks read on another.
#ifndef PASSERELLE_TESTS_BENCH_INGEST_CALL_H_
#define PASSERELLE_TESTS_BENCH_INGEST_CALL_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "passerelle/v1/ingest.pb.h"

namespace passerelle::bench {

// How many records go into a message, and how many messages go ahead of the acks.
struct IngestShape {
  int64_t batch_records = 0;
  int64_t unacked_batches = 0;
};

template <class Request, class Response>
class IngestCall {
 public:
  // `stream` belongs to a call whose context outlives this.
  IngestCall(std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream,
             const IngestShape& shape)
      : stream_(std::move(stream)), shape_(shape), reader_([this] { ReadAll(); }) {}

  // Sends open, then `records` records in batches made by fill(batch, first, count), then finish;
  // returns the server's account of it. Throws std::runtime_error with the call's status.
  template <class Fill>
  v1::IngestFinished Run(const Request& open, int64_t records, Fill fill) {
    bool sending = stream_->Write(open);
    Request request;
    for (int64_t first = 0; sending && first < records; first += shape_.batch_records) {
      const int64_t count = std::min(shape_.batch_records, records - first);
      auto& batch = *request.mutable_batch();
      batch.set_offset(first);
      fill(batch, first, count);
      sending = WaitForRoom(first) && stream_->Write(request);
    }
    Request finish;
    finish.mutable_finish()->set_total_records(records);
    if (sending) stream_->Write(finish);
    stream_->WritesDone();
    reader_.join();
    const grpc::Status status = stream_->Finish();
    if (status.ok()) return finished_;
    throw std::runtime_error(absl::StrCat("an ingest failed with code ", status.error_code(), ": ",
                                          status.error_message()));
  }

 private:
  void ReadAll() {
    Response response;
    while (stream_->Read(&response)) {
      if (response.has_finished()) finished_ = response.finished();
      if (!response.has_ack()) continue;
      std::lock_guard<std::mutex> lock(mutex_);
      acked_ = response.ack().next_offset();
      changed_.notify_one();
    }
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    changed_.notify_one();
  }

  // False: the server ended the call.
  bool WaitForRoom(int64_t sent) {
    std::unique_lock<std::mutex> lock(mutex_);
    const int64_t most = shape_.unacked_batches * shape_.batch_records;
    changed_.wait(lock, [&] { return ended_ || sent - acked_ < most; });
    return !ended_;
  }

  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream_;
  const IngestShape shape_;
  v1::IngestFinished finished_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t acked_ = 0;
  bool ended_ = false;
  std::thread reader_;  // last: it uses all of the above
};

}  // namespace passerelle::bench

#endif  // PASSERELLE_TESTS_BENCH_INGEST_CALL_H_
