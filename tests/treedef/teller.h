// Teller: builds a TreeDef in one expression.
//
//   TreeDef def = Teller()
//                     .Struct("Linear").Attribute("bias").Leaf().Attribute("weight").Leaf().End()
//                     .Def();
#ifndef LEAFSTORE_TESTS_TREEDEF_TELLER_H_
#define LEAFSTORE_TESTS_TREEDEF_TELLER_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {

class Teller {
 public:
  Teller() = default;
  explicit Teller(const TreeDefBuilder::Limits& limits) : builder(limits) {}

  Teller& Attribute(absl::string_view name) {
    return Do([&] { SetKey(KeyRef::Attribute(name)); });
  }
  Teller& Item(absl::string_view name) {
    return Do([&] { SetKey(KeyRef::Item(name)); });
  }
  Teller& Index(int64_t index) {
    return Do([&] { SetKey(KeyRef::Index(index)); });
  }
  Teller& Open(NodeKind kind, absl::string_view type_name = {}) {
    return Do([&] { builder.Open(kind, type_name); });
  }
  Teller& Struct(absl::string_view type_name = {}) { return Open(NodeKind::kStruct, type_name); }
  Teller& Dict() { return Open(NodeKind::kDict); }
  Teller& List() { return Open(NodeKind::kList); }
  Teller& Tuple() { return Open(NodeKind::kTuple); }
  Teller& Custom(absl::string_view type_name) { return Open(NodeKind::kCustom, type_name); }
  Teller& End() {
    return Do([&] { builder.Close(); });
  }
  Teller& Leaf() {
    return Do([&] { builder.Leaf(); });
  }
  Teller& None() {
    return Do([&] { builder.None(); });
  }
  Teller& Alias(NodeId target) {
    return Do([&] { builder.Alias(target); });
  }
  Teller& Tag(absl::string_view tag) {
    return Do([&] { builder.Tag(tag); });
  }

  absl::StatusOr<TreeDef> Result() { return std::move(builder).Build(); }
  // Returns the structure, which must be valid.
  TreeDef Def() { return Result().value(); }

  TreeDefBuilder builder;

 private:
  void SetKey(const KeyRef& key) { builder.SetKey(key); }
  template <typename Action>
  Teller& Do(const Action& action) {
    action();
    return *this;
  }
};

// Returns `levels` nested lists with a leaf in the innermost one, and if `leaf_at_each_level`, one
// at the end of each list.
inline TreeDef DeepLists(uint32_t levels, bool leaf_at_each_level = false) {
  TreeDefBuilder builder;
  for (uint32_t level = 0; level < levels; ++level) builder.Open(NodeKind::kList);
  builder.Leaf();
  for (uint32_t level = 0; level < levels; ++level) {
    if (leaf_at_each_level) builder.Leaf();
    builder.Close();
  }
  return std::move(builder).Build().value();
}

// Returns this structure, with its node ids:
//  0 struct Mlp
//  1   .activation
//  2   .head: struct Linear
//  3     .bias
//  4     .weight, tags decay, large
//  5   .layers: list
//  6     [0]: struct Linear
//  7       .bias
//  8       .weight
//  9     [1]: alias of .layers[0]
// 10   .steps: dict
// 11     [-1]
// 12     [7]: none
inline TreeDef MlpDef() {
  Teller t;
  t.Struct("Mlp").Attribute("activation").Leaf();
  t.Attribute("head").Struct("Linear");
  t.Attribute("bias").Leaf().Attribute("weight").Leaf().Tag("large").Tag("decay").End();
  t.Attribute("layers").List();
  t.Struct("Linear").Attribute("bias").Leaf().Attribute("weight").Leaf().End();
  t.Alias(6).End();
  t.Attribute("steps").Dict().Index(-1).Leaf().Index(7).None().End();
  return t.End().Def();
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TREEDEF_TELLER_H_
