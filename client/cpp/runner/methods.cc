#include "runner/methods.h"

#include <google/protobuf/reflection.h>

#include <type_traits>
#include <utility>

#include "passerelle/pages.h"

namespace passerelle::runner {
namespace {

using client::CallOptions;
using client::Client;
using client::ListMethod;

template <typename Response, typename = void>
struct IsList : std::false_type {};
template <typename Response>
struct IsList<Response, std::void_t<decltype(std::declval<Response>().next_page_token())>>
    : std::true_type {};

// The items of one page, as JSON.
void Collect(const google::protobuf::Message& page, const std::string& items, Json* out) {
  const auto* field = page.GetDescriptor()->FindFieldByName(items);
  if (field == nullptr || !field->is_repeated()) return;
  const auto& reflection = *page.GetReflection();
  for (int i = 0; i < reflection.FieldSize(page, field); ++i) {
    out->push_back(ToJson(reflection.GetRepeatedMessage(page, field, i)));
  }
}

template <typename Stub, typename Request, typename Response>
Method MakeMethod(ListMethod<Stub, Request, Response> method) {
  Method made;
  made.call = [method](Client& client, const Json& json, const CallOptions& options) -> Json {
    Request request;
    if (absl::Status read = FromJson(json, &request); !read.ok()) {
      return InvalidUse(std::string(read.message()));
    }
    absl::StatusOr<Response> response = client.Call(method, request, options);
    if (!response.ok()) return ErrorAnswer(response.status());
    return {{"ok", {{"response", ToJson(*response)}}}};
  };
  if constexpr (IsList<Response>::value) {
    made.pages = [method](Client& client, const Json& json, const std::string& items) -> Json {
      Request request;
      if (absl::Status read = FromJson(json, &request); !read.ok()) {
        return InvalidUse(std::string(read.message()));
      }
      Json found = Json::array();
      const absl::Status status =
          client::ForEachPage(client, method, std::move(request), [&](const Response& page) {
            Collect(page, items, &found);
            return absl::OkStatus();
          });
      return status.ok() ? Json{{"ok", {{"items", found}}}} : ErrorAnswer(status);
    };
  }
  return made;
}

struct Entry {
  const char* path;
  Method method;
};

#define METHOD(service, name) \
  { "passerelle.v1." #service "/" #name, MakeMethod(&v1::service::Stub::name) }

const Entry kMethods[] = {
    METHOD(AccessService, GetCaller),
    METHOD(AccessService, CreateCredential),
    METHOD(AccessService, GetCredential),
    METHOD(AccessService, ListCredentials),
    METHOD(AccessService, UpdateCredential),
    METHOD(AccessService, RotateCredential),
    METHOD(AccessService, RevokeCredential),
    METHOD(AccessService, DeleteCredential),
    METHOD(AccessService, CreateRole),
    METHOD(AccessService, GetRole),
    METHOD(AccessService, ListRoles),
    METHOD(AccessService, UpdateRole),
    METHOD(AccessService, DeleteRole),
    METHOD(AudienceService, CreateAudience),
    METHOD(AudienceService, GetAudience),
    METHOD(AudienceService, ListAudiences),
    METHOD(AudienceService, UpdateAudience),
    METHOD(AudienceService, DeleteAudience),
    METHOD(AudienceService, CountMembers),
    METHOD(AudienceService, ListMembers),
    METHOD(AudienceSyncService, BatchPushMembers),
    METHOD(AudienceSyncService, AbandonReplace),
    METHOD(AuditService, ListAuditEntries),
    METHOD(DestinationService, CreateDestination),
    METHOD(DestinationService, GetDestination),
    METHOD(DestinationService, ListDestinations),
    METHOD(DestinationService, UpdateDestination),
    METHOD(DestinationService, DeleteDestination),
    METHOD(DestinationService, PauseDestination),
    METHOD(DestinationService, ResumeDestination),
    METHOD(InstanceService, CreateInstance),
    METHOD(InstanceService, GetInstance),
    METHOD(InstanceService, ListInstances),
    METHOD(InstanceService, UpdateInstance),
    METHOD(InstanceService, DeleteInstance),
    METHOD(InstanceService, CreateAttribute),
    METHOD(InstanceService, GetAttribute),
    METHOD(InstanceService, ListAttributes),
    METHOD(InstanceService, UpdateAttribute),
    METHOD(InstanceService, DeleteAttribute),
    METHOD(InstanceService, CreateIdentityNamespace),
    METHOD(InstanceService, GetIdentityNamespace),
    METHOD(InstanceService, ListIdentityNamespaces),
    METHOD(InstanceService, UpdateIdentityNamespace),
    METHOD(InstanceService, DeleteIdentityNamespace),
    METHOD(InstanceService, GetUsage),
    METHOD(LogService, CreateDelivery),
    METHOD(LogService, GetDelivery),
    METHOD(LogService, ListDeliveries),
    METHOD(LogService, UpdateDelivery),
    METHOD(LogService, DeleteDelivery),
    METHOD(LogService, BatchAppendLogs),
    METHOD(LogService, ListLogs),
    METHOD(LogService, GetSchema),
    METHOD(LogService, GetDeliveryReport),
    METHOD(PrivacyService, CreatePrivacyRequest),
    METHOD(PrivacyService, GetPrivacyRequest),
    METHOD(PrivacyService, ListPrivacyRequests),
    METHOD(PrivacyService, DeletePrivacyRequest),
    METHOD(ProfileService, BatchImportProfiles),
    METHOD(ProfileService, GetProfile),
    METHOD(ProfileService, BatchGetProfiles),
    METHOD(ProfileService, LookupProfile),
    METHOD(ProfileService, ListProfiles),
    METHOD(ProfileService, ExplainProfile),
    METHOD(ProfileService, DeleteProfile),
    METHOD(ProfileSyncService, BatchUpdateProfiles),
    METHOD(SourceService, CreateSource),
    METHOD(SourceService, GetSource),
    METHOD(SourceService, ListSources),
    METHOD(SourceService, UpdateSource),
    METHOD(SourceService, DeleteSource),
    METHOD(SourceService, CreateConsumer),
    METHOD(SourceService, GetConsumer),
    METHOD(SourceService, ListConsumers),
    METHOD(SourceService, UpdateConsumer),
    METHOD(SourceService, DeleteConsumer),
    METHOD(SourceService, PauseSource),
    METHOD(SourceService, ResumeSource),
    METHOD(SourceService, Acknowledge),
    METHOD(SourceService, Seek),
    METHOD(SourceService, Reconcile),
    METHOD(StreamService, GetWriteStream),
    METHOD(StreamService, ListWriteStreams),
    METHOD(StreamService, DeleteWriteStream),
    METHOD(StreamService, ListRowOutcomes),
    METHOD(SuppressionService, ImportSuppressions),
    METHOD(SuppressionService, ListSuppressions),
    METHOD(SuppressionService, DeleteSuppressions),
    METHOD(SuppressionService, ListQuarantinedAddresses),
    METHOD(SuppressionService, ReleaseQuarantinedAddress),
    METHOD(SuppressionService, CreateDenylistEntry),
    METHOD(SuppressionService, DeleteDenylistEntry),
    METHOD(SuppressionService, ListDenylistEntries),
};

#undef METHOD

}  // namespace

const Method* FindMethod(const std::string& path) {
  for (const Entry& entry : kMethods) {
    if (path == entry.path) return &entry.method;
  }
  return nullptr;
}

}  // namespace passerelle::runner
