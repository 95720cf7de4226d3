#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/model/generator.h"

namespace passerelle::model {
namespace {

const char* TypeOf(const std::string& attribute) {
  for (const PoolAttribute& known : AttributePool()) {
    if (attribute == known.id) return known.spec.type.c_str();
  }
  return "identity";
}

}  // namespace

std::pair<std::string, std::string> Generator::AnyIdentity() {
  const int dice = Below(100);
  if (dice < 50) return {"external_id", Numbered("", 7)};
  if (dice < 75) return {"email", Numbered("p", 5) + "@example.com"};
  if (dice < 88) return {"ecid", Numbered("0000000000000000000000000000000000000", 4)};
  if (dice < 94 || scope_.wire) return {"email_sha256", HashOf(Numbered("p", 5) + "@example.com")};
  return {"crm", Numbered("c", 3)};
}

Value Generator::AnyValue(const std::string& attribute) {
  if (Chance(15)) return {true, ""};
  const std::string type = TypeOf(attribute);
  if (type == "string") return {false, Any<std::string>({"", "Lyon", "Paris"})};
  if (type == "int64") return {false, Any<std::string>({"0", "1", "42"})};
  if (type == "double") return {false, Any<std::string>({"0.5", "2"})};
  if (type == "bool") return {false, Chance(50) ? "true" : "false"};
  if (type == "timestamp") return {false, Any<std::string>({"1000000", "2000000"})};
  if (type == "date") return {false, Any<std::string>({"0", "19000"})};
  if (type == "list") return {false, Any<std::string>({"[]", "[\"a\"]", "[\"a\",\"b\"]"})};
  return {false, ""};
}

Row Generator::AnyRow() {
  Row row;
  row.key = absl::StrCat("r", ++keys_);
  if (!Chance(2)) row.identities.insert(AnyIdentity());
  if (Chance(30)) row.identities.insert(AnyIdentity());
  for (const PoolAttribute& attribute : Attributes()) {
    if (!Chance(60)) continue;
    const Value value = AnyValue(attribute.id);
    row.fields[attribute.id] = value;
    row.fields[absl::StrCat("f_", attribute.id)] = value;
  }
  // Which namespace it writes the destination says; an e-mail address is well-formed in all.
  if (Chance(60)) row.fields["f_identity"] = {Chance(10), Numbered("p", 6) + "@example.com"};
  row.event_us = AnyTime(40);
  if (Chance(2) && !scope_.wire) row.bad_field = Chance(50) ? "city" : "f_city";
  row.audience = Numbered("s", 3);
  row.realized = Chance(70);
  row.qualified_us = AnyTime(40);
  return row;
}

Entry Generator::AnyEntry() {
  Entry entry;
  entry.key = absl::StrCat("r", ++keys_);
  entry.tracking = Chance(50);
  entry.delivery = Chance(5) ? "m9" : Numbered("m", 3);
  entry.message = 1 + Below(5);
  if (Chance(70)) std::tie(entry.ns, entry.identity) = AnyIdentity();
  if (entry.ns == "crm") entry.ns = entry.identity = "";
  entry.event_us = AnyTime(20);
  entry.seed = Chance(8);
  if (entry.tracking) {
    entry.tracking_id = 1 + Below(6);
    entry.tracking_kind = Any<int>({1, 1, 2, 2, 3, 3, 3, 6});
  } else {
    entry.status = Any<int>({1, 1, 2, 6, 7});
    if (entry.status == 2) entry.failure_type = 1 + Below(2);
    if (entry.status == 2) entry.failure_reason = Any<int>({1, 5});
  }
  return entry;
}

std::vector<std::string> Generator::SomeFields(Kind kind) {
  std::vector<std::string> fields;
  const std::string prefix = kind == Kind::kImport ? "" : "f_";
  for (const PoolAttribute& attribute : Attributes()) {
    if (Chance(60)) fields.push_back(absl::StrCat(prefix, attribute.id));
  }
  if (kind != Kind::kImport && Chance(60)) fields.push_back("f_identity");
  return fields;
}

void Generator::FillRows(Operation& op) {
  const int count = 1 + Below(4);
  for (int i = 0; i < count; ++i) {
    op.rows.push_back(AnyRow());
    op.entries.push_back(AnyEntry());
  }
}

Operation Generator::BatchOperation() {
  if (!requests_.empty() && Chance(8)) {
    Operation again = Any(requests_);
    if (Chance(25)) again.rows.push_back(AnyRow());
    if (Chance(25)) again.entries.push_back(AnyEntry());
    if (again.kind == Kind::kAppend) again.rows.clear();
    if (again.kind != Kind::kAppend) again.entries.clear();
    return again;
  }
  Operation op;
  op.verb = Verb::kBatch;
  op.kind = Any<Kind>({Kind::kImport, Kind::kImport, Kind::kSync, Kind::kSync, Kind::kPush,
                       Kind::kPush, Kind::kPush, Kind::kAppend, Kind::kAppend});
  if (op.kind == Kind::kSync) op.target = Any<std::string>({"d1", "d1", "d3"});
  if (op.kind == Kind::kPush) op.target = Any<std::string>({"d2", "d2", "d4"});
  op.fields = SomeFields(op.kind);
  FillRows(op);
  if (op.kind == Kind::kAppend) op.rows.clear();
  if (op.kind != Kind::kAppend) op.entries.clear();
  op.all_or_nothing = Chance(15);
  if (Chance(25)) {
    // A UUID, and another for logs, which have a file of their own.
    const char* family = op.kind == Kind::kAppend ? "1" : "0";
    op.request_id = Numbered(absl::StrCat(family, "0000000-0000-0000-0000-00000000000").c_str(), 5);
    requests_.push_back(op);
  }
  return op;
}

Operation Generator::Open() {
  Operation op;
  op.verb = Verb::kOpen;
  op.id = Numbered("x", 4);
  op.session = Numbered("k", 4);
  // A name has a kind it is mostly used with.
  const std::vector<Kind> kinds = {Kind::kReplace, Kind::kSync, Kind::kPush, Kind::kAppend};
  op.kind = kinds[op.id.back() - '1'];
  if (Chance(12)) op.kind = Any<Kind>({Kind::kImport, Kind::kReplace, Kind::kReplace});
  if (op.kind == Kind::kSync) op.target = Any<std::string>({"d1", "d1", "d1", "d3"});
  if (op.kind == Kind::kPush || op.kind == Kind::kReplace) {
    op.target = Any<std::string>({"d2", "d2", "d2", "d4"});
  }
  op.fields = SomeFields(op.kind);
  op.must_exist = Chance(8);
  op.limit = Below(3);
  if (op.kind == Kind::kReplace) {
    op.as_of_us = AnyTime(30);
    op.max_refused_percent = Any<std::optional<double>>({std::nullopt, 1, 50, 100, 100});
  }
  return op;
}

Operation Generator::StreamOperation() {
  const int dice = Below(100);
  if (dice < 25) return Open();
  Operation op;
  op.session = Numbered("k", 4);
  if (dice < 80) {
    op.verb = Verb::kSend;
    FillRows(op);
    if (Chance(25)) op.resend = 1 + Below(6);
    if (Chance(5)) op.skip = 1 + Below(2);
    if (op.resend != 0) op.altered = Chance(15);
    op.only_known = op.resend != 0 && Chance(30);
    op.token = absl::StrCat("t", ++keys_);
    return op;
  }
  if (dice < 90) {
    op.verb = Verb::kFinish;
    op.total_error = Chance(12) ? 1 : 0;
    return op;
  }
  if (dice < 93) {
    op.verb = Verb::kLeave;
    return op;
  }
  op.session.clear();
  op.verb = Chance(60) ? Verb::kDeleteStream : Verb::kAbandon;
  op.id = Numbered("x", 4);
  return op;
}

}  // namespace passerelle::model
