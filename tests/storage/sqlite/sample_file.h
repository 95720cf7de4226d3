// A small database file in the shape that the writer expects, with one table of its own:
//   item(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, text TEXT NOT NULL CHECK(length(text) < 9))
// and requests that write to it.
#ifndef PASSERELLE_TESTS_STORAGE_SQLITE_SAMPLE_FILE_H_
#define PASSERELLE_TESTS_STORAGE_SQLITE_SAMPLE_FILE_H_

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/writer.h"

namespace passerelle::storage::sqlite {

inline constexpr char kSampleSchema[] = R"sql(
  CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  CREATE TABLE commit_log(last_seq INTEGER PRIMARY KEY, commit_us INTEGER NOT NULL) STRICT;
  CREATE TABLE item(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL,
                    text TEXT NOT NULL CHECK(length(text) < 9)) STRICT;
  INSERT INTO meta VALUES ('set_id', 'set'), ('kind', 'profiles'), ('instance_id', 'one'),
                          ('epoch', 1), ('next_seq', 1), ('last_commit_us', 0);
)sql";

inline void MakeSampleFile(const std::string& path) {
  DatabaseOptions options;
  options.path = path;
  options.access = Access::kCreate;
  auto db = OpenDatabase(options);
  ASSERT_TRUE(db.ok()) << db.status();
  (*db)->Execute(kSampleSchema);
}

// Asked on a connection of its own.
inline int64_t AskFile(const std::string& path, const char* sql) {
  DatabaseOptions options;
  options.path = path;
  return Database(options).QueryInt(sql);
}

// The items of one transaction, written in the order of their ids when it flushes.
class ItemOverlay : public TransactionOverlay {
 public:
  struct Item {
    int64_t seq;
    std::string text;
  };
  absl::Status Flush(Transaction& transaction) override {
    for (const auto& [id, item] : items) {
      StatementScope add(transaction.db().Prepared("INSERT INTO item VALUES (?1, ?2, ?3)"));
      add->BindAll(id, item.seq, item.text).Run();
    }
    return absl::OkStatus();
  }
  std::map<int64_t, Item> items;
};

// What a test saw of a request: set by Done, on the writer's thread.
struct Outcome {
  absl::Notification done;
  absl::Status status;
  CommitInfo info;
  int decided = 0;
};

// Adds item `id`; refused when the id is taken by a row or by this transaction.
class AddItem : public WriteRequest {
 public:
  AddItem(int64_t id, std::string text, std::shared_ptr<Outcome> outcome, std::string key = "")
      : id_(id), text_(std::move(text)), outcome_(std::move(outcome)), key_(std::move(key)) {}

  std::string_view queue_key() const override { return key_; }
  int64_t rows() const override { return rows_; }
  bool alone() const override { return alone_; }
  absl::Status Decide(Transaction& transaction) override {
    ++outcome_->decided;
    if (on_decide) on_decide();
    StatementScope find(transaction.db().Prepared("SELECT 1 FROM item WHERE id = ?1"));
    find->BindInt(1, id_);
    auto& items = transaction.Overlay<ItemOverlay>().items;
    if (find->Step() || items.count(id_) != 0) return absl::AlreadyExistsError("item exists");
    items[id_] = {transaction.NextSeq(), text_};
    return absl::OkStatus();
  }
  void Done(const absl::Status& status, const CommitInfo& info) override {
    if (on_done) on_done();
    outcome_->status = status;
    outcome_->info = info;
    outcome_->done.Notify();
  }

  std::function<void()> on_decide;
  std::function<void()> on_done;
  int64_t rows_ = 1;
  bool alone_ = false;

 private:
  const int64_t id_;
  const std::string text_;
  const std::shared_ptr<Outcome> outcome_;
  const std::string key_;
};

// Holds the writer inside a transaction until the test opens it, so that requests gather behind it.
class Hold {
 public:
  explicit Hold(Writer& writer) : outcome_(std::make_shared<Outcome>()) {
    auto request = std::make_unique<AddItem>(-1, "hold", outcome_);
    request->alone_ = true;
    request->on_decide = [this] {
      entered_.Notify();
      open_.WaitForNotification();
    };
    EXPECT_TRUE(writer.Submit(std::move(request)).ok());
    entered_.WaitForNotification();
  }
  void Open() { open_.Notify(); }
  void WaitUntilDone() { outcome_->done.WaitForNotification(); }

 private:
  const std::shared_ptr<Outcome> outcome_;
  absl::Notification entered_;
  absl::Notification open_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_TESTS_STORAGE_SQLITE_SAMPLE_FILE_H_
