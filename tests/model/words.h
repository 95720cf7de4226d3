// The plain words of the model: what an operation is, and what its answer looks like as text.
//
// Operations are data: a run is a list of them, made from a seed beforehand, so that any part of
// the list is a run too. Answers are text, the same text from the model and from what it is
// compared with. Times are microseconds since 1970.
#ifndef PASSERELLE_TESTS_MODEL_WORDS_H_
#define PASSERELLE_TESTS_MODEL_WORDS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace passerelle::model {

inline constexpr int64_t kSecondUs = 1'000'000;
inline constexpr int64_t kHourUs = 3600 * kSecondUs;

// A present value. Text of numbers and bools is their usual form; lists are JSON, dates are days
// and timestamps microseconds.
struct Value {
  bool null = false;
  std::string text;
  friend bool operator==(const Value& a, const Value& b) {
    return a.null == b.null && a.text == b.text;
  }
};

// One record of an import, a sync or a push. A field that is not in `fields` is absent.
struct Row {
  std::string key;
  std::map<std::string, std::string> identities;  // namespace -> value, normalised
  std::map<std::string, Value> fields;
  std::optional<int64_t> event_us;
  std::string bad_field;  // not empty: this field's value is one that the door refuses
  std::string audience;   // pushes: the source_id
  bool realized = true;
  std::optional<int64_t> qualified_us;
};

struct Entry {
  std::string key;
  bool tracking = false;
  std::string delivery;
  int64_t message = 0;
  int64_t tracking_id = 0;
  std::optional<int64_t> event_us;
  std::string ns;  // empty: no identity
  std::string identity;
  int status = 0;
  int failure_type = 0;
  int failure_reason = 0;
  int tracking_kind = 0;
  bool seed = false;
};

enum class Kind { kImport, kSync, kPush, kReplace, kAppend };

struct AttributeSpec {
  std::string type;  // string, int64, double, bool, timestamp, date, list
  bool read_only = false;
  bool consent = false;
  std::string channel;
  std::string purpose;
  bool opt_in_required = false;
};

struct MappingSpec {
  std::string source_field;
  std::string attribute;
  std::string identity;  // writable; then no attribute
  std::string policy;    // SET, SET_IF_EMPTY, IGNORE_NULL, CLEAR
  bool mandatory = false;
};

enum class Unknown { kReport, kCreate, kKeep };

struct DestinationSpec {
  bool audience_sync = false;
  std::vector<std::pair<std::string, std::string>> audiences;  // source_id, audience
  std::vector<MappingSpec> mappings;
  std::vector<std::string> order;
  bool first_match = false;
  Unknown on_unknown = Unknown::kReport;
  bool keep_on_unmap = false;
  bool record_applied = false;
};

enum class Verb {
  kNothing,  // what Prepare makes of an operation that has nothing to work on
  // schema and flows
  kCreateAttribute,
  kUpdateAttribute,
  kDeleteAttribute,
  kCreateNamespace,
  kDeleteNamespace,
  kCreateAudience,
  kDeleteAudience,
  kCreateDestination,
  kUpdateDestination,
  kPause,
  kResume,
  kDeleteDestination,
  kCreateDelivery,
  kUpdateDelivery,
  kDeleteDelivery,
  kCreateConsumer,
  kDeleteConsumer,
  kConsume,  // reads the next rows and acknowledges them
  kSeek,     // to the beginning, or (altered) to the end
  // rows
  kBatch,
  kDeleteProfile,
  kErase,  // whoever has the identity
  // streams
  kOpen,
  kSend,
  kFinish,
  kLeave,
  kDeleteStream,
  kAbandon,
  // the world around
  kRestart,
  kJump,
  kBackup,
  kRestore,
  // questions
  kReadProfiles,
  kReadMembers,
  kNote,
  kReadNoted,
  kFollow,
  kReadStreams,
  kReadOutcomes,
  kReadLogs,
  kReadReport,
  kReadFlows,
};

struct Operation {
  Verb verb = Verb::kNothing;
  std::string id;  // what it is about: attribute, audience, destination, stream, delivery, note
  Kind kind = Kind::kImport;
  std::string target;  // destination of a batch or stream
  AttributeSpec attribute;
  DestinationSpec destination;
  std::vector<std::string> audiences;  // of a delivery
  std::string channel, purpose;
  std::vector<std::string> fields;
  std::vector<Row> rows;
  std::vector<Entry> entries;
  std::string request_id;
  bool all_or_nothing = false;
  std::pair<std::string, std::string> identity;  // of the profile to delete or erase
  // Streams.
  std::string session;
  int resend = 0;           // so many records the stream has already come first
  int skip = 0;             // greater than 0: leaves a gap
  bool only_known = false;  // and nothing else: a late retry
  bool altered = false;     // other content; members: the first field is mandatory; follow, logs:
                            // pages break off; restart: by SIGKILL; jump:
                            // with a restart
  bool must_exist = false;
  int total_error = 0;
  std::string audience;  // of a replace, a note, a read
  std::optional<int64_t> as_of_us;
  std::optional<double> max_refused_percent;
  int64_t jump_us = 0;
  int limit = 100;  // rows a page
  // Filled by Model::Prepare.
  int64_t offset = 0;
  int64_t total = 0;
  std::string token;
  int64_t at_us = 0;  // the clock when it is done
};

// One readable line, with rows on lines of their own.
std::string Describe(const Operation& operation);
std::string Describe(const Row& row);
std::string Describe(const Entry& entry);

struct RowAnswer {
  int64_t offset = 0;
  std::string key, outcome, reason, field;
  std::set<std::string> stale, out_of_scope;
  bool created = false, membership = false, attributes = false, unknown = false;
  int person = 0;  // whose row it was; not told
};

struct Ack {
  int64_t next = 0, received = 0, known = 0;
  bool unverified = false;
  bool repeated = false;
  std::string token;
  std::map<std::string, int64_t> counts;
  std::vector<RowAnswer> rows;
};

bool IsRefusal(const std::string& outcome);
// With `every_row`, otherwise only the rows that did not simply apply.
std::string TextOf(const Ack& ack, bool every_row);
std::string TextOf(const RowAnswer& row);

// SHA-256, hexadecimal.
std::string HashOf(const std::string& value);

// How times are told: exactly, or (over the wire, where commits have the server's time) exactly
// only those that an operation gave.
struct TimeText {
  bool exact = true;
  int64_t base_us = 0;
  std::set<int64_t> given;
  std::string operator()(int64_t us) const;
};

// What answers operations: the model, the store, the server.
class System {
 public:
  virtual ~System() = default;
  // Begins it, and answers by what is there for its verb.
  std::string Do(const Operation& op);

 protected:
  static constexpr char kNothing[] = "nothing";  // the answer of what a system does not have

  // Comes first, whatever the operation is: a system with a clock of its own sets it.
  virtual void Begin(const Operation&) {}

  virtual std::string ChangeAttribute(const Operation& op) = 0;
  virtual std::string ChangeNamespace(const Operation&) { return kNothing; }
  virtual std::string ChangeAudience(const Operation& op) = 0;
  virtual std::string ChangeDestination(const Operation& op) = 0;
  virtual std::string ChangeDelivery(const Operation& op) = 0;
  virtual std::string ChangeConsumer(const Operation&) { return kNothing; }
  virtual std::string Consume(const Operation&) { return kNothing; }
  virtual std::string Seek(const Operation&) { return kNothing; }

  virtual std::string Batch(const Operation& op) = 0;
  virtual std::string DeleteProfile(const Operation& op) = 0;
  virtual std::string Erase(const Operation&) { return kNothing; }
  virtual std::string Open(const Operation& op) = 0;
  virtual std::string Send(const Operation& op) = 0;
  virtual std::string Finish(const Operation& op) = 0;
  virtual std::string Leave(const Operation& op) = 0;
  virtual std::string DeleteStream(const Operation& op) = 0;
  virtual std::string Abandon(const Operation& op) { return DeleteStream(op); }

  virtual std::string Restart(const Operation& op) = 0;
  virtual std::string Jump(const Operation&) { return kNothing; }
  virtual std::string Backup() = 0;
  virtual std::string Restore() = 0;

  virtual std::string ReadProfiles() = 0;
  virtual std::string ReadMembers(const Operation& op) = 0;
  virtual std::string TakeNote(const Operation& op) = 0;
  virtual std::string ReadNoted(const Operation&) { return kNothing; }
  virtual std::string Follow(const Operation& op) = 0;
  virtual std::string ReadStreams() = 0;
  virtual std::string ReadOutcomes(const Operation& op) = 0;
  virtual std::string ReadLogs(const Operation& op) = 0;
  virtual std::string ReadReport(const Operation& op) = 0;
  virtual std::string ReadFlows() = 0;
};

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_WORDS_H_
