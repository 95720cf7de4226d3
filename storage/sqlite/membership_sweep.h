// Rows of memberships that nobody can read any more, removed behind everybody's back.
#ifndef PASSERELLE_STORAGE_SQLITE_MEMBERSHIP_SWEEP_H_
#define PASSERELLE_STORAGE_SQLITE_MEMBERSHIP_SWEEP_H_

#include "storage/sqlite/file.h"

namespace passerelle::storage::sqlite {

// Submits SweepMembership (replace.h) by turns, between the other writes; does not wait for it. A
// sweep that was refused, or cut by the end of the process, is taken up by the next one: it is one
// of the chores (housekeeping.h).
void StartMembershipSweep(File& profiles);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_MEMBERSHIP_SWEEP_H_
