// What the audit trail is told by the door: who acts, and of exports, whatever service they belong
// to. What is written is told by the store itself.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/access/caller.h"
#include "storage/audit_store.h"

namespace passerelle {

// A call as the trail tells of it. `request`: what it asks, if it is there already. Of a create
// request the resource is the one that is to be made.
struct ActOrigin {
  const Caller& caller;
  const char* method;
  const std::string& call_id;
  const google::protobuf::Message* request = nullptr;
};
std::shared_ptr<const storage::Act> ActOf(const ActOrigin& origin);

// Rows in the answer of a list: those of its first repeated field of messages.
int64_t RowsIn(const google::protobuf::Message& answer);

// Safe on any thread.
class ExportTrail {
 public:
  // `store` outlives it.
  explicit ExportTrail(storage::AuditStore& store) : store_(store) {}

  // Returns once the entry is on disk; blocks. An export of logs is told in the logs file of its
  // instance, others of an instance in its profiles file, those of the whole store in the control
  // file. On a full disk nothing is written, the log tells of it (`audit_not_written`), and the
  // answer is OK: reading goes on. Any other error: the export must not.
  absl::Status Tell(const storage::Act& act, const storage::ExportEntry& entry) const;

 private:
  storage::AuditStore& store_;
};

}  // namespace passerelle
