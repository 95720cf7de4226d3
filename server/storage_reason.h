// What each of storage's reasons is called in public. Exhaustive on purpose: the compiler names a
// storage reason that is missing here.
#pragma once

#include "passerelle/v1/error_reason.pb.h"
#include "storage/reason.h"

namespace passerelle {

v1::ErrorReason PublicReason(storage::Reason reason);

}  // namespace passerelle
