// What ingests write to: an instance, or a destination of one; and the steps of their unary twins.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "passerelle/v1/ingest.pb.h"
#include "server/services/requests.h"
#include "server/services/service_context.h"
#include "storage/flow.h"
#include "storage/status.h"
#include "storage/store.h"
#include "storage/types.h"

namespace passerelle {

struct OpenInstanceTarget {
  std::shared_ptr<storage::InstanceStore> stores;
  std::string region;  // the instance's default phone region
};
// `text` is the value of request field `field`. RESOURCE_NOT_FOUND, NAME_INVALID. May block.
absl::StatusOr<OpenInstanceTarget> OpenTarget(const ServiceContext& context, std::string_view field,
                                              std::string_view text);

struct OpenDestinationTarget {
  OpenInstanceTarget instance;
  storage::Destination destination;
};
// Which destination is wanted, and of which type.
struct WantedDestination {
  std::string_view field;
  const std::string& name;
  storage::SyncType sync_type;
  std::string_view stream = {};  // that goes on to feed it; empty: none
};
// As OpenTarget, and WRONG_SYNC_TYPE, DESTINATION_PAUSED; DESTINATION_DELETED instead of
// RESOURCE_NOT_FOUND when the stream fed it before.
absl::StatusOr<OpenDestinationTarget> OpenDestination(const ServiceContext& context,
                                                      const WantedDestination& wanted,
                                                      const storage::ReadContext& read);

// Gives a batch to the store by `submit` and waits for its answer. Blocks: on a work pool only.
using SubmitBatch = absl::FunctionRef<absl::Status(storage::Done<storage::WriteAck>& done)>;
absl::StatusOr<storage::WriteAck> SubmitAndWait(SubmitBatch submit);

// The answer of a unary batch: every row, each with the record key that `key_of` gives by index.
void WriteBatchResult(const ServiceContext& context, std::string_view instance,
                      const storage::WriteAck& ack,
                      absl::FunctionRef<std::string_view(int64_t)> key_of, v1::BatchResult* result);

// How a unary batch is to be written: its request_id, all_or_nothing, every row listed.
// FIELD_INVALID for a request_id that is no UUID.
template <class Request>
absl::StatusOr<storage::WriteOptions> BatchOptions(std::string_view method,
                                                   const Request& request) {
  storage::WriteOptions options;
  ASSIGN_OR_RETURN(options.request, MakeRequestKey(method, request));
  options.all_or_nothing = request.all_or_nothing();
  options.list_every_row = true;
  return options;
}

}  // namespace passerelle
