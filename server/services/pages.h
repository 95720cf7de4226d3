// One page of a list: size, start, and the token of the next page (AIP-158).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/services/service_context.h"
#include "storage/types.h"

namespace passerelle {

// What a list request says of its page.
struct PageQuery {
  int32_t page_size = 0;
  std::string_view page_token;
};

// What a page token is bound to: the method and every argument that the next call has to repeat.
struct PageBinding {
  std::string_view method;
  std::vector<std::string_view> arguments;
};

class Pager {
 public:
  // FIELD_INVALID for a negative page_size; PAGE_TOKEN_INVALID for a token that is malformed or was
  // made for another list or other arguments. A size of 0 is the default one; more than the largest
  // counts as the largest.
  static absl::StatusOr<Pager> Begin(const ServiceContext& context, const PageQuery& query,
                                     const PageBinding& binding);

  int32_t limit() const { return limit_; }
  // The last key of the page before; empty on the first.
  const std::string& after() const { return after_; }
  storage::PageRequest request() const { return {after_, limit_}; }

  // The token of the page after `last_key`; empty for an empty key, which is the end.
  std::string Next(std::string last_key) const;

 private:
  Pager() = default;

  const ServiceContext* context_ = nullptr;
  std::string method_;
  std::string filter_hash_;
  int32_t limit_ = 0;
  std::string after_;
};

// Reads the page of a request that has page_size and page_token.
template <class Request>
absl::StatusOr<Pager> BeginPage(const ServiceContext& context, const Request& request,
                                const PageBinding& binding) {
  return Pager::Begin(context, {request.page_size(), request.page_token()}, binding);
}

}  // namespace passerelle
