// A Key is one step from a node of a model's tree to a child.
//
//   Key::Attribute("weight")   a struct's field       text  .weight     dotted  weight
//   Key::Item("a b")           a dict's string key    text  ['a b']     dotted  a b
//   Key::Index(3)              a position in a list,
//                              or a dict's int key    text  [3]         dotted  3
//
// Text. The canonical text is what jax.tree_util.keystr prints, with Python's quoting of strings:
// single quotes, or double ones when the string has a single quote and no double one. Backslash,
// the quote itself and control characters (U+0000-U+001F, U+007F-U+009F) are escaped as in Python
// (`\\`, `\'`, `\n`, `\r`, `\t`, `\x07`); all other characters are unchanged. An attribute that is
// not an identifier is quoted after its dot (`.'a b'`), so the text is injective: different
// sequences of keys never have the same text. An identifier consists of letters, digits, `_` and
// characters outside ASCII that are not control characters, and does not begin with a digit.
//
// Order. Keys of one container sort as flattening visits them: attributes and string items by
// their bytes, indices by value. Across kinds: attribute < item < index.
//
// Names are UTF-8. A Key may hold any bytes; every call that adds keys to a tree or reads them from
// a file checks IsValid().
//
// Threads: values; const calls are thread-safe.
#ifndef LEAFSTORE_CORE_KEY_H_
#define LEAFSTORE_CORE_KEY_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace leafstore {

enum class KeyKind : uint8_t { kAttribute, kItem, kIndex };

// A key that borrows its name. Valid as long as the bytes it points to, which belong to a Key or a
// TreeDef.
struct KeyRef {
  KeyKind kind = KeyKind::kIndex;
  absl::string_view name;  // of an attribute or item; empty for an index
  int64_t index = 0;       // of an index; 0 otherwise

  static KeyRef Attribute(absl::string_view name) { return {KeyKind::kAttribute, name, 0}; }
  static KeyRef Item(absl::string_view name) { return {KeyKind::kItem, name, 0}; }
  static KeyRef Index(int64_t index) { return {KeyKind::kIndex, {}, index}; }

  // Returns whether the name is UTF-8. An index is always valid. O(length).
  bool IsValid() const;

  friend bool operator==(const KeyRef& a, const KeyRef& b) {
    return a.kind == b.kind && a.index == b.index && a.name == b.name;
  }
  friend std::strong_ordering operator<=>(const KeyRef& a, const KeyRef& b) {
    if (a.kind != b.kind) return a.kind <=> b.kind;
    if (a.kind == KeyKind::kIndex) return a.index <=> b.index;
    return a.name.compare(b.name) <=> 0;
  }
};

// A key that owns its name.
class Key {
 public:
  static Key Attribute(absl::string_view name) { return Key(KeyRef::Attribute(name)); }
  static Key Item(absl::string_view name) { return Key(KeyRef::Item(name)); }
  static Key Index(int64_t index) { return Key(KeyRef::Index(index)); }
  explicit Key(const KeyRef& ref)
      : kind_(ref.kind), index_(ref.index), name_(ref.name.data(), ref.name.size()) {}

  KeyKind kind() const { return kind_; }
  // Returns the name of an attribute or item; empty for an index.
  const std::string& name() const { return name_; }
  // Returns the value of an index; 0 for other kinds.
  int64_t index() const { return index_; }

  // Returns a borrowed view of this key. Valid while this key is neither assigned to nor destroyed.
  KeyRef ref() const& { return {kind_, name_, index_}; }
  KeyRef ref() && = delete;  // would dangle

  friend bool operator==(const Key& a, const Key& b) { return a.ref() == b.ref(); }
  friend std::strong_ordering operator<=>(const Key& a, const Key& b) {
    return a.ref() <=> b.ref();
  }
  template <typename H>
  friend H AbslHashValue(H h, const Key& key) {
    return H::combine(std::move(h), key.kind_, key.index_, key.name_);
  }

 private:
  KeyKind kind_;
  int64_t index_;
  std::string name_;
};

// Appends the canonical text of `key` to `out`. O(length).
void AppendKeyText(const KeyRef& key, std::string* out);

// Appends the key's part of a dotted name: the name or the index. O(length).
void AppendDottedKey(const KeyRef& key, std::string* out);

// Returns `text` as Python's repr of a str would print it (see the top of this file). O(length).
std::string Quoted(absl::string_view text);

// Returns the length of what AppendKeyText appends. O(length), allocates nothing.
size_t KeyTextSize(const KeyRef& key);

namespace internal {

// Returns the length in bytes of the longest identifier (see the top of this file) that `text`
// begins with, or 0. Used by Path::Parse.
size_t IdentifierPrefixSize(absl::string_view text);

}  // namespace internal

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_KEY_H_
