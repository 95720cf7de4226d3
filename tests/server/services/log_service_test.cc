#include "passerelle/v1/log_service.grpc.pb.h"
#include "passerelle/v1/source_service.grpc.pb.h"
#include "tests/server/services/population.h"

namespace passerelle {
namespace {

using Logs = v1::LogService::Stub;
using Sources = v1::SourceService::Stub;
constexpr char kSource[] = "instances/default/sources/out";
constexpr char kConsumer[] = "instances/default/sources/out/consumers/default";

class LogServiceTest : public PopulationTest {
 protected:
  Answer<v1::Delivery> CreateDelivery(const std::string& id, const std::string& audience = "") {
    v1::CreateDeliveryRequest request;
    request.set_parent(kInstance);
    request.set_delivery_id(id);
    request.mutable_delivery()->set_channel("email");
    if (!audience.empty()) request.mutable_delivery()->add_audiences(audience);
    return Call(&Logs::CreateDelivery, request);
  }
  // Sends `messages` messages of a delivery; the first is clicked.
  std::string Append(const std::string& delivery, int messages) {
    v1::BatchAppendLogsRequest request;
    request.set_parent(kInstance);
    for (int i = 1; i <= messages; ++i) {
      v1::LogEntry* row = request.add_rows();
      row->set_kind(v1::LOG_KIND_DELIVERY);
      row->set_delivery(delivery);
      row->set_broadlog_id(i);
      row->set_status(v1::DELIVERY_STATUS_SENT);
    }
    v1::LogEntry* click = request.add_rows();
    click->set_kind(v1::LOG_KIND_TRACKING);
    click->set_delivery(delivery);
    click->set_broadlog_id(1);
    click->set_tracking_log_id(1);
    click->set_tracking_kind(v1::TRACKING_KIND_CLICK);
    const auto appended = Call(&Logs::BatchAppendLogs, request);
    EXPECT_EQ(Told(appended), "OK");
    return appended->commit_token();
  }
  Answer<v1::DeliveryReport> Report(const std::string& name, const std::string& token = "") {
    v1::GetDeliveryReportRequest request;
    request.set_name(std::string(kInstance) + "/" + name);
    request.set_commit_token(token);
    return Call(&Logs::GetDeliveryReport, request);
  }
  Answer<google::protobuf::Empty> DeleteDelivery(const std::string& id) {
    v1::DeleteDeliveryRequest request;
    request.set_name(std::string(kInstance) + "/deliveries/" + id);
    return Call(&Logs::DeleteDelivery, request);
  }
  static v1::CreateSourceRequest NewSource() {
    v1::CreateSourceRequest request;
    request.set_parent(kInstance);
    request.set_source_id("out");
    request.mutable_source()->set_schema(v1::LOG_KIND_DELIVERY);
    return request;
  }
  Answer<v1::Source> CreateSource(const v1::CreateSourceRequest& request) {
    return Call(&Sources::CreateSource, request);
  }
  Answer<v1::Consumer> GetConsumer() {
    v1::GetConsumerRequest request;
    request.set_name(kConsumer);
    return Call(&Sources::GetConsumer, request);
  }
  Answer<v1::Consumer> Acknowledge(const std::string& cursor) {
    v1::AcknowledgeRequest request;
    request.set_name(kConsumer);
    request.set_cursor(cursor);
    return Call(&Sources::Acknowledge, request);
  }
  Answer<v1::Consumer> Seek(const v1::SeekRequest& target) {
    v1::SeekRequest request = target;
    request.set_name(kConsumer);
    return Call(&Sources::Seek, request);
  }
  static v1::SeekRequest ToEnd() {
    v1::SeekRequest request;
    request.set_end(true);
    return request;
  }
  Answer<v1::Source> PauseSource() {
    v1::PauseSourceRequest request;
    request.set_name(kSource);
    return Call(&Sources::PauseSource, request);
  }
  Answer<google::protobuf::Empty> DeleteSource() {
    v1::DeleteSourceRequest request;
    request.set_name(kSource);
    return Call(&Sources::DeleteSource, request);
  }
};

TEST_F(LogServiceTest, ADeliveryIsCreatedReadUpdatedListedAndDeleted) {
  EXPECT_EQ(Told(CreateDelivery("spring", "none")),
            "FIELD_INVALID: delivery.audiences[0]: got 'none', wanted an audience that exists");
  const auto created = CreateDelivery("spring");
  ASSERT_TRUE(created.ok()) << Told(created);
  EXPECT_EQ(ReasonOf(CreateDelivery("spring")), "RESOURCE_ALREADY_EXISTS");
  v1::UpdateDeliveryRequest update;
  *update.mutable_delivery() = created.value;
  update.mutable_delivery()->set_campaign("2026");
  EXPECT_EQ(Call(&Logs::UpdateDelivery, update)->campaign(), "2026");
  EXPECT_EQ(ReasonOf(Call(&Logs::UpdateDelivery, update)), "ETAG_MISMATCH");
  update.mutable_delivery()->clear_etag();
  update.mutable_delivery()->set_channel("sms");
  EXPECT_EQ(Told(Call(&Logs::UpdateDelivery, update)),
            "FIELD_IMMUTABLE: delivery.channel: cannot be changed");
  v1::ListDeliveriesRequest list;
  list.set_parent(kInstance);
  EXPECT_EQ(Call(&Logs::ListDeliveries, list)->deliveries_size(), 1);
  v1::CreateDeliveryRequest without;
  without.set_parent(kInstance);
  without.set_delivery_id("x");
  without.mutable_delivery();
  EXPECT_EQ(Told(Call(&Logs::CreateDelivery, without)),
            "FIELD_REQUIRED: delivery.channel: is required");
  EXPECT_EQ(Told(DeleteDelivery("spring")), "OK");
  EXPECT_EQ(ReasonOf(DeleteDelivery("spring")), "RESOURCE_NOT_FOUND");
}

TEST_F(LogServiceTest, ADeliveryWithRowsOrASourceCannotBeDeleted) {
  ASSERT_TRUE(CreateDelivery("sent").ok());
  ASSERT_TRUE(CreateDelivery("named").ok());
  Append("sent", 1);
  auto source = NewSource();
  source.mutable_source()->add_deliveries("named");
  ASSERT_EQ(Told(CreateSource(source)), "OK");
  EXPECT_EQ(InfoOf(DeleteDelivery("sent").status).metadata().at("dependents"), "2 log rows");
  EXPECT_EQ(InfoOf(DeleteDelivery("named").status).metadata().at("dependents"), "sources/out");
}

TEST_F(LogServiceTest, AReportCountsMessagesOfADeliveryAndOfAnAudience) {
  Populate(1);
  ASSERT_TRUE(CreateDelivery("a", "vip").ok());
  ASSERT_TRUE(CreateDelivery("b", "vip").ok());
  Append("a", 4);
  const std::string token = Append("b", 2);
  const auto one = Report("deliveries/a", token);
  ASSERT_TRUE(one.ok()) << Told(one);
  EXPECT_EQ(one->sent(), 4);
  EXPECT_EQ(one->processed(), 4);
  EXPECT_EQ(one->distinct_clicks(), 1);
  EXPECT_EQ(one->distinct_opens(), 1);
  EXPECT_DOUBLE_EQ(one->click_rate(), 0.25);
  EXPECT_DOUBLE_EQ(one->reactivity(), 1);
  EXPECT_EQ(one->name(), "instances/default/deliveries/a");
  const auto both = Report("audiences/vip");
  EXPECT_EQ(both->sent(), 6) << Told(both);
  EXPECT_EQ(both->deliveries_size(), 2);
  EXPECT_EQ(both->log_rows(), 8);
  EXPECT_EQ(ReasonOf(Report("deliveries/none")), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Report("audiences/none")), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Report("sources/a")), "NAME_INVALID");
}

TEST_F(LogServiceTest, PagesOfLogsHoldEveryMatchingRowOnceInOrder) {
  ASSERT_TRUE(CreateDelivery("a").ok());
  ASSERT_TRUE(CreateDelivery("b").ok());
  Append("a", 5);
  Append("b", 2);
  v1::ListLogsRequest request;
  request.set_parent(kInstance);
  request.mutable_filter()->add_deliveries("a");
  request.mutable_filter()->add_kinds(v1::LOG_KIND_DELIVERY);
  request.set_page_size(2);
  int64_t last = 0;
  int rows = 0;
  do {
    const auto page = Call(&Logs::ListLogs, request);
    ASSERT_TRUE(page.ok()) << Told(page);
    for (const auto& row : page->rows()) {
      EXPECT_GT(row.sequence(), last);
      EXPECT_EQ(row.delivery(), "a");
      EXPECT_EQ(row.broadlog_id(), ++rows);
      last = row.sequence();
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(rows, 5);
  const auto first = Call(&Logs::ListLogs, request);
  request.set_page_token(first->next_page_token());
  request.mutable_filter()->add_deliveries("b");
  EXPECT_EQ(ReasonOf(Call(&Logs::ListLogs, request)), "PAGE_TOKEN_INVALID");
  request.clear_page_token();
  request.mutable_filter()->mutable_start_time()->set_seconds(20);
  request.mutable_filter()->mutable_end_time()->set_seconds(20);
  EXPECT_EQ(Told(Call(&Logs::ListLogs, request)),
            "FIELD_INVALID: filter.end_time: not after start_time, wanted a later time: it is "
            "exclusive");
}

TEST_F(LogServiceTest, TheSchemaTellsTheFieldsOfItsLog) {
  v1::GetSchemaRequest request;
  request.set_parent(kInstance);
  EXPECT_EQ(Told(Call(&Logs::GetSchema, request)), "FIELD_REQUIRED: schema: is required");
  request.set_schema(v1::LOG_KIND_DELIVERY);
  const auto delivery = Call(&Logs::GetSchema, request);
  ASSERT_TRUE(delivery.ok()) << Told(delivery);
  EXPECT_EQ(delivery->version(), 1);
  EXPECT_EQ(delivery->fields(0).name(), "sequence");
  const auto* entry = v1::LogEntry::descriptor();
  for (const auto& field : delivery->fields()) {
    EXPECT_NE(entry->FindFieldByName(field.name()), nullptr) << field.name();
    EXPECT_NE(field.name(), "tracking_kind");
  }
}

TEST_F(LogServiceTest, ASourceIsMadeWithItsDefaultConsumerAndDeletedWithItOncePaused) {
  const auto created = CreateSource(NewSource());
  ASSERT_TRUE(created.ok()) << Told(created);
  EXPECT_EQ(ReasonOf(CreateSource(NewSource())), "RESOURCE_ALREADY_EXISTS");
  EXPECT_EQ(GetConsumer()->name(), kConsumer);
  EXPECT_EQ(ReasonOf(DeleteSource()), "NOT_PAUSED");
  EXPECT_EQ(PauseSource()->state(), v1::Source::STATE_PAUSED);
  EXPECT_EQ(Told(DeleteSource()), "OK");
  EXPECT_EQ(Told(GetConsumer()), std::string("RESOURCE_NOT_FOUND: ") + kSource + ": not found");
}

TEST_F(LogServiceTest, EveryRuleOfASourceIsToldByItsField) {
  auto request = NewSource();
  request.mutable_source()->add_deliveries("none");
  EXPECT_EQ(Told(CreateSource(request)),
            "FIELD_INVALID: source.deliveries[0]: got 'none', wanted a delivery that exists");
  request = NewSource();
  request.mutable_source()->add_audiences("none");
  EXPECT_EQ(Told(CreateSource(request)),
            "FIELD_INVALID: source.audiences[0]: got 'none', wanted an audience that exists");
  request = NewSource();
  request.mutable_source()->add_fields()->set_field("tracking_kind");
  EXPECT_EQ(ReasonOf(CreateSource(request)), "FIELD_INVALID");
  request = NewSource();
  auto* field = request.mutable_source()->add_fields();
  field->set_field("status");
  field->set_rename("kind");
  EXPECT_EQ(Told(CreateSource(request)),
            "FIELD_INVALID: source.fields[0].rename: got 'kind', which another field goes out "
            "under");
  request = NewSource();
  request.mutable_source()->clear_schema();
  EXPECT_EQ(Told(CreateSource(request)), "FIELD_REQUIRED: source.schema: is required");
}

TEST_F(LogServiceTest, AConsumerMovesForwardByAcknowledgeAndAnywhereBySeek) {
  ASSERT_TRUE(CreateDelivery("a").ok());
  Append("a", 3);
  ASSERT_TRUE(CreateSource(NewSource()).ok());
  const auto start = GetConsumer();
  EXPECT_EQ(start->acknowledged_sequence(), 0);
  EXPECT_GE(start->lag(), 4);
  const auto end = Seek(ToEnd());
  ASSERT_TRUE(end.ok()) << Told(end);
  EXPECT_EQ(end->lag(), 0);
  EXPECT_TRUE(end->has_acknowledge_time());
  EXPECT_EQ(Acknowledge(start->cursor())->acknowledged_sequence(), end->acknowledged_sequence());
  v1::SeekRequest back;
  back.set_cursor(start->cursor());
  EXPECT_EQ(Seek(back)->lag(), start->lag());
  EXPECT_EQ(Acknowledge(end->cursor())->lag(), 0);
  v1::SeekRequest by_time;
  by_time.mutable_append_time()->set_seconds(1);
  EXPECT_EQ(Seek(by_time)->lag(), 4);
  v1::SeekRequest first;
  first.set_beginning(true);
  EXPECT_EQ(Seek(first)->lag(), start->lag());
  EXPECT_EQ(Told(Seek({})), "FIELD_REQUIRED: target: is required");
  v1::SeekRequest untrue;
  untrue.set_beginning(false);
  EXPECT_EQ(ReasonOf(Seek(untrue)), "FIELD_INVALID");
}

TEST_F(LogServiceTest, CursorsOfAnotherFilterAndMadeUpOnesAreRefused) {
  ASSERT_TRUE(CreateDelivery("a").ok());
  ASSERT_TRUE(CreateSource(NewSource()).ok());
  const std::string cursor = GetConsumer()->cursor();
  EXPECT_EQ(ReasonOf(Acknowledge("made up")), "CURSOR_INVALID");
  EXPECT_EQ(Told(Acknowledge("")), "FIELD_REQUIRED: cursor: is required");
  v1::UpdateSourceRequest update;
  update.mutable_source()->set_name(kSource);
  update.mutable_source()->add_deliveries("a");
  ASSERT_EQ(Told(Call(&Sources::UpdateSource, update)), "OK");
  EXPECT_EQ(ReasonOf(Acknowledge(cursor)), "CURSOR_MISMATCH");
  EXPECT_EQ(Told(Acknowledge(GetConsumer()->cursor())), "OK");
  update.mutable_source()->set_schema(v1::LOG_KIND_TRACKING);
  EXPECT_EQ(ReasonOf(Call(&Sources::UpdateSource, update)), "FIELD_IMMUTABLE");
}

TEST_F(LogServiceTest, ConsumersAreCreatedListedAndDeleted) {
  v1::CreateConsumerRequest create;
  create.set_parent(kSource);
  create.set_consumer_id("second");
  EXPECT_EQ(Told(Call(&Sources::CreateConsumer, create)),
            std::string("RESOURCE_NOT_FOUND: ") + kSource + ": not found");
  ASSERT_TRUE(CreateSource(NewSource()).ok());
  ASSERT_EQ(Told(Call(&Sources::CreateConsumer, create)), "OK");
  EXPECT_EQ(ReasonOf(Call(&Sources::CreateConsumer, create)), "RESOURCE_ALREADY_EXISTS");
  v1::ListConsumersRequest list;
  list.set_parent(kSource);
  EXPECT_EQ(Call(&Sources::ListConsumers, list)->consumers_size(), 2);
  v1::DeleteConsumerRequest remove;
  remove.set_name(std::string(kSource) + "/consumers/second");
  remove.set_etag("1");
  EXPECT_EQ(ReasonOf(Call(&Sources::DeleteConsumer, remove)), "ETAG_MISMATCH");
  remove.clear_etag();
  EXPECT_EQ(Told(Call(&Sources::DeleteConsumer, remove)), "OK");
  EXPECT_EQ(ReasonOf(Call(&Sources::DeleteConsumer, remove)), "RESOURCE_NOT_FOUND");
}

TEST_F(LogServiceTest, SettingOneOfBothPinsEndsTheOther) {
  ASSERT_TRUE(CreateSource(NewSource()).ok());
  v1::UpdateConsumerRequest an_hour;
  an_hour.mutable_consumer()->set_name(kConsumer);
  an_hour.mutable_consumer()->mutable_max_pin()->set_seconds(3'600);
  an_hour.mutable_update_mask()->add_paths("max_pin");
  v1::UpdateConsumerRequest forever;
  forever.mutable_consumer()->set_name(kConsumer);
  forever.mutable_consumer()->set_pin_forever(true);
  forever.mutable_update_mask()->add_paths("pin_forever");
  ASSERT_EQ(Told(Call(&Sources::UpdateConsumer, an_hour)), "OK");
  const auto for_ever = Call(&Sources::UpdateConsumer, forever);
  ASSERT_TRUE(for_ever.ok()) << Told(for_ever);
  EXPECT_TRUE(for_ever->pin_forever() && !for_ever->has_max_pin());
  const auto for_an_hour = Call(&Sources::UpdateConsumer, an_hour);
  ASSERT_TRUE(for_an_hour.ok()) << Told(for_an_hour);
  EXPECT_TRUE(for_an_hour->has_max_pin() && !for_an_hour->pin_forever());
  forever.mutable_consumer()->set_pin_forever(false);
  EXPECT_TRUE(Call(&Sources::UpdateConsumer, forever)->has_max_pin()) << "that ends nothing";
  forever.mutable_consumer()->set_pin_forever(true);
  *forever.mutable_consumer()->mutable_max_pin() = an_hour.consumer().max_pin();
  EXPECT_TRUE(Call(&Sources::UpdateConsumer, forever)->pin_forever()) << "max_pin is not named";
  forever.mutable_update_mask()->add_paths("max_pin");
  EXPECT_EQ(Told(Call(&Sources::UpdateConsumer, forever)),
            "FIELD_INVALID: consumer.max_pin: got it with pin_forever, wanted one of them");
}

TEST_F(LogServiceTest, AConsumerSaysHowLongRowsWaitForIt) {
  ASSERT_TRUE(CreateSource(NewSource()).ok());
  EXPECT_EQ(GetConsumer()->state(), v1::Consumer::STATE_UNUSED);
  EXPECT_FALSE(GetConsumer()->has_max_pin());
  v1::UpdateConsumerRequest update;
  update.mutable_consumer()->set_name(kConsumer);
  update.mutable_consumer()->mutable_max_pin()->set_seconds(3'600);
  const auto an_hour = Call(&Sources::UpdateConsumer, update);
  ASSERT_TRUE(an_hour.ok()) << Told(an_hour);
  EXPECT_EQ(an_hour->max_pin().seconds(), 3'600);
  update.mutable_consumer()->set_pin_forever(true);
  EXPECT_EQ(Told(Call(&Sources::UpdateConsumer, update)),
            "FIELD_INVALID: consumer.max_pin: got it with pin_forever, wanted one of them");
  update.mutable_consumer()->clear_max_pin();
  EXPECT_TRUE(Call(&Sources::UpdateConsumer, update)->pin_forever());
  update.mutable_consumer()->clear_pin_forever();
  const auto as_the_server = Call(&Sources::UpdateConsumer, update);
  EXPECT_FALSE(as_the_server->pin_forever() || as_the_server->has_max_pin());
  update.mutable_consumer()->mutable_max_pin()->set_seconds(0);
  EXPECT_EQ(ReasonOf(Call(&Sources::UpdateConsumer, update)), "FIELD_INVALID");
  v1::CreateConsumerRequest create;
  create.set_parent(kSource);
  create.set_consumer_id("patient");
  create.mutable_consumer()->set_pin_forever(true);
  EXPECT_TRUE(Call(&Sources::CreateConsumer, create)->pin_forever());
}

}  // namespace
}  // namespace passerelle
