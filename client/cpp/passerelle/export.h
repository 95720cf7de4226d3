// Resumable exports: log rows from a cursor on, and the members of an audience in full or what
// changed. Both go on where they were when the connection is lost. Any number of them may run at
// once on one client, each on a thread of its own. What `take` does not return for is not read: a
// slow one slows the server down, and memory is that of one message and of gRPC's own window.
#ifndef PASSERELLE_CLIENT_EXPORT_H_
#define PASSERELLE_CLIENT_EXPORT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "passerelle/client.h"
#include "passerelle/stop.h"
#include "passerelle/v1/activation_service.pb.h"
#include "passerelle/v1/log_service.pb.h"

namespace passerelle::client {

struct ExportOptions {
  // Give up when nothing came for this long and the server cannot be reached.
  absl::Duration give_up_after = absl::Minutes(1);
  // Logs by a source's consumer: tell the server after each message that its rows are done with,
  // and after one without rows how far the log was read, if the consumer is behind, so that one
  // whose rows are rare is up to date too.
  bool acknowledge = false;
  // Optional; outlives the call.
  StopSignal* stop = nullptr;
  // Called on the calling thread before the call is made again; may be empty.
  std::function<void(const absl::Status&, absl::Duration)> on_wait;
};

struct LogExportResult {
  // OK: everything up to the end was taken. CANCELLED: stopped. Otherwise why it failed; the error
  // that `take` returned, if it did.
  absl::Status status;
  int64_t rows = 0;
  // The position after the last message that was taken; empty: none was. Give it to the next call.
  std::string cursor;
  int64_t sequence = 0;
  int reconnects = 0;
};

// Exports log rows: `take` gets every message in order, the header and heartbeats too; no row comes
// twice, unless `take` failed for it. The cursor moves after `take` returned OK. With follow it
// goes on until it is stopped. Blocks.
LogExportResult ExportLogs(Client& client, v1::ExportLogsRequest request,
                           const std::function<absl::Status(const v1::ExportLogsResponse&)>& take,
                           const ExportOptions& options = {});

struct MembersResult {
  // OK: the trailer came, the stream is whole.
  absl::Status status;
  v1::StreamMembersResponse::Header header;
  v1::StreamMembersResponse::Trailer trailer;
  int reconnects = 0;
};

// Streams members: `take` gets every batch once, in order, and the header before them. Blocks.
MembersResult StreamMembers(
    Client& client, v1::StreamMembersRequest request,
    const std::function<absl::Status(const v1::StreamMembersResponse&)>& take,
    const ExportOptions& options = {});

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_EXPORT_H_
