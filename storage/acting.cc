#include "storage/acting.h"

#include <utility>

namespace passerelle::storage {
namespace {

thread_local const ActingScope* present = nullptr;

}  // namespace

ActingScope::ActingScope(std::shared_ptr<const Act> act) : act_(std::move(act)), before_(present) {
  present = this;
}

ActingScope::~ActingScope() { present = before_; }

std::shared_ptr<const Act> CurrentAct() { return present == nullptr ? nullptr : present->act_; }

}  // namespace passerelle::storage
