// An operator new, for this test program, that fails on request.
#ifndef LEAFSTORE_TESTS_TREEDEF_REFUSING_NEW_H_
#define LEAFSTORE_TESTS_TREEDEF_REFUSING_NEW_H_

namespace leafstore {

// The number of allocations of this thread that still succeed; negative: all do.
extern thread_local int allocations_left;

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TREEDEF_REFUSING_NEW_H_
