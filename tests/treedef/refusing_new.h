// An operator new for the program of these tests that fails on request.
#ifndef LEAFSTORE_TESTS_TREEDEF_REFUSING_NEW_H_
#define LEAFSTORE_TESTS_TREEDEF_REFUSING_NEW_H_

namespace leafstore {

// How many more allocations of this thread succeed; below 0: all.
extern thread_local int allocations_left;

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TREEDEF_REFUSING_NEW_H_
