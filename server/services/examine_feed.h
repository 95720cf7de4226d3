// What the call MaintenanceService.Examine sends.
#pragma once

#include <memory>

#include "passerelle/v1/maintenance_service.pb.h"
#include "server/services/service_context.h"
#include "server/streams/feed.h"

namespace passerelle {

// Begins the examination at the first step; each step of the feed is one of the examination.
std::unique_ptr<FeedSourceOf<v1::ExamineResponse>> MakeExamineFeed(
    const ServiceContext& context, const v1::ExamineRequest& request);

}  // namespace passerelle
