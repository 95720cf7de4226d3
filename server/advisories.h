// Known advisories against the gRPC that is linked, for the doctor.
#pragma once

#include <string>
#include <vector>

#include "storage/examination.h"

namespace passerelle {

// One note for each that a version ("1.51.1") has: what can happen, whom it concerns here or what
// this server does against it, what helps. A version that cannot be read gives one note that says
// so. Patches that a distribution put into an older version are not known.
std::vector<storage::Finding> GrpcAdvisories(const std::string& version);

}  // namespace passerelle
