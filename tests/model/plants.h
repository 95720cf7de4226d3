// Bugs planted between the driver and the store, to see whether the comparison notices: each
// changes what the store is asked, so that it answers and holds what a store with that bug would.
#ifndef PASSERELLE_TESTS_MODEL_PLANTS_H_
#define PASSERELLE_TESTS_MODEL_PLANTS_H_

#include <optional>
#include <string>
#include <vector>

#include "storage/store.h"

namespace passerelle::model {

enum class Plant {
  kNone,
  kDoubleOnRetry,       // records that a stream has already are written again
  kStaleWins,           // event times of attributes are not looked at
  kScopeIgnored,        // a sync updates profiles outside its audiences
  kOptOutLost,          // opt-outs of tracking rows never reach the profile
  kReplaceMixes,        // readers see staged members before the replace is published
  kDuplicateAccepted,   // a log row that is there already is appended again
  kEqualTimeOptInWins,  // at one time an opt-in wins over the opt-out
  kExportSkipsARow,     // the first row of each page of logs but the first is left out
  kRequestForgotten,    // a unary batch that comes again is written again
};

// Nullopt: there is none of that name.
std::optional<Plant> PlantNamed(const std::string& name);
std::vector<std::string> PlantNames();

class Planted {
 public:
  explicit Planted(Plant plant) : plant_(plant) {}
  bool Is(Plant plant) const { return plant_ == plant; }

  // Before a batch of records goes to the store.
  void Spoil(storage::RecordBatch& batch) const;
  // After opt-outs were applied to profiles that were `before`: takes them back.
  void TakeBackOptOuts(storage::InstanceStore& instance,
                       const std::vector<storage::Profile>& before) const;

 private:
  Plant plant_;
};

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_PLANTS_H_
