// Instances themselves, and their use; attributes and namespaces are in instance_schema.cc.
#include "server/services/instance_service.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/convert/instance.h"
#include "server/convert/masks.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

// Abseil takes file paths and names of its own too; only names of the IANA database pass.
bool LooksLikeTimeZone(const std::string& name) {
  if (name.empty() || !absl::ascii_isalpha(name[0]) || name == "localtime") return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '/' && c != '_' && c != '-' && c != '+') return false;
  }
  return !absl::StartsWith(name, "Fixed/");
}

absl::Status CheckTimeZone(const std::string& name) {
  absl::TimeZone zone;
  if (LooksLikeTimeZone(name) && absl::LoadTimeZone(name, &zone)) return absl::OkStatus();
  return errors::FieldInvalid(
      {"instance.time_zone",
       absl::StrCat("got ", Quoted(name), ", wanted an IANA time zone such as Europe/Paris")});
}

absl::StatusOr<storage::Instance> ReadChecked(const v1::Instance& instance, std::string id) {
  ASSIGN_OR_RETURN(storage::Instance read, ReadInstance(instance, std::move(id)));
  RETURN_IF_ERROR(CheckTimeZone(read.time_zone));
  return read;
}

}  // namespace

absl::Status InstanceService::Serve(CallContext& call, const v1::CreateInstanceRequest& request,
                                    v1::Instance* response) const {
  const std::string& id = request.instance_id();
  RETURN_IF_ERROR(CheckId(IdForm::kInstance, {"instance_id", id}));
  if (!request.has_instance()) return errors::FieldRequired("instance");
  ASSIGN_OR_RETURN(const storage::Instance wanted, ReadChecked(request.instance(), id));
  ASSIGN_OR_RETURN(const storage::AdminWrite write, CreateWrite(call, request));
  auto written = context_.store->CreateInstance(wanted, write);
  if (!written.ok()) return ForResource(written.status(), ToText(InstanceName{id}));
  *response = ToProto(written->value);
  TellCommit(context_, {id, written->position}, call);
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call, const v1::GetInstanceRequest& request,
                                    v1::Instance* response) const {
  ASSIGN_OR_RETURN(const InstanceName name, ParseInstanceName({"name", request.name()}));
  RETURN_IF_ERROR(CheckCommitToken(context_, request.commit_token()));
  const auto found = context_.store->GetInstance(name.instance);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto(*found);
  return absl::OkStatus();
}

// By its own list, so that pages and their tokens tell nothing of other instances.
absl::Status InstanceService::ListOwn(const Caller& caller, const Pager& pager,
                                      v1::ListInstancesResponse* response) const {
  std::vector<std::string> ids = caller.instances;
  std::sort(ids.begin(), ids.end());
  for (auto id = std::upper_bound(ids.begin(), ids.end(), pager.after()); id != ids.end(); ++id) {
    if (response->instances_size() == pager.limit()) {
      response->set_next_page_token(pager.Next(*std::prev(id)));
      break;
    }
    const auto found = context_.store->GetInstance(*id);
    if (storage::ReasonOf(found.status()) == storage::Reason::kNotFound) continue;
    if (!found.ok()) return found.status();
    *response->add_instances() = ToProto(*found);
  }
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call, const v1::ListInstancesRequest& request,
                                    v1::ListInstancesResponse* response) const {
  RETURN_IF_ERROR(CheckCommitToken(context_, request.commit_token()));
  ASSIGN_OR_RETURN(const Pager pager, BeginPage(context_, request, {call.method(), {}}));
  if (!call.caller().instances.empty()) return ListOwn(call.caller(), pager, response);
  ASSIGN_OR_RETURN(const auto page, context_.store->ListInstances(pager.request()));
  for (const storage::Instance& instance : page.items) {
    *response->add_instances() = ToProto(instance);
  }
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call, const v1::UpdateInstanceRequest& request,
                                    v1::Instance* response) const {
  const v1::Instance& patch = request.instance();
  ASSIGN_OR_RETURN(const InstanceName name, ParseInstanceName({"instance.name", patch.name()}));
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    ASSIGN_OR_RETURN(const storage::Instance present, context_.store->GetInstance(name.instance));
    v1::Instance merged = ToProto(present);
    RETURN_IF_ERROR(ApplyMask({"instance", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::Instance wanted, ReadChecked(merged, name.instance));
    ASSIGN_OR_RETURN(const auto written,
                     context_.store->UpdateInstance(
                         wanted, UpdateWrite({etag, present.etag}, request.validate_only())));
    *response = ToProto(written.value);
    TellCommit(context_, {name.instance, written.position}, call);
    return absl::OkStatus();
  };
  return ForResource(UpdateInTurn(patch.etag(), attempt), patch.name());
}

absl::Status InstanceService::Serve(CallContext& call, const v1::DeleteInstanceRequest& request,
                                    google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const InstanceName name, ParseInstanceName({"name", request.name()}));
  return ForResource(context_.store->DeleteInstance(name.instance, DeleteWrite(request)),
                     request.name());
}

absl::Status InstanceService::Serve(CallContext& call, const v1::GetUsageRequest& request,
                                    v1::GetUsageResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName name, ParseInstanceName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  ASSIGN_OR_RETURN(const storage::Usage usage, instance->GetUsage(call.ForReading()));
  *response = ToProto(usage);
  return absl::OkStatus();
}

}  // namespace passerelle
