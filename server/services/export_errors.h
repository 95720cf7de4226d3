// What readers of the log are told when rows they have not read are gone, in the same words
// wherever they ask.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace passerelle {

// CURSOR_EXPIRED. `field` holds the cursor; `earliest` is the first one that works.
absl::Status RowsGone(const std::string& field, std::string earliest);

// CONSUMER_EXPIRED. `name` is the consumer's full name.
absl::Status ConsumerExpired(const std::string& name, std::string earliest);

}  // namespace passerelle
