// Names of tensors in other formats, and the paths that stand for them.
//
//   PathsOfNames({"layers.0.weight", "head"}, NameStyle::kSplit).value();
//                                     // ['layers']['0']['weight'] and ['head']
//   PathsOfNames({"layers.0.weight"}, NameStyle::kLists).value();      // ['layers'][0]['weight']
//   NamesOf(store, NameStyle::kSplit).value();                         // the dotted forms
//
// safetensors, PyTorch's state dicts and NumPy's archives name tensors by flat strings, most of
// which are keys joined by dots. A path made of a name gives that very name back, whatever it is:
// empty, of dots alone, with dots at its ends, in any script. (A name that is split is joined
// again; one that is kept is one key.)
//
// Two names never become one path; but one may become the beginning of another's (`a` and `a.b`,
// split). A ParamStore holds both, saves both and finds both; what needs a tree of containers
// (filters, Layout::def) is error InvalidArgument there, and names both paths. Names that are kept
// whole always make a tree.
//
// The other way, paths of any kind become names by their dotted forms. Two leaves that have one
// dotted form are an error that names both; kCanonical tells them apart.
//
// Threads: functions of their arguments.
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
  // Split at dots, an item (a dict's string key) for each part: `a.0` is ['a']['0'].
  kSplit,
  // As kSplit, but where all the names that share a beginning go on with a number ("0", "12"; no
  // sign, no leading zeros, below 2^63), the numbers are indices: `a.0`, `a.1` are ['a'][0],
  // ['a'][1]. Where `a.b` is there too, they stay items.
  kLists,
  // One item, with its dots: `a.0` is ['a.0'].
  kWhole,
  // A path's canonical text (core/path.h): `.a[0]` is .a[0].
  kCanonical,
};

// "split", "lists", "whole", "canonical". Static storage.
absl::string_view NameStyleName(NameStyle style);
// error InvalidArgument: no such style; the message lists those there are.
absl::StatusOr<NameStyle> ParseNameStyle(absl::string_view name);

// The paths of all names of a file, in the order of the names, which must differ.
// error InvalidArgument: a name is no UTF-8, or with kCanonical no canonical text. error
// ResourceExhausted: split, they have more than 2^24 keys. O(bytes of the names), expected.
absl::StatusOr<std::vector<Path>> PathsOfNames(absl::Span<const absl::string_view> names,
                                               NameStyle style);

// The name of one path: its canonical text, or in the other styles its dotted form. O(length).
std::string NameOfPath(const Path& path, NameStyle style);

// The names of a store's leaves, by place. error InvalidArgument: two leaves have one name (names
// both paths), or a key is no UTF-8. O(length of the names), expected.
absl::StatusOr<std::vector<std::string>> NamesOf(const ParamStore& store, NameStyle style);
absl::StatusOr<std::vector<std::string>> NamesOf(const Layout& layout, const SlotSet& slots,
                                                 NameStyle style);

// A tensor and its name in a file.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NAMES_H_
