#include "server/services/members_feed.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/convert/audience.h"
#include "server/convert/fields.h"
#include "server/convert/member_rows.h"
#include "server/convert/members_position.h"
#include "server/convert/names.h"
#include "server/convert/record_plan.h"
#include "server/convert/times.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/services/members_output.h"
#include "server/services/requests.h"
#include "server/streams/feed.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using Response = v1::StreamMembersResponse;

constexpr int32_t kDefaultBatchMembers = 1'024;
constexpr std::size_t kMessageBytes = 1024 * 1024;         // what a message aims at
constexpr std::size_t kMaxBatchBytes = 3 * kMessageBytes;  // leaves room below 4 MiB
constexpr int32_t kFirstPage = 64;                         // until the size of a member is known
constexpr char kDefaultNamespace[] = "external_id";        // what tells whom to drop

using Counts = google::protobuf::RepeatedPtrField<v1::ExcludedCount>;

// Their sum.
uint64_t AddCounts(const uint64_t (&members)[storage::kExclusions], Counts* counts) {
  uint64_t sum = 0;
  for (int reason = 1; reason < storage::kExclusions; ++reason) {
    if (members[reason] == 0) continue;
    v1::ExcludedCount* count = counts->Add();
    count->set_reason(static_cast<v1::ExclusionReason>(reason));
    count->set_members(static_cast<int64_t>(members[reason]));
    sum += members[reason];
  }
  return sum;
}

class MembersFeed final : public FeedSourceOf<Response> {
 public:
  MembersFeed(const ServiceContext& context, const v1::StreamMembersRequest& request)
      : context_(context), request_(request) {}

  int64_t rows_made() const override { return rows_made_; }
  absl::StatusOr<FeedStep> Next(const storage::ReadContext& read, Response* response) override {
    if (!opened_) {
      RETURN_IF_ERROR(Open(read));
      opened_ = true;
      return SendHeader(response);
    }
    if (ended_) return FeedStep::kEnd;
    if (place_.at_end) return SendTrailer(response);
    return place_.incremental ? ReadChanges(read, response) : ReadMembers(read, response);
  }

 private:
  absl::Status Open(const storage::ReadContext& read);
  absl::Status CheckRequest();
  absl::Status ChooseMoment(const storage::ReadContext& read);
  absl::StatusOr<MembersToken> ReadToken(const char* field, const std::string& text) const;
  absl::Status ResumeAt(const std::string& text);
  absl::Status StartAfter(const std::string& text);
  absl::Status StartChanges();
  absl::StatusOr<FeedStep> ReadMembers(const storage::ReadContext& read, Response* response);
  absl::StatusOr<FeedStep> ReadChanges(const storage::ReadContext& read, Response* response);
  MemberWriter WriterOf(Response* response) const;
  std::vector<std::string_view> NamesToDrop(const storage::MemberRow& row) const;
  void Take(const storage::MemberRow& row, MemberWriter* writer);
  void LearnSize(const MemberWriter& writer, int32_t members);
  FeedStep SendHeader(Response* response);
  FeedStep SendBatch(Response* response);
  FeedStep SendTrailer(Response* response);
  void SetResumeToken(Response* response) const;
  MembersToken TokenAt() const;

  const ServiceContext context_;
  const v1::StreamMembersRequest request_;
  bool opened_ = false;
  bool ended_ = false;
  int64_t rows_made_ = 0;  // in this call
  std::string instance_;
  std::string audience_;
  std::shared_ptr<storage::InstanceStore> stores_;
  MembersOutput output_;
  storage::AudienceMoment from_;
  storage::AudienceMoment moment_;
  MembersPosition place_;
  uint64_t request_shape_ = 0;  // resume tokens: the whole request
  uint64_t reach_shape_ = 0;    // end tokens: what decides who can be reached
  std::unique_ptr<storage::MemberChanges> changes_;
  int32_t batch_members_ = kDefaultBatchMembers;
  int32_t page_ = kFirstPage;
};

absl::Status MembersFeed::Open(const storage::ReadContext& read) {
  ASSIGN_OR_RETURN(const AudienceName name, ParseAudienceName({"audience", request_.audience()}));
  instance_ = name.instance;
  audience_ = name.id;
  RETURN_IF_ERROR(CheckRequest());
  ASSIGN_OR_RETURN(stores_, OpenInstance(context_, instance_));
  RETURN_IF_ERROR(AwaitCommit(context_, *stores_, request_.commit_token(), read));
  ASSIGN_OR_RETURN(output_, ReadMembersOutput(*stores_->schema().schema(), request_));
  return ChooseMoment(read);
}

absl::Status MembersFeed::CheckRequest() {
  const v1::Reach& reach = request_.reach();
  RETURN_IF_ERROR(CheckChannel({"reach.channel", reach.channel()}));
  RETURN_IF_ERROR(CheckPurpose({"reach.purpose", reach.purpose()}));
  const int32_t wanted = request_.max_batch_members();
  if (wanted < 0 || wanted > static_cast<int32_t>(kMaxRecordsPerMessage)) {
    return errors::FieldInvalid({"max_batch_members", absl::StrCat("got ", wanted, ", wanted 0 to ",
                                                                   kMaxRecordsPerMessage)});
  }
  if (wanted > 0) batch_members_ = wanted;
  page_ = std::min(page_, batch_members_);
  std::vector<std::string_view> shape = {reach.channel(), reach.purpose(), "mandatory"};
  for (const std::string& id : request_.mandatory_attributes()) shape.push_back(id);
  reach_shape_ = ShapeOf(shape);
  shape.push_back("attributes");
  for (const std::string& id : request_.attributes()) shape.push_back(id);
  shape.push_back("namespaces");
  for (const std::string& id : request_.identity_namespaces()) shape.push_back(id);
  request_shape_ = ShapeOf(shape);
  return absl::OkStatus();
}

// The present moment; a resumed stream then goes back to its own.
absl::Status MembersFeed::ChooseMoment(const storage::ReadContext& read) {
  auto moment = stores_->audiences().MomentOf(audience_, std::nullopt, read);
  if (storage::ReasonOf(moment.status()) == storage::Reason::kNotFound) {
    return errors::ResourceNotFound(request_.audience());
  }
  if (!moment.ok()) return moment.status();
  moment_ = *moment;
  place_.shape = request_shape_;
  if (!request_.resume_token().empty()) return ResumeAt(request_.resume_token());
  if (!request_.since_token().empty()) RETURN_IF_ERROR(StartAfter(request_.since_token()));
  ASSIGN_OR_RETURN(const storage::MemberCount count,
                   stores_->audiences().CountMembers(moment_, {}, read));
  place_.members = static_cast<uint64_t>(count.members);
  place_.commit_us = static_cast<uint64_t>(moment_.commit_us);
  return absl::OkStatus();
}

absl::StatusOr<MembersToken> MembersFeed::ReadToken(const char* field,
                                                    const std::string& text) const {
  MembersToken token;
  TokenProblem problem = context_.tokens->Decode(text, &token);
  if (problem != TokenProblem::kOk) {
    return errors::CursorInvalid({field, std::string(Describe(problem))});
  }
  problem = CheckBinding(token, TokenAt());
  if (problem == TokenProblem::kOtherEpoch) {
    return errors::StoreRestored({field, std::string(Describe(problem))});
  }
  if (problem != TokenProblem::kOk) {
    return errors::CursorMismatch({field, std::string(Describe(problem))});
  }
  if (token.seq <= static_cast<uint64_t>(moment_.sequence)) return token;
  return errors::CursorInvalid({field, "after the last change of this store"});
}

absl::Status MembersFeed::ResumeAt(const std::string& text) {
  ASSIGN_OR_RETURN(const MembersToken token, ReadToken("resume_token", text));
  MembersPosition place;
  if (!ReadPlace(token, &place)) {
    return errors::CursorInvalid({"resume_token", "an end token; hand it in as since_token"});
  }
  if (place.shape != request_shape_) {
    return errors::CursorMismatch(
        {"resume_token", std::string(Describe(TokenProblem::kOtherFilter))});
  }
  place_ = place;
  moment_.sequence = static_cast<int64_t>(token.seq);
  moment_.commit_us = static_cast<int64_t>(place.commit_us);
  if (!place.incremental) return absl::OkStatus();
  from_ = moment_;
  from_.sequence = static_cast<int64_t>(place.from_sequence);
  from_.commit_us = static_cast<int64_t>(place.from_commit_us);
  return StartChanges();
}

absl::Status MembersFeed::StartAfter(const std::string& text) {
  ASSIGN_OR_RETURN(const MembersToken token, ReadToken("since_token", text));
  MembersPosition end;
  if (!ReadEnd(token, &end)) {
    return errors::CursorInvalid({"since_token", "not the end token of a whole stream"});
  }
  if (end.shape != reach_shape_) {
    return errors::CursorMismatch(
        {"since_token", "made for another channel, purpose or mandatory attributes"});
  }
  from_ = moment_;
  from_.sequence = static_cast<int64_t>(token.seq);
  from_.commit_us = static_cast<int64_t>(end.commit_us);
  place_.incremental = true;
  place_.from_sequence = token.seq;
  place_.from_commit_us = end.commit_us;
  return StartChanges();
}

absl::Status MembersFeed::StartChanges() {
  const storage::MemberPosition position{static_cast<int32_t>(place_.phase),
                                         static_cast<int64_t>(place_.after)};
  auto changes = stores_->audiences().ReadChanges(from_, moment_, output_.asked, position);
  if (storage::ReasonOf(changes.status()) == storage::Reason::kHistoryGone) {
    return errors::CursorExpired({"since_token", "older than the changes kept; stream in full"},
                                 "");
  }
  if (!changes.ok()) return changes.status();
  changes_ = *std::move(changes);
  return absl::OkStatus();
}

absl::StatusOr<FeedStep> MembersFeed::ReadMembers(const storage::ReadContext& read,
                                                  Response* response) {
  MemberWriter writer = WriterOf(response);
  int32_t seen = 0;
  std::optional<storage::MemberPosition> cut;  // where this message ends before its page
  const auto sink = [&](const storage::MemberRow& row) {
    if (cut.has_value()) return;
    Take(row, &writer);
    ++seen;
    if (writer.bytes() >= kMessageBytes) {
      cut = storage::MemberPosition{static_cast<int32_t>(place_.phase), row.profile.value};
    }
  };
  const storage::MemberPosition position{static_cast<int32_t>(place_.phase),
                                         static_cast<int64_t>(place_.after)};
  ASSIGN_OR_RETURN(
      std::optional<storage::MemberPosition> next,
      stores_->audiences().ReadMembers(moment_, output_.asked, position, page_, sink, read));
  if (cut.has_value()) next = cut;
  MoveTo(next, &place_);
  LearnSize(writer, seen);
  return SendBatch(response);
}

absl::StatusOr<FeedStep> MembersFeed::ReadChanges(const storage::ReadContext& read,
                                                  Response* response) {
  MemberWriter writer = WriterOf(response);
  const MembersPosition start = place_;
  const int64_t rows_at_start = rows_made_;
  int32_t seen = 0;
  const auto sink = [&](const storage::MemberRow& row) {
    Take(row, &writer);
    ++seen;
  };
  ASSIGN_OR_RETURN(const std::optional<storage::MemberPosition> next,
                   changes_->Next(page_, sink, read));
  if (writer.bytes() > kMaxBatchBytes && seen > 1) {  // again from where it began, in smaller pages
    place_ = start;
    rows_made_ = rows_at_start;
    page_ = seen / 2;
    response->Clear();
    RETURN_IF_ERROR(StartChanges());
    return FeedStep::kMore;
  }
  MoveTo(next, &place_);
  LearnSize(writer, seen);
  return SendBatch(response);
}

MemberWriter MembersFeed::WriterOf(Response* response) const {
  return MemberWriter(output_.types, static_cast<int>(output_.asked.namespaces.size()),
                      response->mutable_batch());
}

// Of those who may not be reached any more only what tells whom to drop.
std::vector<std::string_view> MembersFeed::NamesToDrop(const storage::MemberRow& row) const {
  std::vector<std::string_view> names(row.identities.begin(), row.identities.end());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (output_.asked.namespaces[i] != output_.drop_by) names[i] = {};
  }
  return names;
}

void MembersFeed::Take(const storage::MemberRow& row, MemberWriter* writer) {
  const bool left = row.change == storage::MemberChange::kExited;
  const bool out_of_reach = row.exclusion != storage::Exclusion::kNone;
  const auto reason = static_cast<std::size_t>(row.exclusion);
  if (out_of_reach) ++(left ? place_.exited : place_.excluded)[reason];
  if (out_of_reach && !left) return;
  ++place_.streamed;
  ++rows_made_;
  // Who left is still to be told by name, but nothing else of them is.
  std::vector<std::string_view> names;
  if (out_of_reach) names = NamesToDrop(row);
  MemberWriter::Values values{row.identities, {}};
  if (out_of_reach) values.identities = names;
  if (!left) values.cells = row.cells;
  writer->Add({row.profile, row.qualified_us, static_cast<Response::Change>(row.change)}, values);
}

// The next page is as large as fits a message, by what a member took so far.
void MembersFeed::LearnSize(const MemberWriter& writer, int32_t members) {
  if (members == 0) return;
  const std::size_t each = writer.bytes() / static_cast<std::size_t>(members) + 1;
  const std::size_t fits = std::min<std::size_t>(kMessageBytes / each, kMaxRecordsPerMessage);
  page_ = std::clamp(static_cast<int32_t>(fits), 1, batch_members_);
}

FeedStep MembersFeed::SendHeader(Response* response) {
  Response::Header* header = response->mutable_header();
  header->set_sequence(moment_.sequence);
  SetMicros(moment_.commit_us, header->mutable_sequence_time());
  header->set_members(static_cast<int64_t>(place_.members));
  header->set_incremental(place_.incremental);
  SetResumeToken(response);
  return FeedStep::kMessage;
}

FeedStep MembersFeed::SendBatch(Response* response) {
  if (response->batch().records() == 0) return FeedStep::kMore;
  SetResumeToken(response);
  return FeedStep::kMessage;
}

FeedStep MembersFeed::SendTrailer(Response* response) {
  Response::Trailer* trailer = response->mutable_trailer();
  const uint64_t excluded = AddCounts(place_.excluded, trailer->mutable_excluded());
  AddCounts(place_.exited, trailer->mutable_exited_out_of_reach());
  trailer->set_members(static_cast<int64_t>(place_.streamed + excluded));
  trailer->set_streamed(static_cast<int64_t>(place_.streamed));
  MembersToken end = TokenAt();
  MembersPosition position;
  position.shape = reach_shape_;
  position.commit_us = static_cast<uint64_t>(moment_.commit_us);
  WriteEnd(position, &end);
  trailer->set_end_token(context_.tokens->Encode(end));
  SetResumeToken(response);
  ended_ = true;
  return FeedStep::kMessage;
}

void MembersFeed::SetResumeToken(Response* response) const {
  MembersToken token = TokenAt();
  WritePlace(place_, &token);
  response->set_resume_token(context_.tokens->Encode(token));
}

MembersToken MembersFeed::TokenAt() const {
  MembersToken token;
  token.instance = instance_;
  // The number tells an audience from a later one of the same id.
  token.audience = absl::StrCat(audience_, "/", moment_.audience.value);
  token.epoch = static_cast<uint64_t>(moment_.epoch);
  token.seq = static_cast<uint64_t>(moment_.sequence);
  return token;
}

}  // namespace

grpc::ServerWriteReactor<v1::StreamMembersResponse>* StreamMembers(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context,
    const v1::StreamMembersRequest* request) {
  return StartFeed<v1::StreamMembersResponse>(door, grpc_context,
                                              {"ActivationService/StreamMembers", request},
                                              std::make_unique<MembersFeed>(context, *request));
}

}  // namespace passerelle
