// Deliveries, log lists and reports here; appends and exports are those of log_append.h and
// log_export.h.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/log_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/log_append.h"
#include "server/services/log_export.h"
#include "server/services/service_context.h"

namespace passerelle {

// ExportLogs sends messages that it encodes itself, so gRPC hands over bytes in both directions.
class LogService final
    : public v1::LogService::WithRawCallbackMethod_ExportLogs<v1::LogService::CallbackService> {
 public:
  LogService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerBidiReactor<v1::AppendLogsRequest, v1::AppendLogsResponse>* AppendLogs(
      grpc::CallbackServerContext* context) override {
    return passerelle::AppendLogs(context_, door_, context);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ExportLogs(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) override {
    return passerelle::ExportLogs(context_, door_, context, *request);
  }
  grpc::ServerUnaryReactor* BatchAppendLogs(grpc::CallbackServerContext* context,
                                            const v1::BatchAppendLogsRequest* request,
                                            v1::BatchResult* response) override {
    return Run(context, "LogService/BatchAppendLogs", request, response, Pool::kLong);
  }
  grpc::ServerUnaryReactor* CreateDelivery(grpc::CallbackServerContext* context,
                                           const v1::CreateDeliveryRequest* request,
                                           v1::Delivery* response) override {
    return Run(context, "LogService/CreateDelivery", request, response);
  }
  grpc::ServerUnaryReactor* GetDelivery(grpc::CallbackServerContext* context,
                                        const v1::GetDeliveryRequest* request,
                                        v1::Delivery* response) override {
    return Run(context, "LogService/GetDelivery", request, response);
  }
  grpc::ServerUnaryReactor* ListDeliveries(grpc::CallbackServerContext* context,
                                           const v1::ListDeliveriesRequest* request,
                                           v1::ListDeliveriesResponse* response) override {
    return Run(context, "LogService/ListDeliveries", request, response);
  }
  grpc::ServerUnaryReactor* UpdateDelivery(grpc::CallbackServerContext* context,
                                           const v1::UpdateDeliveryRequest* request,
                                           v1::Delivery* response) override {
    return Run(context, "LogService/UpdateDelivery", request, response);
  }
  grpc::ServerUnaryReactor* DeleteDelivery(grpc::CallbackServerContext* context,
                                           const v1::DeleteDeliveryRequest* request,
                                           google::protobuf::Empty* response) override {
    return Run(context, "LogService/DeleteDelivery", request, response);
  }
  grpc::ServerUnaryReactor* ListLogs(grpc::CallbackServerContext* context,
                                     const v1::ListLogsRequest* request,
                                     v1::ListLogsResponse* response) override {
    return Run(context, "LogService/ListLogs", request, response, Pool::kLong);
  }
  grpc::ServerUnaryReactor* GetSchema(grpc::CallbackServerContext* context,
                                      const v1::GetSchemaRequest* request,
                                      v1::LogSchema* response) override {
    return Run(context, "LogService/GetSchema", request, response);
  }
  grpc::ServerUnaryReactor* GetDeliveryReport(grpc::CallbackServerContext* context,
                                              const v1::GetDeliveryReportRequest* request,
                                              v1::DeliveryReport* response) override {
    return Run(context, "LogService/GetDeliveryReport", request, response);
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

  absl::Status Serve(CallContext& call, const v1::CreateDeliveryRequest& request,
                     v1::Delivery* response) const;
  absl::Status Serve(CallContext& call, const v1::GetDeliveryRequest& request,
                     v1::Delivery* response) const;
  absl::Status Serve(CallContext& call, const v1::ListDeliveriesRequest& request,
                     v1::ListDeliveriesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateDeliveryRequest& request,
                     v1::Delivery* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteDeliveryRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::BatchAppendLogsRequest& request,
                     v1::BatchResult* response) const;
  absl::Status Serve(CallContext& call, const v1::ListLogsRequest& request,
                     v1::ListLogsResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::GetSchemaRequest& request,
                     v1::LogSchema* response) const;
  absl::Status Serve(CallContext& call, const v1::GetDeliveryReportRequest& request,
                     v1::DeliveryReport* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
