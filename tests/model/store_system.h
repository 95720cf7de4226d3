// The real store, in process, through the interfaces of storage/: does operations and answers in
// the model's words. It does what the server does between wire and store: it resolves fields and
// audiences when a stream is opened, adds the hashes of identities, and looks up the profiles of
// log rows.
//
// One file per family of operations: store_schema.cc, store_rows.cc, store_streams.cc,
// store_reads.cc, store_consumers.cc. One thread; a clock of its own.
#ifndef PASSERELLE_TESTS_MODEL_STORE_SYSTEM_H_
#define PASSERELLE_TESTS_MODEL_STORE_SYSTEM_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/open.h"
#include "storage/store.h"
#include "tests/model/plants.h"
#include "tests/model/words.h"

namespace passerelle::model {

class StoreSystem : public System {
 public:
  // A store in `directory`, which is made and removed again. `times` must outlive it.
  StoreSystem(const TimeText& times, std::string directory, Plant plant);
  ~StoreSystem() override;
  StoreSystem(const StoreSystem&) = delete;
  StoreSystem& operator=(const StoreSystem&) = delete;

 private:
  struct Field {
    storage::FieldWrite write;
    storage::AttributeType type = storage::AttributeType::kString;
  };
  // What a stream or batch was opened with.
  struct Plan {
    Kind kind = Kind::kImport;
    storage::DestinationNumber destination;
    int64_t revision = 0;
    bool scoped = false;
    std::vector<Field> fields;
    std::vector<std::string> source_ids;
    std::vector<storage::AudienceNumber> audiences;
    std::map<std::string, storage::NamespaceNumber> namespaces;
    std::map<std::string, storage::NamespaceNumber> derived;  // by the clear namespace
  };
  struct Session {
    std::string stream;
    int64_t epoch = 0;
    Plan plan;
  };
  struct Note {
    storage::AudienceMoment moment;
    Operation question;
    std::map<int, std::string> copy;
  };
  using AckOr = absl::StatusOr<storage::WriteAck>;

  void OpenStore(const storage::Retention& retention = {});
  // Waits for what goes on in the background.
  void Settle();
  // Moves the clock on. Returns the position of a commit of the logs file before that.
  storage::CommitPosition PassTime(int64_t by_us);
  storage::CommitPosition OpenForTheClock(const std::string& stream, storage::StreamKind kind);
  void Reopen();
  // What the operation before left to the background has its time, not this one's.
  void Begin(const Operation& op) override {
    Settle();
    now_us_ = op.at_us;
  }
  std::string Jump(const Operation& op) override;
  std::string Restart(const Operation& op) override;
  std::string Backup() override;
  std::string Restore() override;
  storage::InstanceStore& instance() { return *instance_; }
  // Answers OK or the refusal.
  template <class T>
  std::string Told(const absl::StatusOr<T>& result);

  std::string ChangeAttribute(const Operation& op) override;
  std::string CreateAttribute(const Operation& op);
  std::string UpdateAttribute(const Operation& op);
  std::string DeleteAttribute(const Operation& op);
  std::string ChangeNamespace(const Operation& op) override;
  std::string ChangeAudience(const Operation& op) override;
  std::string ChangeDestination(const Operation& op) override;
  std::string ChangeDelivery(const Operation& op) override;
  std::string DeleteProfile(const Operation& op) override;
  std::string Erase(const Operation& op) override;

  absl::Status MakePlan(const Operation& op, Plan& plan);
  absl::Status AddDestination(const Operation& op, Plan& plan);
  storage::RecordBatch RecordsOf(const Plan& plan, const std::vector<Row>& rows);
  AckOr Submit(const Plan& plan, const Operation& op, storage::WriteOptions options);
  AckOr SubmitEntries(const Operation& op, storage::WriteOptions options);
  void AppendAgain(const storage::AppendBatch& batch);
  void LearnProfiles();
  std::string Batch(const Operation& op) override;

  std::string Open(const Operation& op) override;
  std::string Send(const Operation& op) override;
  std::string Finish(const Operation& op) override;
  std::string Leave(const Operation& op) override;
  std::string DeleteStream(const Operation& op) override;
  std::string ReadStreams() override;
  std::string ReadOutcomes(const Operation& op) override;

  std::string ReadProfiles() override;
  std::string ReadMembers(const Operation& op) override;
  std::string TakeNote(const Operation& op) override;
  std::string ReadNoted(const Operation& op) override;
  std::string Follow(const Operation& op) override;
  std::string ReadLogs(const Operation& op) override;
  std::string ReadReport(const Operation& op) override;
  std::string Shown(const storage::LogRow& row) const;

  void LearnRows();
  std::string StateOf(const storage::Consumer& consumer);
  std::string ChangeConsumer(const Operation& op) override;
  std::string Consume(const Operation& op) override;
  std::string Seek(const Operation& op) override;
  std::string ReadConsumers();
  std::string ReadFlows() override;
  storage::Output OutputOf(const Operation& question);
  absl::Status ReadAll(const storage::AudienceMoment& moment, const storage::Output& output,
                       int limit, storage::MemberSink sink);
  std::string ShownOf(const storage::MemberRow& row, const Operation& question);
  std::string CellText(const storage::Cell& cell, storage::AttributeType type) const;

  const TimeText& times_;
  const std::string directory_;
  std::string data_;  // in it; another one after each restore
  Planted planted_;
  std::atomic<int64_t> now_us_{0};
  std::unique_ptr<storage::Store> store_;
  std::shared_ptr<storage::InstanceStore> instance_;
  std::map<std::string, Session> sessions_;
  std::map<std::string, int64_t> epochs_;  // the greatest seen
  std::map<std::string, Note> notes_;
  // Profiles by the order in which they were made.
  struct Names {
    std::map<int64_t, int> of;
    int64_t last = 0;
    std::vector<int64_t> rows;  // sequences of log rows
  };
  Names names_, saved_names_;  // as they are, and at the last backup
  int backups_ = 0;
  int erasures_ = 0;
  int64_t restored_us_ = 0;     // when last
  std::set<int64_t> appended_;  // messages, for a planted bug
};

// "CODE REASON detail", by the public names.
std::string TextOf(const absl::Status& status);
Ack AckOf(const storage::WriteAck& ack);
RowAnswer AnswerOf(const storage::RowResult& row);

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_STORE_SYSTEM_H_
