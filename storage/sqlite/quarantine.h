// Addresses in quarantine: the rules are those of ReachStore (reach_store.h).
#ifndef PASSERELLE_STORAGE_SQLITE_QUARANTINE_H_
#define PASSERELLE_STORAGE_SQLITE_QUARANTINE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/reach_store.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// An address on a channel.
struct ChannelAddress {
  NamespaceNumber ns;
  std::string_view value;
  std::string_view channel;
};

// A delivery row that failed.
struct Bounce {
  int64_t event_us = 0;
  bool at_once = false;  // hard, or the row says that the address is in quarantine; else soft
  int32_t failure_type = 0;
  int32_t failure_reason = 0;
};

// What is kept of an address; errors 0: nothing.
struct AddressErrors {
  int64_t errors = 0;
  int64_t counted_us = 0;
  int64_t last_us = 0;
  bool in_quarantine = false;
  friend bool operator==(const AddressErrors& a, const AddressErrors& b) {
    return a.errors == b.errors && a.counted_us == b.counted_us && a.last_us == b.last_us &&
           a.in_quarantine == b.in_quarantine;
  }
};
AddressErrors AfterBounce(const AddressErrors& before, const Bounce& bounce);

// Writes down one bounce, in the transaction of the follower; who has the address is kept out once
// it is in quarantine. May throw SQLite::Exception.
void ApplyBounce(Transaction& transaction, const ChannelAddress& address, const Bounce& bounce);

// The contracts are those of ReachStore.
absl::StatusOr<Page<QuarantinedAddress>> ListQuarantine(const File& file, const PageRequest& page,
                                                        const ReadContext& context);
absl::StatusOr<CommitPosition> ReleaseQuarantine(File& file, const ChannelAddress& address);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_QUARANTINE_H_
