// The checkout that a test was built from, for tests that read data or documents.
#ifndef LEAFSTORE_TESTS_SOURCE_DIR_H_
#define LEAFSTORE_TESTS_SOURCE_DIR_H_

#include <string>

namespace leafstore {

// Returns the absolute path of `path`, which is relative to the top of the checkout.
std::string SourcePath(const std::string& path);

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_SOURCE_DIR_H_
