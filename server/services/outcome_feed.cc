#include "server/services/outcome_feed.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/convert/acks.h"
#include "server/convert/names.h"
#include "server/convert/outcome_filter.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"
#include "server/services/requests.h"
#include "server/streams/feed.h"

namespace passerelle {
namespace {

constexpr int32_t kBatchRows = 1'000;
constexpr int32_t kScanRows = 50'000;         // rows looked at in one short read
constexpr int64_t kMaxRowsPerPage = 500'000;  // looked at, after which a page ends early

// A ledger as one request asks for it.
struct Ledger {
  std::shared_ptr<storage::InstanceStore> instance;
  std::string stream;
  storage::OutcomeFilter filter;

  absl::StatusOr<storage::OutcomePage> Read(const storage::OutcomeScan& scan,
                                            const storage::ReadContext& read) const {
    return instance->streams().ListRowOutcomes(stream, filter, scan, read);
  }
};

// Requests of both calls name the same things.
template <class Request>
absl::StatusOr<Ledger> OpenLedger(const ServiceContext& context, const Request& request,
                                  const storage::ReadContext& read) {
  ASSIGN_OR_RETURN(const WriteStreamName name, ParseWriteStreamName({"parent", request.parent()}));
  Ledger ledger;
  ASSIGN_OR_RETURN(ledger.instance, OpenInstance(context, name.instance));
  ledger.stream = name.id;
  RETURN_IF_ERROR(AwaitCommit(context, *ledger.instance, request.commit_token(), read));
  const auto stream = ledger.instance->streams().GetStream(name.id, read);
  if (!stream.ok()) return ForResource(stream.status(), request.parent());
  const RecordKeyWriter record_keys(*context.keys, stream->clear_record_keys);
  ASSIGN_OR_RETURN(ledger.filter, ReadOutcomeFilter(request.filter(), "filter", record_keys));
  return ledger;
}

class OutcomeFeed final : public FeedSourceOf<v1::StreamRowOutcomesResponse> {
 public:
  OutcomeFeed(const ServiceContext& context, const v1::StreamRowOutcomesRequest& request)
      : context_(context), request_(request) {}

  int64_t rows_made() const override { return rows_made_; }
  absl::StatusOr<FeedStep> Next(const storage::ReadContext& read,
                                v1::StreamRowOutcomesResponse* response) override {
    if (ended_) return FeedStep::kEnd;
    if (ledger_.instance == nullptr) RETURN_IF_ERROR(Open(read));
    ASSIGN_OR_RETURN(const storage::OutcomePage page,
                     ledger_.Read({after_, kBatchRows, kScanRows}, read));
    after_ = page.after_offset;
    ended_ = page.at_end;
    rows_made_ += static_cast<int64_t>(page.rows.size());
    for (const storage::RowResult& row : page.rows) WriteRowOutcome(row, response->add_rows());
    response->set_next_start_offset(after_ + 1);
    return FeedStep::kMessage;
  }

 private:
  absl::Status Open(const storage::ReadContext& read) {
    if (request_.start_offset() < 0) {
      return errors::FieldInvalid(
          {"start_offset", absl::StrCat("got ", request_.start_offset(), ", wanted 0 or more")});
    }
    ASSIGN_OR_RETURN(ledger_, OpenLedger(context_, request_, read));
    after_ = request_.start_offset() - 1;
    return absl::OkStatus();
  }

  const ServiceContext context_;
  const v1::StreamRowOutcomesRequest request_;
  Ledger ledger_;
  int64_t after_ = -1;
  int64_t rows_made_ = 0;
  bool ended_ = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::StreamRowOutcomesResponse>* StreamRowOutcomes(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context,
    const v1::StreamRowOutcomesRequest* request) {
  return StartFeed<v1::StreamRowOutcomesResponse>(door, grpc_context,
                                                  {"StreamService/StreamRowOutcomes", request},
                                                  std::make_unique<OutcomeFeed>(context, *request));
}

absl::Status ListRowOutcomes(const ServiceContext& context, CallContext& call,
                             const v1::ListRowOutcomesRequest& request,
                             v1::ListRowOutcomesResponse* response) {
  const std::string filter = request.filter().SerializeAsString();
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context, request, {call.method(), {request.parent(), filter}}));
  const storage::ReadContext read = call.ForReading();
  ASSIGN_OR_RETURN(const Ledger ledger, OpenLedger(context, request, read));
  int64_t after = -1;
  if (!pager.after().empty() && !absl::SimpleAtoi(pager.after(), &after)) {
    return errors::PageTokenInvalid({"page_token", "not of this list"});
  }
  storage::OutcomePage page;
  // Over rows that do not fit, up to a number that a call can bear.
  for (int64_t looked_at = 0; looked_at < kMaxRowsPerPage; looked_at += kScanRows) {
    ASSIGN_OR_RETURN(page, ledger.Read({after, pager.limit(), kScanRows}, read));
    after = page.after_offset;
    if (page.at_end || !page.rows.empty()) break;
  }
  for (const storage::RowResult& row : page.rows) WriteRowOutcome(row, response->add_rows());
  if (!page.at_end) response->set_next_page_token(pager.Next(absl::StrCat(after)));
  return absl::OkStatus();
}

}  // namespace passerelle
