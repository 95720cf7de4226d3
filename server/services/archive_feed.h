// What the call PrivacyService.DownloadArchive sends.
#pragma once

#include <memory>

#include "passerelle/v1/privacy_service.pb.h"
#include "server/services/service_context.h"
#include "server/streams/feed.h"

namespace passerelle {

// Each step reads on where the one before ended; the archive does not change.
std::unique_ptr<FeedSourceOf<v1::DownloadArchiveResponse>> MakeArchiveFeed(
    const ServiceContext& context, const v1::DownloadArchiveRequest& request);

}  // namespace passerelle
