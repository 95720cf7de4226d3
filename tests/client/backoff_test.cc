#include "passerelle/backoff.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "passerelle/error.h"

namespace passerelle::client {
namespace {

absl::Status Overloaded(absl::Duration retry_after) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(retry_after)));
  google::rpc::ErrorInfo info;
  info.set_domain("passerelle");
  info.set_reason("OVERLOADED");
  google::rpc::Status details;
  details.set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
  details.add_details()->PackFrom(info);
  details.add_details()->PackFrom(retry);
  return FromGrpc({grpc::StatusCode::RESOURCE_EXHAUSTED, "busy", details.SerializeAsString()});
}

TEST(BackoffTest, WaitsAtLeastAsLongAsTheServerAsks) {
  Backoff backoff(absl::Minutes(1));
  const auto wait = backoff.WaitAfter(Overloaded(absl::Milliseconds(700)));
  ASSERT_TRUE(wait.has_value());
  EXPECT_GE(*wait, absl::Milliseconds(700));
  EXPECT_LE(*wait, absl::Milliseconds(875));
}

TEST(BackoffTest, WaitsLongerAndLongerUnderALastingOverloadUntilSomethingGotOn) {
  Backoff backoff(absl::Minutes(1));
  const absl::Status busy = Overloaded(absl::Milliseconds(100));
  absl::Duration longest;
  for (int i = 0; i < 10; ++i) longest = std::max(longest, *backoff.WaitAfter(busy));
  EXPECT_GE(longest, absl::Seconds(3));
  backoff.Progressed();
  EXPECT_LE(*backoff.WaitAfter(busy), absl::Milliseconds(125));
}

TEST(BackoffTest, AFinalStatusIsNotTriedAgain) {
  Backoff backoff(absl::Minutes(1));
  EXPECT_FALSE(backoff.WaitAfter(absl::InvalidArgumentError("no")).has_value());
}

TEST(BackoffTest, GivesUpWhenNothingGotOnForTooLong) {
  Backoff backoff(absl::ZeroDuration());
  EXPECT_FALSE(backoff.WaitAfter(Overloaded(absl::Milliseconds(1))).has_value());
}

}  // namespace
}  // namespace passerelle::client
