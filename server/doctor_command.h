// passerelled doctor: examines a store that no server has open.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "storage/examination.h"

namespace passerelle {

struct DoctorFlags {
  std::string data;
  bool json = false;  // one object for each finding and a last one with the numbers, a line each
  int64_t disk_low_bytes = 0;
  std::string key_file;  // empty: beside the data directory, if there is one
};

// Takes every step and prints findings as they come; with a line at the end that says whether the
// store is sound. Returns the number of findings that are errors.
absl::StatusOr<int64_t> Examine(const DoctorFlags& flags, std::ostream& out);

}  // namespace passerelle
