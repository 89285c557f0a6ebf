// The texts of format_validator.h: UTF-8, and the canonical text of paths (core/key.h).
#ifndef LEAFSTORE_TESTS_CHECKPOINT_TEXT_VALIDATOR_H_
#define LEAFSTORE_TESTS_CHECKPOINT_TEXT_VALIDATOR_H_

#include <string>
#include <string_view>
#include <vector>

namespace leafstore {

using Texts = std::vector<std::string>;

bool IsUtf8(std::string_view text);
// Throws Invalid, with `what`.
void CheckUtf8(const Texts& texts, const std::string& what);
// Checks that these are canonical texts of paths, strictly ascending. Throws Invalid.
void CheckPaths(const Texts& texts);

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_TEXT_VALIDATOR_H_
