// The loop over an IngestCall: windows, acknowledgements, opening again. Not thread-safe.
#ifndef PASSERELLE_CLIENT_INGEST_LOOP_H_
#define PASSERELLE_CLIENT_INGEST_LOOP_H_

#include <deque>

#include "passerelle/backoff.h"
#include "passerelle/ingest.h"
#include "passerelle/ingest_call.h"

namespace passerelle::client {

class IngestLoop {
 public:
  IngestLoop(IngestCall* call, const IngestOptions& options)
      : call_(*call), options_(options), backoff_(options.give_up_after) {}

  // Opens, sends, opens again as often as it helps. Blocks until all is accepted, it is stopped, or
  // it failed for good.
  IngestResult Run();

 private:
  absl::Status RunOnce();
  absl::Status Open();
  void NoteOpened(const v1::StreamOpened& opened);
  absl::Status SendAll();
  absl::Status CutNext();
  absl::Status ReadAck();
  void NoteAck(const v1::IngestAck& ack);
  absl::Status Conclude();
  absl::Status ConfirmFinished();
  absl::Status Broken();
  bool MayOpenAgain(const absl::Status& status) const;
  bool stopped() const { return options_.stop != nullptr && options_.stop->stopped(); }

  IngestCall& call_;
  const IngestOptions& options_;
  Backoff backoff_;
  IngestResult result_;
  BatchLimits limits_;
  std::deque<int64_t> in_flight_;  // the offset after each batch that is sent and not acknowledged
  int64_t cut_to_ = 0;             // records cut from the source
  int64_t accepted_ = 0;           // the server's next_offset as far as we know
  int cut_records_ = 0;            // of the batch that is cut and not sent
  bool source_ended_ = false;
  bool opened_before_ = false;
  bool finished_before_ = false;  // the server says the stream is finished already
};

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_INGEST_LOOP_H_
