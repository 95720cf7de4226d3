#include "passerelle/export.h"

#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/time/clock.h"
#include "passerelle/backoff.h"
#include "passerelle/error.h"

namespace passerelle::client {
namespace {

constexpr absl::Duration kAcknowledgeTimeout = absl::Seconds(10);

bool Stopped(const ExportOptions& options) {
  return options.stop != nullptr && options.stop->stopped();
}

// Reads one call to its end. A status of `take` ends it and is told apart by `taken`.
template <typename Response, typename Begin, typename Take>
absl::Status ReadOnce(const ExportOptions& options, const Begin& begin, const Take& take,
                      absl::Status* taken) {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<Response>> reader = begin(&context);
  if (options.stop != nullptr) options.stop->Watch(&context);
  auto unwatch = absl::MakeCleanup([&options] {
    if (options.stop != nullptr) options.stop->Watch(nullptr);
  });
  Response response;
  while (taken->ok() && !Stopped(options) && reader->Read(&response)) *taken = take(response);
  if (!taken->ok() || Stopped(options)) context.TryCancel();
  while (reader->Read(&response)) {
  }
  return FromGrpc(reader->Finish());
}

// Makes the call again as long as that helps. `once` does one call; `progressed` says whether it
// got anything since it was asked last.
template <typename Once, typename Progressed>
absl::Status Repeat(const ExportOptions& options, const Once& once, const Progressed& progressed,
                    int* reconnects) {
  Backoff backoff(options.give_up_after);
  while (true) {
    absl::Status taken;
    absl::Status status = once(&taken);
    if (!taken.ok()) return taken;
    if (Stopped(options)) return absl::CancelledError("stopped by the caller");
    if (status.ok()) return status;
    if (progressed()) backoff.Progressed();
    const auto wait = backoff.WaitAfter(status);
    if (!wait) return status;
    if (options.on_wait) options.on_wait(status, *wait);
    StopSignal never;
    if ((options.stop != nullptr ? options.stop : &never)->SleepFor(*wait)) {
      return absl::CancelledError("stopped by the caller");
    }
    ++*reconnects;
  }
}

std::string ConsumerOf(const v1::ExportLogsRequest& request) {
  return request.name() + "/consumers/" +
         (request.consumer().empty() ? "default" : request.consumer());
}

absl::Status Acknowledge(Client& client, const v1::ExportLogsRequest& request,
                         const std::string& cursor) {
  v1::AcknowledgeRequest acknowledge;
  acknowledge.set_name(ConsumerOf(request));
  acknowledge.set_cursor(cursor);
  // One try: the export must not stand still meanwhile.
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kAcknowledgeTimeout));
  v1::Consumer consumer;
  return FromGrpc(
      client.stub<v1::SourceService::Stub>().Acknowledge(&context, acknowledge, &consumer));
}

// True if there are log rows after its position, or if that cannot be told.
bool IsBehind(Client& client, const v1::ExportLogsRequest& request) {
  v1::GetConsumerRequest get;
  get.set_name(ConsumerOf(request));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kAcknowledgeTimeout));
  v1::Consumer consumer;
  const grpc::Status status =
      client.stub<v1::SourceService::Stub>().GetConsumer(&context, get, &consumer);
  return !status.ok() || consumer.lag() > 0;
}

}  // namespace

LogExportResult ExportLogs(Client& client, v1::ExportLogsRequest request,
                           const std::function<absl::Status(const v1::ExportLogsResponse&)>& take,
                           const ExportOptions& options) {
  LogExportResult result;
  std::string asked_from = request.cursor();
  const bool from_consumer = request.cursor().empty();
  int64_t acknowledged = -1;  // up to this sequence; -1: not known
  bool header_taken = false;
  bool unacknowledged = false;
  std::optional<int64_t> end;  // of the present call, as its header says
  int64_t position = 0;        // of the present call
  auto take_one = [&](const v1::ExportLogsResponse& response) {
    if (response.has_header()) end = response.header().end_sequence();
    position = response.sequence();
    if (response.has_header() && header_taken && response.rows().empty()) return absl::OkStatus();
    absl::Status taken = take(response);
    if (!taken.ok()) return taken;
    header_taken = header_taken || response.has_header();
    result.rows += response.rows_size();
    if (!response.cursor().empty()) {
      result.cursor = response.cursor();
      result.sequence = response.sequence();
    }
    // The header tells where it begins: at what the consumer has acknowledged, or at a cursor.
    if (response.has_header() && from_consumer) acknowledged = response.sequence();
    const bool moved = response.sequence() > acknowledged || !response.rows().empty();
    if (!options.acknowledge || !moved) return absl::OkStatus();
    // Sequences grow by acknowledging too: without asking, an idle export would never end to tell.
    if (response.rows().empty() && !IsBehind(client, request)) {
      acknowledged = response.sequence();
      return absl::OkStatus();
    }
    absl::Status told = Acknowledge(client, request, result.cursor);
    if (told.ok()) acknowledged = result.sequence;
    // The next one covers this one; the last one is told again below.
    unacknowledged = !told.ok() && MayComeAgain(told);
    return unacknowledged ? absl::OkStatus() : told;
  };
  auto once = [&](absl::Status* taken) {
    if (!result.cursor.empty()) request.set_cursor(result.cursor);
    end.reset();
    absl::Status status = ReadOnce<v1::ExportLogsResponse>(
        options,
        [&](grpc::ClientContext* context) { return client.logs().ExportLogs(context, request); },
        take_one, taken);
    // One that follows has no end.
    const bool whole = end && position >= *end && !request.follow();
    if (!status.ok() || whole) return status;
    return absl::Status(absl::UnavailableError("the server ended the export before its end"));
  };
  auto progressed = [&] {
    const bool moved = result.cursor != asked_from;
    asked_from = result.cursor;
    return moved;
  };
  result.status = Repeat(options, once, progressed, &result.reconnects);
  if (!unacknowledged || !result.status.ok()) return result;
  auto tell = [&](absl::Status*) { return Acknowledge(client, request, result.cursor); };
  result.status = Repeat(
      options, tell, [] { return false; }, &result.reconnects);
  return result;
}

MembersResult StreamMembers(
    Client& client, v1::StreamMembersRequest request,
    const std::function<absl::Status(const v1::StreamMembersResponse&)>& take,
    const ExportOptions& options) {
  MembersResult result;
  bool progress = false;
  bool header_taken = false;
  bool whole = false;
  auto take_one = [&](const v1::StreamMembersResponse& response) {
    if (response.has_header()) result.header = response.header();
    if (!(response.has_header() && header_taken)) {
      absl::Status taken = take(response);
      if (!taken.ok()) return taken;
    }
    header_taken = header_taken || response.has_header();
    if (!response.resume_token().empty()) request.set_resume_token(response.resume_token());
    if (response.has_trailer()) {
      whole = true;
      result.trailer = response.trailer();
    }
    // Each try begins with a header: by itself it gets nothing on.
    progress = progress || !response.has_header();
    return absl::OkStatus();
  };
  auto once = [&](absl::Status* taken) {
    absl::Status status = ReadOnce<v1::StreamMembersResponse>(
        options,
        [&](grpc::ClientContext* context) {
          return client.activation().StreamMembers(context, request);
        },
        take_one, taken);
    if (whole) return absl::OkStatus();
    if (status.ok()) return absl::UnavailableError("the members ended without a trailer");
    return status;
  };
  result.status = Repeat(
      options, once, [&] { return std::exchange(progress, false); }, &result.reconnects);
  return result;
}

}  // namespace passerelle::client
