// One opening of an ingest stream, of whichever kind; the loop in ingest_loop.h drives it. Not
// thread-safe.
#ifndef PASSERELLE_CLIENT_INGEST_CALL_H_
#define PASSERELLE_CLIENT_INGEST_CALL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "passerelle/v1/ingest.pb.h"

namespace passerelle::client {

struct BatchLimits {
  int records = 0;
  int64_t bytes = 0;
};

// One message of the server; exactly one is set. Good until the next ReadAnswer.
struct Answer {
  const v1::StreamOpened* opened = nullptr;
  const v1::IngestAck* ack = nullptr;
  const v1::IngestFinished* finished = nullptr;
};

class IngestCall {
 public:
  virtual ~IngestCall() = default;

  // Begins a call and sends open; with `must_exist` the stream must be there already. Ends the call
  // before it, if there is one.
  virtual bool Start(bool must_exist) = 0;
  // Blocks for the next answer; false: the call is over, see End.
  virtual bool ReadAnswer(Answer* answer) = 0;
  // Cuts the next batch from the source. Its number of records; 0 at the end of the source.
  virtual absl::StatusOr<int> CutBatch(int64_t offset, const BatchLimits& limits) = 0;
  // Sends the batch that was cut last.
  virtual bool SendBatch() = 0;
  virtual bool SendFinish(int64_t total_records) = 0;
  // The call's status. Blocks until the server ended it: to be called when a Read or a Send said
  // false, or after the last answer.
  virtual absl::Status End() = 0;
  // Safe on any thread, also while another one waits in any of these.
  virtual void Cancel() = 0;

  // The source behind it.
  virtual absl::Status Seek(int64_t offset) = 0;
  virtual absl::StatusOr<bool> AtEnd() = 0;  // consumes a record if it is not

  // The name of the stream; empty: it has none, and cannot be opened again.
  virtual const std::string& stream() const = 0;
};

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_INGEST_CALL_H_
