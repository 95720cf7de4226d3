#include "server/services/audit_service.h"

#include <string>

#include "server/convert/audit.h"
#include "server/errors.h"
#include "server/services/audit_feed.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"
#include "storage/status.h"

namespace passerelle {
namespace {

absl::Status ListEntries(const ServiceContext& context, CallContext& call,
                         const v1::ListAuditEntriesRequest& request,
                         v1::ListAuditEntriesResponse* response) {
  ASSIGN_OR_RETURN(storage::AuditQuery query, ReadAuditQuery(request));
  const std::string start = request.start_time().SerializeAsString();
  const std::string end = request.end_time().SerializeAsString();
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context, request,
                             {call.method(),
                              {request.parent(), request.caller(), request.method(),
                               request.call_id(), start, end}}));
  query.limit = pager.limit();
  if (!pager.after().empty()) {
    query.after = ReadAuditPlace(pager.after());
    if (!query.after.has_value())
      return errors::PageTokenInvalid({"page_token", "not of this list"});
  }
  const auto page = context.store->audit().List(query, call.ForReading());
  if (!page.ok()) return ForResource(page.status(), request.parent());
  for (const storage::AuditEntry& entry : page->entries) {
    WriteAuditEntry(entry, response->add_entries());
  }
  if (page->next.has_value()) response->set_next_page_token(pager.Next(TextOf(*page->next)));
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* AuditService::ListAuditEntries(grpc::CallbackServerContext* context,
                                                         const v1::ListAuditEntriesRequest* request,
                                                         v1::ListAuditEntriesResponse* response) {
  return door_.Unary(
      context, "AuditService/ListAuditEntries", request, response,
      [this](CallContext& call, const v1::ListAuditEntriesRequest& asked,
             v1::ListAuditEntriesResponse* answer) {
        return ListEntries(context_, call, asked, answer);
      },
      Pool::kLong);
}

grpc::ServerWriteReactor<v1::VerifyAuditTrailResponse>* AuditService::VerifyAuditTrail(
    grpc::CallbackServerContext* context, const v1::VerifyAuditTrailRequest* request) {
  return StartFeed(door_, context, {"AuditService/VerifyAuditTrail", request},
                   MakeAuditFeed(context_, *request));
}

}  // namespace passerelle
