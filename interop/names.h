// Converts between the names of tensors in other formats and paths.
//
//   PathsOfNames({"layers.0.weight", "head"}, NameStyle::kSplit).value();
//                                     // ['layers']['0']['weight'] and ['head']
//   PathsOfNames({"layers.0.weight"}, NameStyle::kLists).value();      // ['layers'][0]['weight']
//   NamesOf(store, NameStyle::kSplit).value();                         // the dotted forms
//
// safetensors, PyTorch's state dicts and NumPy's archives name tensors by flat strings, most of
// which are keys joined by dots, or by slashes (Flax and Haiku). A path made from a name converts
// back to exactly that name, even if it is empty, or begins or ends with dots (or slashes).
//
// Two names never become one path, but one path may be a prefix of another (`a` and `a.b`, split).
// A ParamStore holds, saves and finds both; calls that need a tree of containers (filters,
// Layout::def) report error InvalidArgument and name both paths. With kFlat this cannot happen.
//
// In the other direction, paths of any kind become names by their dotted forms, or with kSlash by
// that form with slashes instead of dots. Two leaves with the same name are an error that names
// both; kCanonical distinguishes them.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_INTEROP_NAMES_H_
#define LEAFSTORE_INTEROP_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/path.h"
#include "leafstore/core/tensor.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

enum class NameStyle : uint8_t {
  // Splits at dots; each part is an item (a string key of a dict): `a.0` is ['a']['0'].
  kSplit,
  // Like kSplit, but if all names with the same prefix continue with an integer ("0", "12"; no
  // sign, no leading zeros, below 2^63), the integers are indices: `a.0`, `a.1` are ['a'][0],
  // ['a'][1]. If `a.b` exists too, they stay items.
  kLists,
  // Makes one item, including dots: `a.0` is ['a.0'].
  kFlat,
  // Parses the canonical text of a path (core/path.h): `.a[0]` is .a[0].
  kCanonical,
  // Like kSplit, but at slashes: `a/0` is ['a']['0'], and `a.0` one item.
  kSlash,
};

// Returns "split", "lists", "flat", "canonical" or "slash". Static storage.
absl::string_view NameStyleName(NameStyle style);
// Returns the paths of all names of a file, in the order of the names, which must be unique.
// error InvalidArgument: a name is not UTF-8, or with kCanonical not a canonical text. error
// ResourceExhausted: the names have more than 2^24 parts. O(bytes of the names), expected.
absl::StatusOr<std::vector<Path>> PathsOfNames(absl::Span<const absl::string_view> names,
                                               NameStyle style);

// Returns the form of a path that is its name: kCanonical, kSlash, or for other styles kDotted.
PathForm FormOf(NameStyle style);

// Returns the names of a store's leaves, by place, in FormOf(style). error InvalidArgument: two
// leaves have the same name (the message names both paths), or a key is not UTF-8. O(length of the
// names), expected.
absl::StatusOr<std::vector<std::string>> NamesOf(const ParamStore& store, NameStyle style);
absl::StatusOr<std::vector<std::string>> NamesOf(const Layout& layout, const SlotSet& slots,
                                                 NameStyle style);

// A tensor and its name in a file.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// A part of a file that cannot be read as a tensor. It does not affect the other parts.
struct UnreadableLeaf {
  std::string name;
  std::string what;       // "dtype 'NF4', shape [4]", "it is not an array (.npy)"
  int64_t byte_size = 0;  // in the file
};

// Returns the tensors of a store by name, by place. error InvalidArgument: as NamesOf; or a static
// leaf, unless `drop_static` skips them. O(length of the names), expected.
absl::StatusOr<std::vector<NamedTensor>> NamedTensorsOf(const ParamStore& store, NameStyle style,
                                                        bool drop_static);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NAMES_H_
