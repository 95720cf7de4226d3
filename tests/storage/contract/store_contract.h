// The contract suites run on every backend. A suite derives from StoreContract, is a TEST_P, and
// ends with PASSERELLE_CONTRACT(Suite):
//   class SchemaContract : public StoreContract {};
//   PASSERELLE_CONTRACT(SchemaContract);
//   TEST_P(SchemaContract, ANewAttributeIsNullEverywhere) { ... }
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_STORE_CONTRACT_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_STORE_CONTRACT_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/open.h"
#include "storage/reason.h"
#include "storage/store.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage {

struct Backend {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<Store>>(const StoreOptions&)> open;
};

inline std::string BackendName(const ::testing::TestParamInfo<Backend>& info) {
  return info.param.name;
}

#define PASSERELLE_CONTRACT(Suite)                                                \
  INSTANTIATE_TEST_SUITE_P(Backends, Suite,                                       \
                           ::testing::Values(::passerelle::storage::Backend{      \
                               "Sqlite",                                          \
                               [](const ::passerelle::storage::StoreOptions& o) { \
                                 return ::passerelle::storage::OpenStore(o);      \
                               }}),                                               \
                           ::passerelle::storage::BackendName)

// Status and reason of a refusal: EXPECT_EQ(Refused(status), Refusal(kNotFound,
// Reason::kNotFound)).
struct RefusalOf {
  absl::StatusCode code;
  Reason reason;
  friend bool operator==(const RefusalOf& a, const RefusalOf& b) {
    return a.code == b.code && a.reason == b.reason;
  }
  friend std::ostream& operator<<(std::ostream& out, const RefusalOf& r) {
    return out << absl::StatusCodeToString(r.code) << "/" << static_cast<int>(r.reason);
  }
};
inline RefusalOf Refused(const absl::Status& status) { return {status.code(), ReasonOf(status)}; }
template <class T>
RefusalOf Refused(const absl::StatusOr<T>& result) {
  return Refused(result.status());
}
// The value of a metadata key of a refusal; empty when absent.
inline std::string Detail(const absl::Status& status, std::string_view key) {
  for (const auto& [name, value] : MetadataOf(status)) {
    if (name == key) return value;
  }
  return "";
}

// A store in a directory of its own, its instance `default`, and a clock that the test moves.
class StoreContract : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override { Open(); }

  // Opens, or closes and opens again.
  void Open() { OpenAt(directory_.path()); }

  // Goes on with what is on disk at this moment, as after a crash: nothing is closed or flushed
  // first.
  void ReopenAsAfterACrash() {
    const std::string image = directory_.File("image" + std::to_string(++images_));
    std::filesystem::create_directory(image);
    std::filesystem::copy(current_ + "/store", image + "/store",
                          std::filesystem::copy_options::recursive);
    OpenAt(image);
  }

  void OpenAt(const std::string& path) {
    instance_.reset();
    store_.reset();
    current_ = path;
    options_.directory = path;
    options_.readers_per_file = 2;
    options_.cache_bytes_per_writer = int64_t{4} << 20;
    options_.clock = [this] { return Look(); };
    auto store = GetParam().open(options_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    auto instance = store_->OpenInstance("default");
    ASSERT_TRUE(instance.ok()) << instance.status();
    instance_ = *std::move(instance);
  }

  Store& store() { return *store_; }
  InstanceStore& instance() { return *instance_; }
  int64_t now_us() const { return clock_us_.load(); }
  void Advance(absl::Duration by) { clock_us_ += absl::ToInt64Microseconds(by); }
  std::string FilePath(const std::string& name) const {
    return current_ + "/store/instances/default/" + name;
  }

  // Calls `submit(done)` and waits for what done is given.
  template <class T = WriteAck>
  absl::StatusOr<T> Await(const std::function<absl::Status(Done<T>&)>& submit) {
    absl::StatusOr<T> result = absl::UnknownError("done was not called");
    absl::Notification called;
    Done<T> done = [&](absl::StatusOr<T> given) {
      result = std::move(given);
      called.Notify();
    };
    const absl::Status taken = submit(done);
    if (!taken.ok()) return taken;
    called.WaitForNotification();
    return result;
  }

  // Asks, until it is so or a minute is over.
  static bool Becomes(const std::function<bool()>& so) {
    for (const absl::Time until = absl::Now() + absl::Seconds(60); absl::Now() < until;) {
      if (so()) return true;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return so();
  }

  // Waits until nothing is left to do in the background.
  void Settle() {
    ReadContext context;
    context.deadline = absl::Now() + absl::Seconds(60);
    const absl::Status settled = instance().WaitForBackground(context);
    ASSERT_TRUE(settled.ok()) << settled;
  }

  // Waits until rounds of housekeeping that began after the call have ended in both files of the
  // instance. Where the period is short, and nobody else writes meanwhile: a writer looks at the
  // clock for each of its transactions, and once more in each round.
  void LetItTidy() {
    Settle();
    {
      const std::lock_guard<std::mutex> lock(looks_mutex_);
      looks_.clear();
    }
    ASSERT_TRUE(Becomes([this] { return WritersThatLookedTenTimes() >= 2; }));
    Settle();
  }

  AttributeNumber AddAttribute(const std::string& id, AttributeType type,
                               std::optional<Consent> consent = std::nullopt) {
    Attribute attribute;
    attribute.id = id;
    attribute.type = type;
    attribute.consent = std::move(consent);
    auto created = instance().schema().CreateAttribute(attribute, {});
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->value.number : AttributeNumber{};
  }
  NamespaceNumber Namespace(std::string_view id) {
    const auto schema = instance().schema().schema();
    const IdentityNamespace* ns = schema->FindNamespace(id);
    return ns == nullptr ? NamespaceNumber{} : ns->number;
  }

  TempDirectory directory_;
  StoreOptions options_;
  std::atomic<int64_t> clock_us_{int64_t{1'700'000'000} * 1'000'000};
  // The store looks at the clock until it is closed, which members before these outlive.
  std::mutex looks_mutex_;
  std::map<std::thread::id, int64_t> looks_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<InstanceStore> instance_;

 private:
  absl::Time Look() {
    const std::lock_guard<std::mutex> lock(looks_mutex_);
    ++looks_[std::this_thread::get_id()];
    return absl::FromUnixMicros(now_us());
  }
  int64_t WritersThatLookedTenTimes() {
    const std::lock_guard<std::mutex> lock(looks_mutex_);
    int64_t writers = 0;
    for (const auto& [thread, looks] : looks_) {
      if (thread != std::this_thread::get_id() && looks >= 10) ++writers;
    }
    return writers;
  }

  std::string current_;
  int images_ = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_STORE_CONTRACT_H_
