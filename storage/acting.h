// On whose behalf a thread writes: what the audit trail says of it.
//
// Whoever lets a caller in says so for the thread that works for the call; the store takes it along
// with every write that is submitted there. A write of a thread that acts for nobody is the store's
// own and leaves no trace in the trail.
#ifndef PASSERELLE_STORAGE_ACTING_H_
#define PASSERELLE_STORAGE_ACTING_H_

#include <cstdint>
#include <memory>
#include <string>

namespace passerelle::storage {

// One call. Nothing in it is personal data: ids and names only.
struct Act {
  std::string caller;    // id of a credential; empty: anybody
  std::string method;    // "InstanceService/CreateInstance"
  std::string call_id;   // the server's own, not what the caller calls it
  std::string resource;  // the first resource that the request names; empty: none
  int32_t more_resources = 0;
};

// From its making to its end this thread acts for the call, or for nobody (null). They nest; the
// one made last counts. Made and ended by the same thread.
class ActingScope {
 public:
  explicit ActingScope(std::shared_ptr<const Act> act);
  ~ActingScope();
  ActingScope(const ActingScope&) = delete;
  ActingScope& operator=(const ActingScope&) = delete;

 private:
  const std::shared_ptr<const Act> act_;
  const ActingScope* const before_;

  friend std::shared_ptr<const Act> CurrentAct();
};

// Whom this thread acts for; null: nobody. One call is one object.
std::shared_ptr<const Act> CurrentAct();

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_ACTING_H_
