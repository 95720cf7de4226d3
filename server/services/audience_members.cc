// Counts and lists of members of AudienceService.
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/convert/audience.h"
#include "server/convert/fields.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/services/audience_service.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

// A page ends early when this many members were looked at (nearly all of them may be excluded).
constexpr int32_t kMaxRowsPerPage = 50'000;

// Where a list of members goes on: the moment that all its pages show, and the place within.
struct MembersPlace {
  storage::AudienceMoment moment;
  storage::MemberPosition position;
};

std::string ToKey(const MembersPlace& place) {
  return absl::StrCat(place.moment.audience.value, ".", place.moment.sequence, ".",
                      place.moment.commit_us, ".", place.moment.epoch, ".", place.position.phase,
                      ".", place.position.after);
}

bool ReadKey(const std::string& key, MembersPlace* place) {
  const std::vector<std::string> parts = absl::StrSplit(key, '.');
  return parts.size() == 6 && absl::SimpleAtoi(parts[0], &place->moment.audience.value) &&
         absl::SimpleAtoi(parts[1], &place->moment.sequence) &&
         absl::SimpleAtoi(parts[2], &place->moment.commit_us) &&
         absl::SimpleAtoi(parts[3], &place->moment.epoch) &&
         absl::SimpleAtoi(parts[4], &place->position.phase) &&
         absl::SimpleAtoi(parts[5], &place->position.after);
}

// Everything that the next page has to ask again.
std::string Repeated(const v1::ListMembersRequest& request) {
  v1::ListMembersRequest rest = request;
  rest.clear_page_size();
  rest.clear_page_token();
  rest.clear_commit_token();
  return rest.SerializeAsString();
}

template <class Request>
absl::StatusOr<storage::AudienceMoment> FindMoment(const Reading& reading, const Request& request,
                                                   const AudienceName& name) {
  std::optional<int64_t> as_of_us;
  if (request.has_as_of()) {
    ASSIGN_OR_RETURN(as_of_us, ReadTime("as_of", request.as_of()));
  }
  auto moment = reading.instance->audiences().MomentOf(name.id, as_of_us, reading.context);
  if (!moment.ok()) return ForResource(moment.status(), ToText(name));
  return moment;
}

// The first page is of `now`; a later one goes on where its token says.
absl::StatusOr<MembersPlace> StartOfPage(const storage::AudienceMoment& now, const Pager& pager) {
  MembersPlace place;
  place.moment = now;
  if (pager.after().empty()) return place;
  if (!ReadKey(pager.after(), &place) || place.moment.audience != now.audience) {
    return errors::PageTokenInvalid({"page_token", "made for another audience"});
  }
  if (place.moment.epoch != now.epoch) {
    return errors::StoreRestored({"page_token", "made before this store was restored"});
  }
  return place;
}

// Reads one page into the response; returns where the next one begins, if there is one.
absl::StatusOr<std::optional<MembersPlace>> ReadPage(const Reading& reading,
                                                     const MemberShape& shape, MembersPlace place,
                                                     int32_t limit,
                                                     v1::ListMembersResponse* response) {
  std::size_t bytes = 0;
  for (int32_t looked_at = 0; looked_at < kMaxRowsPerPage;) {
    const int32_t room = limit - response->members_size();
    if (room == 0) return place;
    bool full = false;
    const auto sink = [&](const storage::MemberRow& row) {
      ++looked_at;
      if (full) return;
      if (row.exclusion == storage::Exclusion::kNone) {
        *response->add_members() = ToProto(shape, row);
        bytes += response->members(response->members_size() - 1).ByteSizeLong();
      }
      place.position.after = row.profile.value;
      full = bytes >= kMaxPageBytes;
    };
    ASSIGN_OR_RETURN(const auto next,
                     reading.instance->audiences().ReadMembers(
                         place.moment, shape.output, place.position, room, sink, reading.context));
    if (full) return place;
    if (!next.has_value()) return std::optional<MembersPlace>();
    place.position = *next;
  }
  return place;
}

}  // namespace

absl::Status AudienceService::Serve(CallContext& call, const v1::CountMembersRequest& request,
                                    v1::CountMembersResponse* response) const {
  ASSIGN_OR_RETURN(const AudienceName name, ParseAudienceName({"name", request.name()}));
  if (request.reaches_size() > kMaxReaches) {
    return errors::FieldInvalid(
        {"reaches", absl::StrCat(request.reaches_size(), " entries, limit ", kMaxReaches)});
  }
  std::vector<storage::Output> reaches;
  for (int i = 0; i < request.reaches_size(); ++i) {
    ASSIGN_OR_RETURN(storage::Output reach,
                     ReadReach(request.reaches(i), absl::StrCat("reaches[", i, "]")));
    reaches.push_back(std::move(reach));
  }
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto schema = reading.instance->schema().schema();
  for (std::size_t i = 0; i < reaches.size(); ++i) {
    RETURN_IF_ERROR(CheckConsented(*schema, reaches[i], absl::StrCat("reaches[", i, "]")));
  }
  ASSIGN_OR_RETURN(const storage::AudienceMoment moment, FindMoment(reading, request, name));
  ASSIGN_OR_RETURN(const storage::MemberCount count,
                   reading.instance->audiences().CountMembers(moment, reaches, reading.context));
  *response = ToProto(count);
  response->set_commit_token(
      MakeCommitToken(context_, name.instance, {'p', count.moment.epoch, count.moment.sequence}));
  return absl::OkStatus();
}

absl::Status AudienceService::Serve(CallContext& call, const v1::ListMembersRequest& request,
                                    v1::ListMembersResponse* response) const {
  ASSIGN_OR_RETURN(const AudienceName name, ParseAudienceName({"parent", request.parent()}));
  if (!request.has_reach()) return errors::FieldRequired("reach");
  const std::string repeated = Repeated(request);
  ASSIGN_OR_RETURN(const Pager pager, BeginPage(context_, request, {call.method(), {repeated}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto schema = reading.instance->schema().schema();
  ASSIGN_OR_RETURN(const storage::Output output, ReadOutput(request, *schema));
  ASSIGN_OR_RETURN(const storage::AudienceMoment now, FindMoment(reading, request, name));
  ASSIGN_OR_RETURN(const MembersPlace place, StartOfPage(now, pager));
  const InstanceName instance{name.instance};
  ASSIGN_OR_RETURN(const std::optional<MembersPlace> next,
                   ReadPage(reading, {instance, output, *schema}, place, pager.limit(), response));
  if (next.has_value()) response->set_next_page_token(pager.Next(ToKey(*next)));
  response->set_sequence(place.moment.sequence);
  return absl::OkStatus();
}

}  // namespace passerelle
