// Places where a test may end the process, and bugs that a test may plant, to see whether the
// proofs of tests/crash notice. They exist only where PASSERELLE_FAULT_POINTS is defined: in the
// target passerelled_faults, which compiles the files that name them a second time (the list is in
// tests/crash/CMakeLists.txt). In the product both macros are constants and leave no code behind.
//
//   FAULT_POINT("after-commit");          a statement; the process may die here
//   if (PLANTED("skip-row")) return;      an expression; true if the bug is asked for
//
// A name stands for one place. What happens is said by the environment of the process:
//
//   PASSERELLE_FAULT=after-commit:17      SIGKILL to itself at the 17th time this place is reached
//   PASSERELLE_FAULT=mid-checkpoint:1:900 the same, 900 microseconds later, while it works on
//   PASSERELLE_PLANT=skip-row             this bug is there; several are separated by commas
//   PASSERELLE_FAULT_LOG=path             appends the name of each place when it is first reached
//
// Thread-safe. Nothing of it blocks, allocates on the hot path or fails.
#ifndef PASSERELLE_STORAGE_FAULT_POINT_H_
#define PASSERELLE_STORAGE_FAULT_POINT_H_

#ifdef PASSERELLE_FAULT_POINTS

namespace passerelle::storage {

// Defined in tests/crash/fault_point.cc.
void ReachFaultPoint(const char* name);
bool IsPlanted(const char* name);

}  // namespace passerelle::storage

#define FAULT_POINT(name) ::passerelle::storage::ReachFaultPoint(name)
#define PLANTED(name) ::passerelle::storage::IsPlanted(name)

#else

#define FAULT_POINT(name) static_cast<void>(0)
#define PLANTED(name) false

#endif  // PASSERELLE_FAULT_POINTS

#endif  // PASSERELLE_STORAGE_FAULT_POINT_H_
