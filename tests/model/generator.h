// The generator's parts, one per family of operations.
#ifndef PASSERELLE_TESTS_MODEL_GENERATOR_H_
#define PASSERELLE_TESTS_MODEL_GENERATOR_H_

#include <random>
#include <string>
#include <vector>

#include "tests/model/generate.h"

namespace passerelle::model {

// Attributes of the pool, each with its one type.
struct PoolAttribute {
  const char* id;
  AttributeSpec spec;
};
const std::vector<PoolAttribute>& AttributePool();

class Generator {
 public:
  Generator(uint64_t seed, const Scope& scope);

  std::vector<Operation> Setup();
  Operation Next();
  // What there is to ask at the end.
  std::vector<Operation> Questions();

 private:
  // generate_flows.cc
  std::vector<PoolAttribute> Attributes() const;
  Operation AttributeOperation();
  Operation FlowOperation();
  Operation DeliveryOperation();
  Operation ConsumerOperation();
  DestinationSpec AnyDestination(bool audience_sync);
  Operation CreateDestination(const std::string& id, bool audience_sync);
  Operation CreateAttribute(const std::string& id);

  // generate_rows.cc
  Operation BatchOperation();
  Operation StreamOperation();
  Operation Open();
  Row AnyRow();
  Entry AnyEntry();
  Value AnyValue(const std::string& attribute);
  void FillRows(Operation& op);
  std::pair<std::string, std::string> AnyIdentity();
  std::vector<std::string> SomeFields(Kind kind);

  // generate.cc
  Operation Question();
  Operation WorldOperation();
  int Below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
  bool Chance(int percent) { return Below(100) < percent; }
  template <class T>
  const T& Any(const std::vector<T>& values) {
    return values[Below(static_cast<int>(values.size()))];
  }
  std::string Numbered(const char* prefix, int limit);
  std::optional<int64_t> AnyTime(int none_percent);
  int64_t SomeTime();

  std::mt19937_64 random_;
  const Scope scope_;
  int64_t now_us_;
  int keys_ = 0;
  std::vector<int64_t> used_times_;
  std::vector<Operation> requests_;
};

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_GENERATOR_H_
