#include "server/errors.h"

#include <gtest/gtest.h>

#include <set>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/grpc_status.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

// What a client reads from an error.
struct Seen {
  google::rpc::Status status;
  google::rpc::ErrorInfo info;
  int error_infos = 0;

  template <class Detail>
  bool Find(Detail* out) const {
    for (const auto& any : status.details()) {
      if (any.UnpackTo(out)) return true;
    }
    return false;
  }
};

Seen Sent(const absl::Status& error) {
  const grpc::Status sent = ToGrpcStatus(error, "c4ll");
  Seen seen;
  EXPECT_TRUE(seen.status.ParseFromString(sent.error_details()));
  EXPECT_EQ(seen.status.code(), sent.error_code());
  EXPECT_EQ(seen.status.message(), sent.error_message());
  for (const auto& any : seen.status.details()) seen.error_infos += any.UnpackTo(&seen.info);
  EXPECT_EQ(seen.error_infos, 1);
  EXPECT_EQ(seen.info.domain(), "passerelle");
  EXPECT_EQ(seen.info.metadata().at("call_id"), "c4ll");
  return seen;
}

std::vector<absl::Status> OneOfEach() {
  using namespace errors;
  const FieldProblem problem{"f[2]", "got x, wanted y"};
  return {Internal("secret"),
          FieldRequired("f"),
          FieldInvalid(problem),
          NameInvalid(problem),
          FieldImmutable("f"),
          UnknownAttribute(problem),
          UnknownNamespace(problem),
          UnmappedField(problem),
          WrongType(problem),
          AttributeNotWritable(problem),
          EmptyBatch("batch"),
          BatchTooLarge(problem),
          ColumnMismatch(problem),
          MessageOutOfOrder("m"),
          UnreadableMessage(7),
          TotalMismatch({10, 9}),
          WrongSyncType("m"),
          AudienceNotInDestination(problem),
          AudienceNotAList("m"),
          PageTokenInvalid(problem),
          CursorInvalid(problem),
          CursorMismatch(problem),
          CursorExpired(problem, "e"),
          StoreRestored(problem),
          CommitTokenInvalid(problem),
          ResourceNotFound("r"),
          StreamNotFound("m"),
          ResourceAlreadyExists("r"),
          RequestIdReused(),
          EtagMismatch("m"),
          EpochFenced("m"),
          MappingChanged("m"),
          BatchRolledBack("m", {{"rows[3].f", "p"}}, "3"),
          ContentMismatch("m"),
          OffsetGap({200, 100}),
          StreamKindMismatch("m"),
          StreamFinished("m"),
          ConsumerExpired("m", "e"),
          BackupInProgress("m"),
          SuppressionKeyMissing("m"),
          DestinationPaused("d"),
          DestinationDeleted("d"),
          SourcePaused("s"),
          ResourceInUse("r", {"a", "b"}),
          NotPaused("d"),
          ReplaceRefused("m"),
          ReplaceInProgress("m"),
          Overloaded("m", absl::Milliseconds(1500)),
          DiskFull("m", absl::Seconds(2)),
          LimitReached(problem),
          CommitOutcomeUnknown(),
          ServerDraining(),
          StoreUnavailable("m"),
          DeadlineExceeded(),
          CallCancelled(),
          StoreDamaged("m"),
          PermissionDenied("m"),
          Unauthenticated("m")};
}

TEST(Errors, EveryReasonOfTheProtoHasAMaker) {
  std::set<std::string> made;
  for (const absl::Status& error : OneOfEach()) made.insert(PublicReasonOf(error));
  const auto* reasons = v1::ErrorReason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<v1::ErrorReason>(reasons->value(i)->number());
    if (reason == v1::ERROR_REASON_UNSPECIFIED) continue;
    EXPECT_EQ(made.count(NameOf(reason)), 1u) << NameOf(reason);
  }
}

TEST(Errors, EveryErrorLeavesWithOneErrorInfoAndAMessage) {
  for (const absl::Status& error : OneOfEach()) {
    const Seen seen = Sent(error);
    EXPECT_EQ(seen.info.reason(), PublicReasonOf(error));
    EXPECT_FALSE(seen.status.message().empty());
  }
}

TEST(Errors, TheCodeOfAReasonIsTheOneItsCommentNames) {
  EXPECT_EQ(CodeOf(v1::ERROR_REASON_OFFSET_GAP), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(v1::ERROR_REASON_TOTAL_MISMATCH), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(v1::ERROR_REASON_EPOCH_FENCED), absl::StatusCode::kAborted);
  EXPECT_EQ(CodeOf(v1::ERROR_REASON_STORE_DAMAGED), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(v1::ERROR_REASON_UNSPECIFIED), absl::StatusCode::kInternal);
}

TEST(Errors, ABadFieldIsNamedInTextAndInBadRequest) {
  const Seen seen = Sent(errors::FieldInvalid({"page_size", "got -1, wanted 0 or more"}));
  EXPECT_EQ(seen.status.message(), "page_size: got -1, wanted 0 or more");
  google::rpc::BadRequest bad;
  ASSERT_TRUE(seen.Find(&bad));
  ASSERT_EQ(bad.field_violations_size(), 1);
  EXPECT_EQ(bad.field_violations(0).field(), "page_size");
  EXPECT_EQ(bad.field_violations(0).description(), "got -1, wanted 0 or more");
}

TEST(Errors, OverloadTellsWhenToComeAgain) {
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(Sent(errors::Overloaded("busy", absl::Milliseconds(1500))).Find(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(Errors, ALimitNamesItsSubjectInQuotaFailure) {
  google::rpc::QuotaFailure failure;
  ASSERT_TRUE(Sent(errors::LimitReached({"attributes", "1,000, limit 1,000"})).Find(&failure));
  EXPECT_EQ(failure.violations(0).subject(), "attributes");
}

TEST(Errors, OffsetsAndDependentsAreMetadataToo) {
  EXPECT_EQ(Sent(errors::OffsetGap({200, 100})).info.metadata().at("next_offset"), "100");
  EXPECT_EQ(Sent(errors::UnreadableMessage(7)).info.metadata().at("next_offset"), "7");
  EXPECT_EQ(Sent(errors::ResourceInUse("r", {"a", "b"})).info.metadata().at("dependents"), "a, b");
}

TEST(Errors, InternalErrorsKeepTheirTextForTheLog) {
  const Seen seen = Sent(errors::Internal("row 7 of ada@example.com"));
  EXPECT_EQ(seen.status.message(), "internal error, call id c4ll");
}

TEST(Errors, TextThatMayBePersonalIsNotQuoted) {
  EXPECT_EQ(Quoted("instances/default"), "'instances/default'");
  EXPECT_EQ(Quoted("ada@example.com"), "text of 15 bytes");
  EXPECT_EQ(Quoted("Ada Lovelace"), "text of 12 bytes");
  EXPECT_EQ(Quoted(std::string(129, 'a')), "text of 129 bytes");
  EXPECT_EQ(Quoted(""), "''");
}

TEST(StorageErrors, OnlyAFullQueueNamesTheSettingsOfQueues) {
  using storage::Reason;
  const auto text = [](Reason reason) {
    return Sent(storage::MakeError(absl::StatusCode::kResourceExhausted, reason, "m"))
        .status.message();
  };
  EXPECT_EQ(text(Reason::kQueueFull), "m (--write-queue-rows, --write-queue-bytes)");
  EXPECT_EQ(text(Reason::kReadTooLong), "m");
}

TEST(StorageErrors, EachReasonBecomesAPublicOne) {
  using storage::Reason;
  const std::pair<Reason, const char*> pairs[] = {{Reason::kQueueFull, "OVERLOADED"},
                                                  {Reason::kDiskFull, "DISK_FULL"},
                                                  {Reason::kStoreClosed, "STORE_UNAVAILABLE"},
                                                  {Reason::kDamagedFile, "STORE_DAMAGED"},
                                                  {Reason::kConstraint, "INTERNAL"},
                                                  {Reason::kCancelled, "CALL_CANCELLED"},
                                                  {Reason::kDeadlineExceeded, "DEADLINE_EXCEEDED"}};
  for (const auto& [reason, name] : pairs) {
    EXPECT_EQ(Sent(storage::MakeError(absl::StatusCode::kUnknown, reason, "m")).info.reason(),
              name);
  }
  const Seen unknown = Sent(storage::CommitOutcomeUnknownError("profiles.db"));
  EXPECT_EQ(unknown.info.reason(), "COMMIT_OUTCOME_UNKNOWN");
  EXPECT_EQ(unknown.status.code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(StorageErrors, MetadataTravels) {
  const Seen seen = Sent(storage::MakeError(
      absl::StatusCode::kInternal, storage::Reason::kStoreFailed, "m", {{"file", "logs"}}));
  EXPECT_EQ(seen.info.metadata().at("file"), "logs");
}

TEST(StorageErrors, AStatusWithoutAReasonGetsTheNearestOne) {
  EXPECT_EQ(Sent(absl::NotFoundError("x")).info.reason(), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(Sent(absl::UnknownError("boom")).info.reason(), "INTERNAL");
  EXPECT_EQ(Sent(absl::InternalError("boom")).status.message(), "internal error, call id c4ll");
}

TEST(GrpcStatus, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus(), "c").ok()); }

TEST(GrpcStatus, HugeTextsAndDetailsAreCutToWhatClientsAccept) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "\xC3\xA9";
  const grpc::Status sent =
      ToGrpcStatus(errors::CursorExpired({text, text}, std::string(50'000, 'e')), "c4ll");
  EXPECT_LT(sent.error_message().size() + sent.error_details().size(), 6'000u);
  Sent(errors::FieldInvalid({text, "\xFF"}));
}

}  // namespace
}  // namespace passerelle
