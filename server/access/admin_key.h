// The first credential: who else could make one?
#ifndef PASSERELLE_SERVER_ACCESS_ADMIN_KEY_H_
#define PASSERELLE_SERVER_ACCESS_ADMIN_KEY_H_

#include <string>

#include "absl/status/status.h"
#include "storage/access_store.h"

namespace passerelle {

// Makes a key with role `admin`, writes it to `path` (mode 0600), then creates its credential. A
// key that lies there already, from a start that was broken off or put there by whoever sets up the
// machine, is taken instead. FAILED_PRECONDITION: the file cannot be made, or is no private file
// with a key in it; nothing was created then.
absl::Status CreateAdmin(const std::string& path, storage::AccessStore& store);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_ACCESS_ADMIN_KEY_H_
