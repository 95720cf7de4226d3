// Who must not be reached: the suppression list, addresses in quarantine, the denylist.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/suppression_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class SuppressionService final : public v1::SuppressionService::CallbackService {
 public:
  SuppressionService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* ImportSuppressions(grpc::CallbackServerContext* context,
                                               const v1::ImportSuppressionsRequest* request,
                                               v1::ImportSuppressionsResponse* response) override {
    return Run(context, "SuppressionService/ImportSuppressions", request, response, Pool::kLong);
  }
  grpc::ServerUnaryReactor* ListSuppressions(grpc::CallbackServerContext* context,
                                             const v1::ListSuppressionsRequest* request,
                                             v1::ListSuppressionsResponse* response) override {
    return Run(context, "SuppressionService/ListSuppressions", request, response);
  }
  grpc::ServerUnaryReactor* DeleteSuppressions(grpc::CallbackServerContext* context,
                                               const v1::DeleteSuppressionsRequest* request,
                                               v1::DeleteSuppressionsResponse* response) override {
    return Run(context, "SuppressionService/DeleteSuppressions", request, response, Pool::kLong);
  }
  grpc::ServerUnaryReactor* ListQuarantinedAddresses(
      grpc::CallbackServerContext* context, const v1::ListQuarantinedAddressesRequest* request,
      v1::ListQuarantinedAddressesResponse* response) override {
    return Run(context, "SuppressionService/ListQuarantinedAddresses", request, response);
  }
  grpc::ServerUnaryReactor* ReleaseQuarantinedAddress(
      grpc::CallbackServerContext* context, const v1::ReleaseQuarantinedAddressRequest* request,
      google::protobuf::Empty* response) override {
    return Run(context, "SuppressionService/ReleaseQuarantinedAddress", request, response);
  }
  grpc::ServerUnaryReactor* CreateDenylistEntry(grpc::CallbackServerContext* context,
                                                const v1::CreateDenylistEntryRequest* request,
                                                v1::DenylistEntry* response) override {
    return Run(context, "SuppressionService/CreateDenylistEntry", request, response);
  }
  grpc::ServerUnaryReactor* DeleteDenylistEntry(grpc::CallbackServerContext* context,
                                                const v1::DeleteDenylistEntryRequest* request,
                                                google::protobuf::Empty* response) override {
    return Run(context, "SuppressionService/DeleteDenylistEntry", request, response);
  }
  grpc::ServerUnaryReactor* ListDenylistEntries(
      grpc::CallbackServerContext* context, const v1::ListDenylistEntriesRequest* request,
      v1::ListDenylistEntriesResponse* response) override {
    return Run(context, "SuppressionService/ListDenylistEntries", request, response);
  }

 private:
  template <class Request, class Response>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const char* method,
                                const Request* request, Response* response,
                                Pool pool = Pool::kShort) {
    return door_.Unary(
        context, method, request, response,
        [this](CallContext& call, const Request& asked, Response* answer) {
          return Serve(call, asked, answer);
        },
        pool);
  }

  absl::Status Serve(CallContext& call, const v1::ImportSuppressionsRequest& request,
                     v1::ImportSuppressionsResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::ListSuppressionsRequest& request,
                     v1::ListSuppressionsResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteSuppressionsRequest& request,
                     v1::DeleteSuppressionsResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::ListQuarantinedAddressesRequest& request,
                     v1::ListQuarantinedAddressesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::ReleaseQuarantinedAddressRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::CreateDenylistEntryRequest& request,
                     v1::DenylistEntry* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteDenylistEntryRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::ListDenylistEntriesRequest& request,
                     v1::ListDenylistEntriesResponse* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
