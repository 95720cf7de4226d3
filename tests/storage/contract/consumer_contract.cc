// Consumers of sources.
#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

using ::absl::StatusCode;

class ConsumerContract : public LogContractBase {};
PASSERELLE_CONTRACT(ConsumerContract);

TEST_P(ConsumerContract, AConsumerMovesForwardByAcknowledgingAndAnywhereBySeeking) {
  AddDelivery("summer");
  Append({Sent(1), Sent(2), Sent(3)});
  const auto made = logs().CreateConsumer("nightly", "default", {}, {});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->value.acknowledged_sequence, 0);
  EXPECT_EQ(made->value.acknowledge_us, 0);
  const auto rows = ReadToEnd().rows;
  const int64_t second = rows[1].row.sequence;
  Advance(absl::Seconds(1));
  const auto moved = logs().Acknowledge("nightly", "default", second);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->value.lag, 1);
  EXPECT_EQ(moved->value.acknowledge_us, now_us());
  EXPECT_EQ(logs().Acknowledge("nightly", "default", second - 1)->value.acknowledged_sequence,
            second);
  EXPECT_EQ(logs().Seek("nightly", "default", 0)->value.acknowledged_sequence, 0);
  const int64_t end = logs().Bounds({})->end;
  EXPECT_EQ(logs().Acknowledge("nightly", "default", end)->value.lag, 0);
  Open();
  EXPECT_EQ(logs().GetConsumer("nightly", "default", {})->acknowledged_sequence, end);
}

TEST_P(ConsumerContract, AConsumerCannotStandWhereNothingWasGivenOut) {
  ASSERT_TRUE(logs().CreateConsumer("nightly", "default", {}, {}).ok());
  const RefusalOf beyond{StatusCode::kOutOfRange, Reason::kBeyondEnd};
  const int64_t end = logs().Bounds({})->end;
  EXPECT_EQ(Refused(logs().Acknowledge("nightly", "default", end + 1)), beyond);
  EXPECT_EQ(Refused(logs().Seek("nightly", "default", end + 1)), beyond);
  EXPECT_EQ(Refused(logs().Seek("nightly", "default", -1)), beyond);
  EXPECT_EQ(Refused(logs().Seek("nightly", "other", 0)),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(ConsumerContract, ConsumersBelongToTheirSource) {
  for (const char* id : {"b", "default", "a"}) {
    ASSERT_TRUE(logs().CreateConsumer("nightly", id, {}, {}).ok());
  }
  ASSERT_TRUE(logs().CreateConsumer("hourly", "default", {}, {}).ok());
  EXPECT_EQ(Refused(logs().CreateConsumer("nightly", "a", {}, {})),
            (RefusalOf{StatusCode::kAlreadyExists, Reason::kAlreadyExists}));
  PageRequest request;
  request.limit = 2;
  const auto page = logs().ListConsumers("nightly", request, {});
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->next, "b");
  ASSERT_TRUE(logs().DeleteConsumer("nightly", "a").ok());
  EXPECT_EQ(logs().DeleteConsumer("nightly", "a").status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(logs().DeleteConsumersOf("nightly").ok());
  EXPECT_TRUE(logs().ListConsumers("nightly", {}, {})->items.empty());
  EXPECT_TRUE(logs().GetConsumer("hourly", "default", {}).ok());
}

}  // namespace
}  // namespace passerelle::storage
