// The real server over the wire: does operations through the public API and answers in the model's
// words.
//
// One file per family of operations: wire_schema.cc, wire_rows.cc, wire_streams.cc, wire_reads.cc.
// One thread.
#ifndef PASSERELLE_TESTS_MODEL_WIRE_SYSTEM_H_
#define PASSERELLE_TESTS_MODEL_WIRE_SYSTEM_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passerelle/client.h"
#include "tests/model/wire_server.h"
#include "tests/model/words.h"

namespace passerelle::model {

// An ingest call that stays open from one operation to another.
class WireSession {
 public:
  virtual ~WireSession() = default;
  virtual absl::StatusOr<v1::StreamOpened> Open(const Operation& op) = 0;
  virtual absl::StatusOr<v1::IngestAck> Send(const Operation& op) = 0;
  virtual absl::StatusOr<v1::IngestFinished> Finish(int64_t total) = 0;
};

class WireSystem : public System {
 public:
  // Starts `program` on data in `directory`. `times` must outlive it.
  WireSystem(const TimeText& times, const std::string& program, const std::string& directory);

 private:
  struct Note {
    Operation question;
    std::string end_token;
    std::map<int, std::string> copy;
  };
  // What a stream of members told.
  struct Members {
    int64_t members = 0;
    std::map<int, std::string> shown;
    std::vector<int> gone;
    std::map<std::string, int64_t> excluded;
    std::string end_token;
  };

  void Connect();
  std::string Restart(const Operation& op) override;
  std::string Backup() override;
  std::string Restore() override;
  std::string ChangeAttribute(const Operation& op) override;
  std::string ChangeAudience(const Operation& op) override;
  std::string ChangeDestination(const Operation& op) override;
  std::string ChangeDelivery(const Operation& op) override;
  std::string DeleteProfile(const Operation& op) override;
  std::string ReadFlows() override;

  std::string Batch(const Operation& op) override;
  absl::StatusOr<v1::BatchResult> CallBatch(const Operation& op);
  void LearnProfiles();
  // Reads of profiles afterwards show what logs up to this commit caused.
  void AwaitFollower(const std::string& commit_token);

  std::string Open(const Operation& op) override;
  std::string Send(const Operation& op) override;
  std::string Finish(const Operation& op) override;
  std::string Leave(const Operation& op) override;
  std::string DeleteStream(const Operation& op) override;
  std::string ReadStreams() override;
  std::string ReadOutcomes(const Operation& op) override;

  std::string ReadProfiles() override;
  absl::StatusOr<Members> StreamMembers(const Operation& question, const std::string& since);
  void ReadBatch(const Operation& question, const v1::StreamMembersResponse::Batch& batch,
                 Members& members);
  absl::StatusOr<std::string> Counts(const Operation& op);
  std::string ReadMembers(const Operation& op) override;
  std::string TakeNote(const Operation& op) override;
  std::string Follow(const Operation& op) override;
  v1::LogFilter FilterOf(const Operation& op) const;
  template <class Rows>
  void TellRows(const Rows& rows, std::string& text) const;
  std::string ReadLogs(const Operation& op) override;
  std::string ExportLogs(const Operation& op);
  std::string ReadReport(const Operation& op) override;
  int NameOf(int64_t profile) const;

  const TimeText& times_;
  WireServer server_;
  std::unique_ptr<client::Client> client_;
  std::map<std::string, std::unique_ptr<WireSession>> sessions_;
  std::map<std::string, int64_t> epochs_;
  std::map<std::string, Note> notes_;
  std::map<int64_t, int> names_, saved_names_;
  std::string backup_;  // the folder of the last one
  int backups_ = 0;
};

inline constexpr char kInstance[] = "instances/default";
std::string NameOf(const char* collection, const std::string& id);
google::protobuf::Timestamp WireTime(int64_t us);
// What follows the last '/'.
std::string IdOf(const std::string& name);
std::string WireText(const absl::Status& status);
RowAnswer AnswerOf(const v1::RowOutcome& row);
template <class Counts>
std::map<std::string, int64_t> CountsOf(const Counts& counts) {
  std::map<std::string, int64_t> told;
  for (const v1::OutcomeCount& count : counts) {
    if (count.rows() != 0) told[v1::Outcome_Name(count.outcome()).substr(8)] = count.rows();
  }
  return told;
}

std::unique_ptr<WireSession> MakeSession(client::Client& client, Kind kind);
// The type that values of a field have: string, int64, double or bool.
std::string TypeOfField(const std::string& field);
void FillEntry(const Entry& entry, v1::LogEntry* row);
void FillRow(const Row& row, v1::ProfileRow* wire);

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_WIRE_SYSTEM_H_
