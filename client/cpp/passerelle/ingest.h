// Resumable ingest: the loop over a durable stream that nobody should write alone. It cuts records
// into columnar batches, keeps up to 4 of them unacknowledged, adds the acknowledgements up, waits
// when the server is busy, opens the stream again where it was when the connection is lost, and
// finishes with the total. Run again with the same stream and records, it sends only what is new.
// Any number of loops may run at once on one client, each on a thread and with a source of its own.
#ifndef PASSERELLE_CLIENT_INGEST_H_
#define PASSERELLE_CLIENT_INGEST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "passerelle/client.h"
#include "passerelle/record.h"
#include "passerelle/stop.h"
#include "passerelle/v1/audience_sync_service.pb.h"
#include "passerelle/v1/log_service.pb.h"
#include "passerelle/v1/profile_service.pb.h"
#include "passerelle/v1/profile_sync_service.pb.h"

namespace passerelle::client {

// What became of it; also filled, as far as it got, when `status` is an error.
struct IngestResult {
  // OK: every record is accepted and accounted for, and a replace is published. CANCELLED: stopped;
  // what was acknowledged is durable, and the same call goes on after it.
  absl::Status status;
  // Records the server had before this run.
  int64_t already_known = 0;
  // Records it accepted in this run.
  int64_t received = 0;
  // Outcomes of the records acknowledged to this run. Their sum is `received`, unless an
  // acknowledgement was lost with its connection: `totals` has those too.
  std::map<v1::Outcome, int64_t> outcomes;
  // Outcomes over the stream's life, once it is finished: their sum is total_records.
  std::map<v1::Outcome, int64_t> totals;
  int64_t total_records = 0;
  // The caller's own position that the stream had stored when this run began.
  std::string first_source_token;
  // Hand this to a read to see at least these records.
  std::string commit_token;
  // How often the stream was opened again after a failure.
  int reconnects = 0;
};

struct IngestOptions {
  int max_batch_records = 2'000;  // less if the server allows less
  int64_t max_batch_bytes = 1024 * 1024;
  // Stored with every batch and told by the next open; at most 1 KiB.
  std::string source_token;
  // Give up when nothing was accepted for this long. Only a stream with a name is opened again, and
  // one without if the server refused to open it because it was busy.
  absl::Duration give_up_after = absl::Minutes(1);
  // Optional; outlives the call. Once stopped nothing more is sent; the answers to what is on its
  // way are waited for at most so long, then the call is cancelled.
  StopSignal* stop = nullptr;
  absl::Duration stop_grace = absl::Seconds(5);
  // All called on the calling thread, between messages. Empty ones are not called.
  std::function<void(const v1::StreamOpened&)> on_opened;
  std::function<void(const IngestResult&)> on_progress;  // after each acknowledgement
  std::function<void(const v1::RowOutcome&)> on_row;     // records that did not simply apply
  std::function<void(const absl::Status&, absl::Duration)> on_wait;  // before opening again
};

// Creates or updates profiles. `open` names the instance, the stream, the namespaces and the
// fields; rows give one value for each, in that order. Blocks until it is done.
IngestResult ImportProfiles(Client& client, const v1::ImportProfilesRequest::Open& open,
                            RowSource& rows, const IngestOptions& options = {});
// Updates profiles that exist, through a PROFILE_SYNC destination.
IngestResult SyncProfiles(Client& client, const v1::SyncProfilesRequest::Open& open,
                          RowSource& rows, const IngestOptions& options = {});
// Pushes memberships through an AUDIENCE_SYNC destination; with open.replace, the whole audience.
IngestResult PushMembers(Client& client, const v1::PushMembersRequest::Open& open, RowSource& rows,
                         const IngestOptions& options = {});
// Appends log rows.
IngestResult AppendLogs(Client& client, const v1::AppendLogsRequest::Open& open, LogSource& rows,
                        const IngestOptions& options = {});

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_INGEST_H_
