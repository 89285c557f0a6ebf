// Random names and keys, made of characters and integers that are difficult for path texts.
#ifndef TESTS_CORE_RANDOM_KEYS_H_
#define TESTS_CORE_RANDOM_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>
#include <string>

#include "leafstore/core/key.h"

namespace leafstore {

using Random = std::mt19937_64;

inline size_t RandomBelow(Random& random, size_t bound) { return random() % bound; }

// Returns a valid UTF-8 name of up to six characters, many of them unusual.
inline std::string RandomName(Random& random) {
  static const std::string kCharacters[] = {
      "a",        "b",          "_",        "0",        "9",        ".",
      "[",        "]",          "'",        "\"",       "\\",       " ",
      "n",        "x",          "x41",      "\n",       "\r",       "\t",
      "\x01",     "\x1f",       "\x7f",     "\xC2\x80", "\xC2\x85", "\xC2\x9F",
      "\xC2\xA0", "é",          "\xC3\x85", "层",       "\u2028",   "\uFFFD",
      "😀",        "\U0010FFFF", "*",        "-",        "/",        std::string(1, '\0')};
  std::string name;
  for (size_t left = RandomBelow(random, 7); left > 0; --left) {
    name += kCharacters[RandomBelow(random, std::size(kCharacters))];
  }
  return name;
}

inline int64_t RandomIndex(Random& random) {
  constexpr int64_t kNotable[] = {
      0, -1, 9, 10, -10, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()};
  switch (RandomBelow(random, 3)) {
    case 0:
      return kNotable[RandomBelow(random, std::size(kNotable))];
    case 1:
      return static_cast<int64_t>(random() >> RandomBelow(random, 64));
    default:
      return static_cast<int64_t>(RandomBelow(random, 20));
  }
}

inline Key RandomKey(Random& random) {
  switch (RandomBelow(random, 3)) {
    case 0:
      return Key::Attribute(RandomName(random));
    case 1:
      return Key::Item(RandomName(random));
    default:
      return Key::Index(RandomIndex(random));
  }
}

}  // namespace leafstore

#endif  // TESTS_CORE_RANDOM_KEYS_H_
