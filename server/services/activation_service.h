// ActivationService: the use of audiences by the campaign side.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "passerelle/v1/activation_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/members_feed.h"
#include "server/services/service_context.h"

namespace passerelle {

class ActivationService final : public v1::ActivationService::CallbackService {
 public:
  // The door and what the context names outlive the service.
  ActivationService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerWriteReactor<v1::StreamMembersResponse>* StreamMembers(
      grpc::CallbackServerContext* context, const v1::StreamMembersRequest* request) override {
    return passerelle::StreamMembers(context_, door_, context, request);
  }

 private:
  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
