// Deliveries.
#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

using ::absl::StatusCode;
using O = std::vector<Outcome>;

class DeliveryContract : public LogContractBase {};
PASSERELLE_CONTRACT(DeliveryContract);

TEST_P(DeliveryContract, ADeliveryIsReadBackAsItWasMade) {
  const Delivery made = AddDelivery("summer", {"women", "men"}, "email", "offers");
  const auto read = logs().GetDelivery("summer", {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->number, made.number);
  EXPECT_EQ(read->display_name, "The summer");
  EXPECT_EQ(read->channel, "email");
  EXPECT_EQ(read->purpose, "offers");
  EXPECT_EQ(read->audiences, (std::vector<std::string>{"women", "men"}));
  EXPECT_EQ(read->create_us, now_us());
  EXPECT_EQ(read->etag, made.etag);
  EXPECT_EQ(Refused(logs().GetDelivery("winter", {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(DeliveryContract, ADeliveryIsMadeOnce) {
  AddDelivery("summer");
  Delivery again;
  again.id = "summer";
  EXPECT_EQ(Refused(logs().CreateDelivery(again, {})),
            (RefusalOf{StatusCode::kAlreadyExists, Reason::kAlreadyExists}));
}

TEST_P(DeliveryContract, AnUpdateKeepsTheChannelAndChecksTheEtag) {
  Delivery delivery = AddDelivery("summer", {"women"});
  const std::string old_etag = delivery.etag;
  Advance(absl::Seconds(5));
  delivery.display_name = "Sale";
  delivery.channel = "sms";
  delivery.purpose = "offers";
  delivery.audiences = {"men"};
  AdminWrite write;
  write.etag = old_etag;
  const auto updated = logs().UpdateDelivery(delivery, write);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->value.channel, "email");
  EXPECT_EQ(updated->value.display_name, "Sale");
  EXPECT_EQ(updated->value.update_us, now_us());
  EXPECT_NE(updated->value.etag, old_etag);
  EXPECT_EQ(logs().GetDelivery("summer", {})->audiences, std::vector<std::string>{"men"});
  EXPECT_EQ(Refused(logs().UpdateDelivery(delivery, write)),
            (RefusalOf{StatusCode::kAborted, Reason::kEtagMismatch}));
}

TEST_P(DeliveryContract, ValidateOnlyChangesNothing) {
  Delivery delivery;
  delivery.id = "summer";
  AdminWrite write;
  write.validate_only = true;
  EXPECT_TRUE(logs().CreateDelivery(delivery, write).ok());
  EXPECT_EQ(logs().GetDelivery("summer", {}).status().code(), StatusCode::kNotFound);
}

TEST_P(DeliveryContract, ADeliveryInUseIsNotDeletedAndOneThatIsNotIs) {
  AddDelivery("summer");
  EXPECT_EQ(Refused(logs().DeleteDelivery("summer", {"nightly"}, {})),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kInUse}));
  ASSERT_TRUE(logs().DeleteDelivery("summer", {}, {}).ok());
  EXPECT_EQ(Outcomes({Sent(1)}), O{Outcome::kRejected});
  const Delivery again = AddDelivery("summer");
  EXPECT_EQ(Outcomes({Sent(1)}), O{Outcome::kAppended});
  const auto refused = logs().DeleteDelivery("summer", {}, {});
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kFailedPrecondition, Reason::kInUse}));
  EXPECT_EQ(Detail(refused.status(), "dependents"), "1 log rows");
}

TEST_P(DeliveryContract, ANumberIsNeverUsedForASecondDelivery) {
  const DeliveryNumber first = AddDelivery("summer").number;
  ASSERT_TRUE(logs().DeleteDelivery("summer", {}, {}).ok());
  EXPECT_NE(AddDelivery("summer").number, first);
}

TEST_P(DeliveryContract, DeliveriesAreListedByIdInPagesAndByAudience) {
  for (const char* id : {"c", "a", "d", "b"}) AddDelivery(id, {id[0] < 'c' ? "women" : "men"});
  PageRequest request;
  request.limit = 3;
  const auto first = logs().ListDeliveries(request, {});
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->items.size(), 3u);
  EXPECT_EQ(first->items[0].id, "a");
  EXPECT_EQ(first->items[2].audiences, std::vector<std::string>{"men"});
  request.after = first->next;
  const auto second = logs().ListDeliveries(request, {});
  ASSERT_EQ(second->items.size(), 1u);
  EXPECT_EQ(second->next, "");
  EXPECT_EQ(*logs().DeliveriesOfAudience("women", {}), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(logs().DeliveriesOfAudience("nobody", {})->empty());
}

}  // namespace
}  // namespace passerelle::storage
