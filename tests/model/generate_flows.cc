#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/model/generator.h"

namespace passerelle::model {

const std::vector<PoolAttribute>& AttributePool() {
  static const auto* pool = new std::vector<PoolAttribute>{
      {"age", {"int64"}},
      {"born", {"date"}},
      {"city", {"string"}},
      {"news", {"bool", false, true, "email", "", false}},
      {"promo", {"bool", false, true, "email", "promo", false}},
      {"score", {"double"}},
      {"seen", {"timestamp"}},
      {"texts", {"bool", false, true, "sms", "", true}},
      {"tags", {"list"}},
      {"vip", {"bool"}},
  };
  return *pool;
}

// Over the wire those whose values look alike in columns and in readable maps.
std::vector<PoolAttribute> Generator::Attributes() const {
  std::vector<PoolAttribute> attributes;
  for (const PoolAttribute& attribute : AttributePool()) {
    const std::string& type = attribute.spec.type;
    const bool alike = type == "string" || type == "int64" || type == "double" || type == "bool";
    if (alike || !scope_.wire) attributes.push_back(attribute);
  }
  return attributes;
}

Operation Generator::CreateAttribute(const std::string& id) {
  Operation op;
  op.verb = Verb::kCreateAttribute;
  op.id = id;
  for (const PoolAttribute& attribute : AttributePool()) {
    if (id == attribute.id) op.attribute = attribute.spec;
  }
  op.attribute.read_only = !scope_.wire && Chance(5);
  return op;
}

Operation Generator::AttributeOperation() {
  Operation op = CreateAttribute(Any(Attributes()).id);
  const int dice = Below(100);
  if (dice >= 50) op.verb = Verb::kDeleteAttribute;
  if (dice >= 70 && !scope_.wire) op.verb = Verb::kUpdateAttribute;
  if (dice >= 80 && !scope_.wire) {
    op = Operation();
    op.verb = Chance(65) ? Verb::kCreateNamespace : Verb::kDeleteNamespace;
    op.id = "crm";
  }
  return op;
}

DestinationSpec Generator::AnyDestination(bool audience_sync) {
  DestinationSpec spec;
  spec.audience_sync = audience_sync;
  const int shift = Below(3);
  const int audiences = audience_sync ? 1 + Below(3) : Below(3);
  for (int i = 1; i <= audiences; ++i) {
    spec.audiences.emplace_back(absl::StrCat("s", i), absl::StrCat("a", 1 + (i + shift) % 3));
  }
  // In the store two source_ids may stand for one audience; the server refuses that.
  if (!scope_.wire && audiences > 1 && Chance(30)) {
    spec.audiences[1].second = spec.audiences[0].second;
  }
  bool mandatory = false;
  for (const PoolAttribute& attribute : Attributes()) {
    if (!Chance(35)) continue;
    MappingSpec mapping;
    mapping.source_field = absl::StrCat("f_", attribute.id);
    mapping.attribute = attribute.id;
    mapping.policy = Any<std::string>({"SET", "SET", "SET_IF_EMPTY", "IGNORE_NULL", "CLEAR"});
    mapping.mandatory = !mandatory && Chance(5);
    mandatory |= mapping.mandatory;
    spec.mappings.push_back(mapping);
  }
  if (Chance(35)) {
    const std::string ns =
        Any<std::string>({"email", "email", "external_id", scope_.wire ? "email" : "ecid"});
    spec.mappings.push_back({"f_identity", "", ns, "SET", false});
  }
  // The server wants a profile sync to map something.
  if (spec.mappings.empty()) spec.mappings.push_back({"f_city", "city", "", "SET", false});
  spec.order = {"external_id", "email", "ecid"};
  std::shuffle(spec.order.begin(), spec.order.end(), random_);
  if (Chance(5) && !scope_.wire) spec.order.push_back("crm");
  spec.first_match = Chance(30);
  spec.record_applied = Chance(25);
  if (audience_sync) {
    spec.on_unknown = Any<Unknown>({Unknown::kReport, Unknown::kCreate, Unknown::kKeep});
    spec.keep_on_unmap = Chance(40);
  }
  return spec;
}

Operation Generator::CreateDestination(const std::string& id, bool audience_sync) {
  Operation op;
  op.verb = Verb::kCreateDestination;
  op.id = id;
  op.destination = AnyDestination(audience_sync);
  return op;
}

// Odd destinations are for profiles, even ones for audiences.
Operation Generator::FlowOperation() {
  const int number = 1 + Below(4);
  Operation op = CreateDestination(absl::StrCat("d", number), number % 2 == 0);
  const int dice = Below(100);
  if (dice < 35) return op;
  if (dice < 60) {
    op.verb = Verb::kUpdateDestination;
    return op;
  }
  op.destination = DestinationSpec();
  op.verb = dice < 68   ? Verb::kPause
            : dice < 82 ? Verb::kResume
            : dice < 87 ? Verb::kDeleteDestination
            : dice < 94 ? Verb::kCreateAudience
                        : Verb::kDeleteAudience;
  if (dice >= 87) op.id = Numbered("a", 3);
  return op;
}

Operation Generator::ConsumerOperation() {
  Operation op;
  op.verb = Any<Verb>({Verb::kCreateConsumer, Verb::kConsume, Verb::kConsume, Verb::kConsume,
                       Verb::kSeek, Verb::kDeleteConsumer});
  op.id = Numbered("y", 2);
  op.limit = 1 + Below(6);
  op.altered = Chance(40);
  return op;
}

Operation Generator::DeliveryOperation() {
  Operation op;
  op.verb = Any<Verb>(
      {Verb::kCreateDelivery, Verb::kCreateDelivery, Verb::kUpdateDelivery, Verb::kDeleteDelivery});
  op.id = Numbered("m", 3);
  op.channel = Chance(70) ? "email" : "sms";
  if (Chance(40)) op.purpose = "promo";
  if (Chance(40)) op.audiences = {Numbered("a", 3)};
  return op;
}

}  // namespace passerelle::model
