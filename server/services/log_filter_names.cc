#include "server/services/log_filter_names.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/errors.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

struct Named {
  const char* kind;
  std::string field;
  const std::string& id;
};

absl::Status Found(const absl::Status& status, const Named& named) {
  if (storage::ReasonOf(status) != storage::Reason::kNotFound) return status;
  return MakeError(v1::ERROR_REASON_RESOURCE_NOT_FOUND,
                   absl::StrCat(named.field, ": there is no ", named.kind, " ", Quoted(named.id)),
                   {{"field", named.field}});
}

}  // namespace

absl::Status CheckFilterNames(const storage::LogFilter& filter, storage::InstanceStore& instance,
                              const storage::ReadContext& read) {
  for (std::size_t i = 0; i < filter.deliveries.size(); ++i) {
    const std::string& id = filter.deliveries[i];
    RETURN_IF_ERROR(Found(instance.logs().GetDelivery(id, read).status(),
                          {"delivery", absl::StrCat("filter.deliveries[", i, "]"), id}));
  }
  for (std::size_t i = 0; i < filter.audiences.size(); ++i) {
    const std::string& id = filter.audiences[i];
    RETURN_IF_ERROR(Found(instance.audiences().GetAudience(id, read).status(),
                          {"audience", absl::StrCat("filter.audiences[", i, "]"), id}));
  }
  return absl::OkStatus();
}

}  // namespace passerelle
