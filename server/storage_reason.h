// What each of storage's reasons is called in public. Exhaustive on purpose: the compiler names a
// storage reason that is missing here.
#ifndef PASSERELLE_SERVER_STORAGE_REASON_H_
#define PASSERELLE_SERVER_STORAGE_REASON_H_

#include "passerelle/v1/error_reason.pb.h"
#include "storage/reason.h"

namespace passerelle {

v1::ErrorReason PublicReason(storage::Reason reason);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_STORAGE_REASON_H_
