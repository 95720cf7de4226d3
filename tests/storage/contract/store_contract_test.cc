#include <filesystem>
#include <string>

#include "tests/storage/contract/profile_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;

class WholeStoreContract : public ProfileContractBase {
 protected:
  static Instance Named(const std::string& id) {
    Instance instance;
    instance.id = id;
    instance.display_name = "Instance " + id;
    instance.time_zone = "Europe/Paris";
    instance.default_region = "FR";
    return instance;
  }
  std::string FolderOf(const std::string& id) const {
    return std::filesystem::path(FilePath("")).parent_path().parent_path() / id;
  }
};
PASSERELLE_CONTRACT(WholeStoreContract);

const RefusalOf kMissing{StatusCode::kNotFound, Reason::kNotFound};
const RefusalOf kClosed{StatusCode::kUnavailable, Reason::kStoreClosed};

TEST_P(WholeStoreContract, ANewStoreHasTheInstanceDefaultAndOnlyAtItsFirstStart) {
  ASSERT_TRUE(store().CreateInstance(Named("one"), {}).ok());
  EXPECT_TRUE(store().GetInstance("default").ok());
  ASSERT_TRUE(store().DeleteInstance("default", {}).ok());
  instance_.reset();
  store_.reset();
  auto again = GetParam().open(options_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Refused((*again)->GetInstance("default")), kMissing);
  EXPECT_TRUE((*again)->GetInstance("one").ok());
}

TEST_P(WholeStoreContract, AnInstanceIsKeptListedAndUpdated) {
  const auto created = store().CreateInstance(Named("one"), {});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->value.create_us, now_us());
  EXPECT_EQ(created->position.file, 'c');
  EXPECT_EQ(Refused(store().CreateInstance(Named("one"), {})),
            (RefusalOf{StatusCode::kAlreadyExists, Reason::kAlreadyExists}));
  Instance changed = created->value;
  changed.display_name = "Other";
  AdminWrite write;
  write.etag = "other";
  EXPECT_EQ(Refused(store().UpdateInstance(changed, write)).reason, Reason::kEtagMismatch);
  write.etag = created->value.etag;
  ASSERT_TRUE(store().UpdateInstance(changed, write).ok());
  EXPECT_EQ(Refused(store().UpdateInstance(Named("nobody"), {})), kMissing);
  ReopenAsAfterACrash();
  const auto kept = store().GetInstance("one");
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->display_name, "Other");
  EXPECT_EQ(kept->time_zone, "Europe/Paris");
  EXPECT_EQ(kept->default_region, "FR");
  auto page = store().ListInstances({"", 1});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->items[0].id, "default");
  page = store().ListInstances({page->next, 1});
  EXPECT_EQ(page->items[0].id, "one");
  EXPECT_EQ(page->next, "");
}

TEST_P(WholeStoreContract, CreationIsRepeatableByRequestAndValidated) {
  AdminWrite write;
  write.validate_only = true;
  ASSERT_TRUE(store().CreateInstance(Named("one"), write).ok());
  EXPECT_EQ(Refused(store().GetInstance("one")), kMissing);
  EXPECT_FALSE(std::filesystem::exists(FolderOf("one")));
  write.validate_only = false;
  write.request = RequestKey{"r", "CreateInstance", "payload"};
  ASSERT_TRUE(store().CreateInstance(Named("one"), write).ok());
  EXPECT_EQ(store().CreateInstance(Named("one"), write)->value.id, "one");
}

TEST_P(WholeStoreContract, InstancesShareNothing) {
  ASSERT_TRUE(store().CreateInstance(Named("one"), {}).ok());
  const auto one = store().OpenInstance("one");
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ((*one)->id(), "one");
  EXPECT_EQ((*one)->schema().schema()->FindAttribute("city"), nullptr);
  EXPECT_NE((*one)->schema().schema()->FindNamespace("email"), nullptr);
  EXPECT_EQ(store().OpenInstance("one")->get(), one->get()) << "opened once";
  EXPECT_EQ(Refused(store().OpenInstance("nobody")), kMissing);
}

TEST_P(WholeStoreContract, ADeletedInstanceIsGoneAndWhoHoldsItIsTold) {
  ASSERT_TRUE(store().CreateInstance(Named("one"), {}).ok());
  const auto one = *store().OpenInstance("one");
  ASSERT_TRUE(store().DeleteInstance("one", {}).ok());
  EXPECT_EQ(Refused(store().OpenInstance("one")), kMissing);
  EXPECT_EQ(Refused(one->streams().GetStream("s", {})), kClosed);
  EXPECT_EQ(Refused(one->schema().CreateAttribute({}, {})), kClosed);
  EXPECT_FALSE(std::filesystem::exists(FolderOf("one")));
  EXPECT_EQ(Refused(store().DeleteInstance("one", {})), kMissing);
  ASSERT_TRUE(store().CreateInstance(Named("one"), {}).ok()) << "the id is free again";
  EXPECT_TRUE(store().OpenInstance("one").ok());
}

TEST_P(WholeStoreContract, AnInstanceWithActiveFlowsIsNotDeleted) {
  Destination destination;
  destination.id = "d";
  ASSERT_TRUE(instance().flows().CreateDestination(destination, {}).ok());
  const auto refused = store().DeleteInstance("default", {});
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kFailedPrecondition, Reason::kInUse}));
  EXPECT_EQ(Detail(refused, "dependents"), "destinations/d");
  ASSERT_TRUE(instance().flows().SetDestinationState("d", FlowState::kPaused).ok());
  EXPECT_TRUE(store().DeleteInstance("default", {}).ok());
}

TEST_P(WholeStoreContract, AfterCloseEveryCallSaysSo) {
  EXPECT_TRUE(store().CheckReady().ok());
  ASSERT_TRUE(store().Close().ok());
  EXPECT_TRUE(store().Close().ok()) << "idempotent";
  EXPECT_EQ(Refused(store().CheckReady()), kClosed);
  EXPECT_EQ(Refused(store().OpenInstance("default")), kClosed);
  EXPECT_EQ(Refused(store().GetInstance("default")), kClosed);
  EXPECT_EQ(Refused(store().CreateInstance(Named("one"), {})), kClosed);
  EXPECT_EQ(Refused(instance().GetUsage({})), kClosed);
  EXPECT_EQ(Refused(instance().streams().Open({"s"})), kClosed);
  EXPECT_EQ(std::filesystem::file_size(FilePath("profiles.db-wal")), 0u);
}

TEST_P(WholeStoreContract, UsageCountsWhatThereIs) {
  ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")});
  ImportOne({FieldFor(city)}, {{external, "2"}}, {Text("Nice")});
  Audience audience;
  audience.id = "a";
  ASSERT_TRUE(instance().audiences().CreateAudience(audience, {}).ok());
  ASSERT_TRUE(instance().streams().Open({"s", StreamKind::kImportProfiles}).ok());
  const auto usage = instance().GetUsage({});
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_EQ(usage->profiles, 2);
  EXPECT_EQ(usage->attributes, 4);
  EXPECT_EQ(usage->identity_namespaces, 6);
  EXPECT_EQ(usage->audiences, 1);
  EXPECT_EQ(usage->write_streams, 1);
  EXPECT_GT(usage->database_bytes, 0);
}

TEST_P(WholeStoreContract, AWaitEndsWhenTheCommitIsVisible) {
  const auto written = instance().streams().Open({"l", StreamKind::kAppendLogs});
  ASSERT_TRUE(written.ok()) << written.status();
  ASSERT_EQ(written->position.file, 'l');
  ReadContext soon;
  soon.deadline = absl::Now() + absl::Seconds(20);
  const absl::Status waited = instance().WaitFor(written->position, soon);
  EXPECT_TRUE(waited.ok()) << waited;
  EXPECT_GE(instance().log_applied_sequence(), written->position.sequence);
  CommitPosition position = instance().streams().Open({"s", StreamKind::kImportProfiles})->position;
  EXPECT_TRUE(instance().WaitFor(position, {}).ok());
  position.epoch += 1;
  const RefusalOf foreign{StatusCode::kInvalidArgument, Reason::kWrongEpoch};
  EXPECT_EQ(Refused(instance().WaitFor(position, {})), foreign);
  EXPECT_EQ(Refused(instance().WaitFor({'x', 1, 1}, {})), foreign);
  EXPECT_EQ(Refused(instance().WaitFor({'p', 1, 1'000'000}, {})).reason, Reason::kBeyondEnd);
}

}  // namespace
}  // namespace passerelle::storage
