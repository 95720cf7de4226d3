// The whole behaviour in memory, written from the words of the design and of storage/*.h and as
// simply as possible: maps and loops, nothing remembered that can be worked out again. It shares
// no code with the store or the server.
//
// One file per family of operations: model_schema.cc, model_plan.cc, model_profiles.cc,
// model_members.cc, model_streams.cc, model_logs.cc, model_consumers.cc, model_reads.cc,
// model_retention.cc, model_erase.cc.
#ifndef PASSERELLE_TESTS_MODEL_MODEL_H_
#define PASSERELLE_TESTS_MODEL_MODEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/words.h"

namespace passerelle::model {

using Identity = std::pair<std::string, std::string>;  // namespace, value

struct Timed {
  Value value{true, ""};
  std::optional<int64_t> time_us;
};

struct Person {
  bool known = false;
  std::map<std::string, Timed> values;  // by Attribute::key
};

struct Attribute {
  AttributeSpec spec;
  std::string key;  // another one each time an id is used again
};

struct Member {
  bool realized = false;
  int64_t at_us = 0;
  bool pushed = false;  // by a push; false: a record of the replace that made the generation
};

struct Staging {
  std::string stream;
  int64_t as_of_us = 0;
  double max_refused_percent = 1;
  int64_t records = 0;
  int64_t touched_us = 0;
  std::map<int, Member> members;
};

struct List {
  bool exists = true;
  int64_t as_of_us = INT64_MIN;
  std::map<int, Member> members;
  std::optional<Staging> staging;
};

struct Destination {
  int number = 0;
  int revision = 0;
  bool paused = false;
  DestinationSpec spec;
};

struct PlanField {
  std::string name;
  std::string attribute;  // key
  std::string identity;
  std::string policy = "SET";
  bool mandatory = false;
  bool consent = false;
};

// What a batch is written by: made when a stream is opened or a unary batch arrives.
struct Plan {
  Kind kind = Kind::kImport;
  std::string destination;
  int destination_number = 0;
  int revision = 0;
  std::vector<PlanField> fields;
  std::map<std::string, int> audiences;  // source_id -> list
  std::set<std::string> namespaces;
};

struct Session {
  std::string stream;
  int64_t epoch = 0;
  Plan plan;
  std::string ended;  // over the wire: how the server ended the call
};

struct Stream {
  Kind kind = Kind::kImport;
  std::string target;
  int64_t epoch = 0;
  int64_t next = 0;
  std::string token;
  bool finished = false;
  std::map<std::string, int64_t> totals;
  std::vector<Row> rows;  // as they were sent
  std::vector<Entry> entries;
  std::vector<std::pair<int64_t, RowAnswer>> outcomes;  // with the time of their commit
  int64_t used_us = 0;
  bool expired = false;
  // Replaces.
  std::string audience;
  int list = 0;
  int64_t as_of_us = 0;
  double max_refused_percent = 1;
};

struct Request {
  std::string payload;
  Ack ack;
  int64_t at_us = 0;
};

struct DeliveryState {
  std::string channel, purpose;
  std::vector<std::string> audiences;
};

struct Logged {
  Entry entry;
  int64_t event_us = 0;
  int64_t append_us = 0;
  int person = 0;
  bool gone = false;  // past its time; reports go on counting it
};

// Of the log; what it has read are so many rows from the first one on.
struct Reader {
  size_t position = 0;
  bool for_ever = false;  // retention waits for it without end
  bool used = false;
  bool expired = false;
  int64_t sought_us = 0;  // it does not expire within a day after that
};

struct Note {
  int list = 0;
  Operation question;
  std::set<int> members;
  std::map<int, std::string> copy;
  int64_t at_us = 0;  // of the commit it shows
  bool gone = false;  // past its time
};

// All there is; copied where a batch may have to be undone.
struct World {
  std::map<std::string, Attribute> attributes;
  int attributes_made = 0;
  std::set<std::string> namespaces;
  std::map<std::string, int> audiences;  // id -> list
  std::map<int, List> lists;
  int numbers = 0;
  std::map<std::string, Destination> destinations;
  std::map<int, Person> people;
  int people_made = 0;
  struct Owner {
    int person = 0;
    bool derived = false;
  };
  std::map<Identity, Owner> owners;
  struct Pending {
    int64_t at_us = 0;
    int person = 0;  // whom the identity was of when it came; 0: nobody
  };
  // By identity, then by channel and purpose.
  std::map<Identity, std::map<std::pair<std::string, std::string>, Pending>> pending_opt_outs;
  struct Errors {
    int counted = 0;
    int64_t counted_us = 0, last_us = 0;
    bool quarantined = false;
  };
  std::map<Identity, std::map<std::string, Errors>> bounces;  // by channel
  std::map<std::string, Stream> streams;
  std::map<std::string, Session> sessions;
  int64_t epochs = 0;
  std::map<std::string, Request> requests;
  std::map<std::string, DeliveryState> deliveries;
  std::vector<Logged> log;
  std::map<std::string, Reader> readers;
  std::map<std::string, Note> notes;
  // By delivery; whoever else a later row names, they stay so.
  std::set<std::pair<std::string, int64_t>> erased_messages;
  std::set<Identity> buried;  // of those who were erased; hashes instead of clear addresses
  size_t journal_seen = 0;
  int64_t profiles_us = 0;  // of the last commit
  int64_t logs_us = 0;
};

class Model : public System {
 public:
  // `wire`: with what the server adds to the store (it looks at destinations when a call is opened,
  // and ends the calls of one that changes) and what it does not tell. `times` must outlive it.
  Model(const TimeText& times, bool wire);

  // Fills in what an operation takes from the present state: offsets, records to send again,
  // which fields can be written. What has nothing to work on becomes kNothing.
  void Prepare(Operation& op) const;

  // Rows that got an outcome, and those among them that were not refused.
  int64_t received() const { return received_; }
  int64_t applied() const { return applied_; }

 private:
  void Begin(const Operation& op) override { now_us_ = op.at_us; }

  // model_schema.cc
  std::string ChangeAttribute(const Operation& op) override;
  std::string CreateAttribute(const Operation& op);
  std::string UpdateAttribute(const Operation& op);
  std::string DeleteAttribute(const Operation& op);
  std::string ChangeNamespace(const Operation& op) override;
  std::string ChangeAudience(const Operation& op) override;
  std::string CheckMappings(const DestinationSpec& spec) const;
  void MakeAudiences(const DestinationSpec& spec);
  std::string ChangeDestination(const Operation& op) override;
  std::string CreateDestination(const Operation& op);
  std::string UpdateDestination(const Operation& op);
  void ExitUnmapped(const DestinationSpec& before, const DestinationSpec& after);
  std::string SetPaused(const Operation& op);
  std::string DeleteDestination(const Operation& op);
  void EndSessions(const std::string& destination, const std::string& answer);
  std::string ChangeDelivery(const Operation& op) override;

  // model_plan.cc
  std::string MakePlan(const Operation& op, Plan& plan) const;
  std::string CheckPlan(const Plan& plan, const std::string& stream) const;

  // model_profiles.cc
  std::string Batch(const Operation& op) override;
  void DecideRows(const Plan& plan, const Operation& op, int64_t first, Ack& ack);
  RowAnswer DecideRow(const Plan& plan, const Row& row);
  bool IsRefusedAlone(const Plan& plan, const Row& row, RowAnswer& answer) const;
  // 0: nobody; -1: several.
  int Match(const Plan& plan, const Row& row) const;
  std::string IdentityInUse(const Plan& plan, const Row& row, int person) const;
  void ImportRow(const Plan& plan, const Row& row, int person, RowAnswer& answer);
  void SyncRow(const Plan& plan, const Row& row, int person, RowAnswer& answer);
  bool IsInScope(const Plan& plan, int person) const;
  int Create(const std::map<std::string, std::string>& identities);
  bool Give(int person, const Identity& identity, bool derived);
  void ApplyPending(int person, const Identity& identity);
  struct Written {
    bool changed = false;
    int applied = 0;
  };
  Written WriteFields(const Plan& plan, const Row& row, int person, bool in_scope,
                      RowAnswer& answer);
  enum class Effect { kLeftAlone, kStale, kSame, kChanged };
  Effect WriteValue(Timed& stored, const PlanField& field, const Value& value,
                    std::optional<int64_t> event_us) const;
  bool ChangeIdentity(int person, const Identity& identity);
  void OptOut(int person, const std::string& channel, const std::string& purpose, int64_t at_us);
  std::vector<std::string> ConsentsOptedOut(const std::string& channel,
                                            const std::string& purpose) const;
  std::string DeleteProfile(const Operation& op) override;
  void RemovePerson(int person);
  int Find(const Identity& identity) const;

  // model_erase.cc
  std::string Erase(const Operation& op) override;
  void EraseAnew();
  bool IsBuried(const Identity& identity) const;
  bool IsSuppressed(const Plan& plan, const Row& row) const;
  void Bury(const std::set<Identity>& identities);
  void ForgetAddresses(const std::set<int>& gone);
  void ClearLog(const std::set<int>& gone);
  void ClearMessage(const std::string& delivery, int64_t message);

  // model_members.cc
  void PushRow(const Plan& plan, const Row& row, int person, RowAnswer& answer);
  enum class Move { kEntered, kLeft, kSame, kStale };
  Move Push(List& list, int person, bool realized, int64_t at_us);
  Move Stage(List& list, int person, std::optional<int64_t> at_us);
  static bool IsCarriedOver(const List& list, const Member& member, int64_t as_of_us);
  std::string BeginReplace(const Operation& op, Stream& stream);
  std::string PublishReplace(const std::string& id, Stream& stream);
  void EmptyList(List& list);
  void DropOldStagings();
  Staging* StagingOf(const std::string& stream);

  // model_streams.cc
  std::string Open(const Operation& op) override;
  std::string OpenAgain(const Operation& op, Stream& stream);
  std::string Send(const Operation& op) override;
  std::string Judge(const Session& session, const Operation& op, int64_t& known) const;
  std::string Finish(const Operation& op) override;
  std::string Leave(const Operation& op) override;
  std::string DeleteStream(const Operation& op) override;
  std::string Abandon(const Operation& op) override;
  std::string TextOfStream(const Stream& stream) const;
  void PrepareSend(Operation& op) const;
  void RestrictRows(Kind kind, const std::set<std::string>& namespaces,
                    const std::set<std::string>& fields, std::vector<Row>& rows) const;
  // The audience that a destination knows by that id; empty: none.
  std::string AudienceOf(const std::string& destination, const std::string& source_id) const;

  // model_logs.cc
  RowAnswer AppendRow(const Entry& entry);
  void ApplyOptOut(const DeliveryState& delivery, const Logged& of_whom, int64_t at_us);
  void ApplyBounce(const std::string& channel, const Entry& failed, const Identity& of_whom,
                   int64_t at_us);
  bool IsQuarantined(int person, const std::string& channel) const;
  const Logged* NamedRow(const Entry& entry) const;
  void RevisitPending();
  std::string ReadReport(const Operation& op) override;
  std::string ReadLogs(const Operation& op) override;
  std::string Shown(const Logged& row) const;

  // model_consumers.cc
  std::string ChangeConsumer(const Operation& op) override;
  std::string Consume(const Operation& op) override;
  std::string Seek(const Operation& op) override;
  std::string StateOf(const Reader& reader, int64_t us) const;
  size_t RowsGone() const;
  // The first row that a consumer has not read; nullptr: it has read all.
  const Logged* NextOf(const Reader& reader) const;
  void ExpireConsumers();
  void SweepLog();

  // model_reads.cc
  std::string ReadProfiles() override;
  std::string ReadMembers(const Operation& op) override;
  std::string CheckReach(const Operation& question) const;
  std::string Counts(const List& list) const;
  std::string TakeNote(const Operation& op) override;
  std::string ReadNoted(const Operation& op) override;
  std::string Follow(const Operation& op) override;
  std::string ReadStreams() override;
  std::string ReadOutcomes(const Operation& op) override;
  std::string ReadFlows() override;
  std::string Exclusion(int person, const Operation& question) const;
  std::string Shown(int person, const Operation& question) const;
  std::map<int, std::string> Output(const List& list, const Operation& question) const;

  // model_retention.cc
  std::string Restart(const Operation& op) override;
  std::string Jump(const Operation& op) override;
  std::string Backup() override;
  std::string Restore() override;
  void PassTime(int64_t by_us);
  // What a server does that is started again.
  void Reopen();
  // What is past its time goes when a store is opened.
  void Sweep();
  void SweepStream(Stream& stream) const;

  int64_t ProfilesCommit();
  int64_t LogsCommit();

  const TimeText& times_;
  const bool wire_;
  int64_t now_us_ = 0;
  int64_t commit_us_ = 0;  // of the operation in progress
  World world_;
  std::unique_ptr<const World> saved_;       // by the last backup
  std::vector<std::set<Identity>> journal_;  // of erasures; no backup takes it back
  int64_t received_ = 0;
  int64_t applied_ = 0;
};

// "CODE REASON detail"
std::string Refuse(const std::string& code, const std::string& reason,
                   const std::string& detail = "");
bool IsDevice(const std::string& ns);
// The namespace of the hash of an identity; empty: none.
std::string DerivedNamespace(const std::string& ns);

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_MODEL_H_
