// Lists, page after page; one page is held at a time. Safe on any thread; `take` is called on the
// calling one.
#ifndef PASSERELLE_CLIENT_PAGES_H_
#define PASSERELLE_CLIENT_PAGES_H_

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "passerelle/client.h"

namespace passerelle::client {

// A list method of a stub.
template <typename Stub, typename Request, typename Response>
using ListMethod = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

// Gives every page to `take`, in order, from the one that the request names on. Ends with the
// status of the call that failed, or with the first one of `take` that is not OK.
template <typename Stub, typename Request, typename Response, typename Take>
absl::Status ForEachPage(Client& client, ListMethod<Stub, Request, Response> method,
                         Request request, const Take& take, const CallOptions& options = {}) {
  while (true) {
    absl::StatusOr<Response> page = client.Call(method, request, options);
    if (!page.ok()) return page.status();
    absl::Status taken = take(*page);
    if (!taken.ok() || page->next_page_token().empty()) return taken;
    request.set_page_token(page->next_page_token());
  }
}

// Gives every item of all pages to `take`, each once:
//   ForEachItem(client, &v1::AudienceService::Stub::ListAudiences, request,
//               &v1::ListAudiencesResponse::audiences, [](const v1::Audience& audience) {...});
// `items` gives the items of a response; `take` answers with a status that ends it if it is not OK.
template <typename Stub, typename Request, typename Response, typename Item, typename Take>
absl::Status ForEachItem(Client& client, ListMethod<Stub, Request, Response> method,
                         Request request,
                         const google::protobuf::RepeatedPtrField<Item>& (Response::*items)() const,
                         const Take& take, const CallOptions& options = {}) {
  const auto take_page = [&](const Response& page) {
    for (const Item& item : (page.*items)()) {
      absl::Status taken = take(item);
      if (!taken.ok()) return taken;
    }
    return absl::OkStatus();
  };
  return ForEachPage(client, method, std::move(request), take_page, options);
}

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_PAGES_H_
