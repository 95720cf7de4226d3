#include "server/services/pages.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/errors.h"
#include "server/limits.h"

namespace passerelle {

absl::StatusOr<Pager> Pager::Begin(const ServiceContext& context, const PageQuery& query,
                                   const PageBinding& binding) {
  if (query.page_size < 0) {
    return errors::FieldInvalid(
        {"page_size", absl::StrCat("got ", query.page_size, ", wanted 0 or more")});
  }
  Pager pager;
  pager.context_ = &context;
  pager.method_ = std::string(binding.method);
  pager.filter_hash_ = FilterHash(binding.arguments);
  pager.limit_ =
      query.page_size == 0 ? kDefaultPageSize : std::min<int32_t>(query.page_size, kMaxPageSize);
  if (query.page_token.empty()) return pager;
  PageToken token;
  TokenProblem problem = context.tokens->Decode(query.page_token, &token);
  if (problem == TokenProblem::kOk) {
    PageToken wanted;
    wanted.kind = pager.method_;
    wanted.filter_hash = pager.filter_hash_;
    problem = CheckBinding(token, wanted);
  }
  if (problem != TokenProblem::kOk) {
    return errors::PageTokenInvalid({"page_token", std::string(Describe(problem))});
  }
  pager.after_ = std::move(token.last_key);
  return pager;
}

std::string Pager::Next(std::string last_key) const {
  if (last_key.empty()) return {};
  PageToken token;
  token.kind = method_;
  token.filter_hash = filter_hash_;
  token.last_key = std::move(last_key);
  token.issue_time_us = static_cast<uint64_t>(absl::ToUnixMicros(context_->clock->Now()));
  return context_->tokens->Encode(token);
}

}  // namespace passerelle
