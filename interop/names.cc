#include "leafstore/interop/names.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/key.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

// The limit of keys in all names together: a name of dots has a key per byte, and a key takes
// dozens of bytes. (Enough for a million tensors of sixteen keys each.)
constexpr size_t kMaxParts = size_t{1} << 24;

// Calls `visit` with each part of a name between separators. The empty name has one empty part.
template <typename Visit>
void ForEachPart(absl::string_view name, char separator, const Visit& visit) {
  for (;;) {
    const size_t end = name.find(separator);
    visit(name.substr(0, end));
    if (end == absl::string_view::npos) return;
    name.remove_prefix(end + 1);
  }
}

char SeparatorOf(NameStyle style) { return style == NameStyle::kSlash ? '/' : '.'; }

// Returns the integer whose canonical decimal text is `part`, or -1.
int64_t IntegerOf(absl::string_view part) {
  int64_t integer = 0;
  const bool is_canonical =
      absl::SimpleAtoi(part, &integer) && integer >= 0 && absl::StrCat(integer) == part;
  return is_canonical ? integer : -1;
}

// The tree of the parts of all names, which shows which containers have only integer keys.
class PartTree {
 public:
  // Returns the container of this part below `parent`; creates it if it does not exist.
  uint32_t Add(uint32_t parent, absl::string_view part) {
    if (IntegerOf(part) < 0) integers_only_[parent] = false;
    const auto [at, is_new] =
        children_.try_emplace(std::make_pair(parent, part), integers_only_.size());
    if (is_new) integers_only_.push_back(true);
    return at->second;
  }
  uint32_t Find(uint32_t parent, absl::string_view part) const {
    return children_.find(std::make_pair(parent, part))->second;
  }
  bool integers_only(uint32_t container) const { return integers_only_[container]; }

 private:
  internal::HashMap<std::pair<uint32_t, absl::string_view>, uint32_t> children_;
  std::vector<bool> integers_only_ = {true};
};

absl::Status CheckNames(absl::Span<const absl::string_view> names, NameStyle style) {
  size_t parts = 0;
  for (const absl::string_view name : names) {
    if (!internal::IsValidUtf8(name)) {
      return absl::InvalidArgumentError(absl::StrCat("expected a name in UTF-8, found '",
                                                     absl::CHexEscape(name.substr(0, 200)), "'"));
    }
    parts += 1 + static_cast<size_t>(std::count(name.begin(), name.end(), SeparatorOf(style)));
  }
  const bool splits = style != NameStyle::kFlat && style != NameStyle::kCanonical;
  if (!splits || parts <= kMaxParts) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "names: expected at most ", kMaxParts, style == NameStyle::kSlash ? " slash" : " dot",
      "-separated parts in total, found ", parts, "; use NameStyle::kFlat"));
}

// Makes paths from the parts of names; with kLists, uses indices where all parts are integers.
std::vector<Path> SplitNames(absl::Span<const absl::string_view> names, NameStyle style) {
  const bool lists = style == NameStyle::kLists;
  const char separator = SeparatorOf(style);
  PartTree tree;
  for (size_t i = 0; lists && i < names.size(); ++i) {
    uint32_t node = 0;
    ForEachPart(names[i], separator, [&](absl::string_view part) { node = tree.Add(node, part); });
  }
  std::vector<Path> paths;
  paths.reserve(names.size());
  for (const absl::string_view name : names) {
    Path path;
    uint32_t node = 0;
    ForEachPart(name, separator, [&](absl::string_view part) {
      if (lists && tree.integers_only(node)) {
        path.Index(IntegerOf(part));
      } else {
        path.Item(part);
      }
      if (lists) node = tree.Find(node, part);
    });
    paths.push_back(std::move(path));
  }
  return paths;
}

absl::StatusOr<std::vector<Path>> ParseNames(absl::Span<const absl::string_view> names) {
  std::vector<Path> paths;
  paths.reserve(names.size());
  for (const absl::string_view name : names) {
    LEAFSTORE_ASSIGN_OR_RETURN(Path path, Path::Parse(name));
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace

absl::string_view NameStyleName(NameStyle style) {
  constexpr absl::string_view kNames[] = {"split", "lists", "flat", "canonical", "slash"};
  static_assert(std::size(kNames) == static_cast<size_t>(NameStyle::kSlash) + 1);
  return kNames[static_cast<size_t>(style)];
}

absl::StatusOr<std::vector<Path>> PathsOfNames(absl::Span<const absl::string_view> names,
                                               NameStyle style) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(names, style));
  if (style == NameStyle::kCanonical) return ParseNames(names);
  if (style != NameStyle::kFlat) return SplitNames(names, style);
  std::vector<Path> paths;
  paths.reserve(names.size());
  for (const absl::string_view name : names) paths.push_back(Path().Item(name));
  return paths;
}

PathForm FormOf(NameStyle style) {
  if (style == NameStyle::kCanonical) return PathForm::kCanonical;
  return style == NameStyle::kSlash ? PathForm::kSlash : PathForm::kDotted;
}

absl::StatusOr<std::vector<std::string>> NamesOf(const Layout& layout, const SlotSet& slots,
                                                 NameStyle style) {
  std::vector<std::string> names;
  names.reserve(slots.size());
  LEAFSTORE_RETURN_IF_ERROR(
      layout.ForEachPath(slots, FormOf(style),
                         [&names](uint32_t, absl::string_view name) { names.emplace_back(name); }));
  internal::HashMap<absl::string_view, uint32_t> places;
  places.reserve(names.size());
  for (uint32_t place = 0; place < names.size(); ++place) {
    const auto [at, is_new] = places.try_emplace(names[place], place);
    if (is_new) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "expected leaves with different names, found ",
        internal::QuotedPath(layout.PathForMessage(slots.SlotAt(at->second))), " and ",
        internal::QuotedPath(layout.PathForMessage(slots.SlotAt(place))), ", which have the same ",
        style == NameStyle::kSlash ? "form with slashes" : "dotted form", "; use canonical names"));
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> NamesOf(const ParamStore& store, NameStyle style) {
  return NamesOf(store.layout(), store.slots(), style);
}

absl::StatusOr<std::vector<NamedTensor>> NamedTensorsOf(const ParamStore& store, NameStyle style,
                                                        bool drop_static) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<std::string> names, NamesOf(store, style));
  std::vector<NamedTensor> tensors;
  tensors.reserve(names.size());
  for (uint32_t place = 0; place < store.size(); ++place) {
    const Leaf& leaf = store.leaf(place);
    if (leaf.is_tensor()) {
      tensors.push_back({std::move(names[place]), leaf.tensor()});
    } else if (!drop_static) {
      return absl::InvalidArgumentError(absl::StrCat(internal::QuotedPath(store.PathText(place)),
                                                     ": expected a tensor, found the static leaf ",
                                                     leaf.value().ToString(),
                                                     "; set drop_static to skip static leaves"));
    }
  }
  return tensors;
}

}  // namespace leafstore
