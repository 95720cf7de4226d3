// What the call AuditService.VerifyAuditTrail sends.
#pragma once

#include <memory>

#include "passerelle/v1/audit_service.pb.h"
#include "server/services/service_context.h"
#include "server/streams/feed.h"

namespace passerelle {

// Begins at the first step; each step of the feed is one of the verification.
std::unique_ptr<FeedSourceOf<v1::VerifyAuditTrailResponse>> MakeAuditFeed(
    const ServiceContext& context, const v1::VerifyAuditTrailRequest& request);

}  // namespace passerelle
