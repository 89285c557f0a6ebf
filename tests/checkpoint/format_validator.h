// A validator of checkpoint files, written from docs/format.md and the comments in proto/ alone. It
// shares no code with leafstore, not even the protobuf library, so that a mistake is not made
// twice.
//
//   EXPECT_EQ(WhyInvalid(bytes), "");
//
// It checks what readers check when they open a file: everything but the contents of segments and
// the zeros between them. To extend it for a new field: read the field in the function of its
// message, check it there, and add it to the schema in manifest_mutation.cc.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_FORMAT_VALIDATOR_H_
#define LEAFSTORE_TESTS_CHECKPOINT_FORMAT_VALIDATOR_H_

#include <string>
#include <string_view>

namespace leafstore {

// Returns what is wrong with the bytes of a file, or an empty string if it is valid.
std::string WhyInvalid(std::string_view file);

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_FORMAT_VALIDATOR_H_
