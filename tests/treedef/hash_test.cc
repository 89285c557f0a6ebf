#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/internal/intern.h"

#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

// Returns a structure with every kind of node, key, and name.
TreeDef Everything() {
  Teller t;
  t.Struct("Model").Attribute("a").Dict().Item("k").Leaf().Tag("x").Tag("w").End();
  t.Attribute("b").List().Leaf().Alias(1).None().End();
  t.Attribute("c").Tuple().Struct().End().End();
  t.Attribute("d").Dict().Index(-2).Leaf().Index(int64_t{1} << 40).Custom("Deque").Leaf().End();
  return t.End().End().Def();
}

std::string Hex(uint64_t hash) { return absl::StrCat(absl::Hex(hash, absl::kZeroPad16)); }

// Returns the columns of the structure whose canonical bytes are listed below.
internal::TreeDefColumns SmallColumns() {
  internal::TreeDefColumns c;
  c.kinds = {NodeKind::kStruct, NodeKind::kLeaf, NodeKind::kDict, NodeKind::kAlias};
  c.child_counts = {2, 0, 1, 0};
  c.keys = {0, 1, 3, 0};
  c.aux = {0, 0, 1, 1};
  c.tags = {{1, 2}};
  c.ints = {-2};
  c.strings = "Maxb";
  c.string_begins = {0, 1, 2, 3, 4};
  return c;
}

// Struct "M": .a a leaf with tag "x"; .b a dict: [-2] an alias of .a.
TEST(TreeDefHashTest, CanonicalBytes_MatchTheFormat) {
  EXPECT_EQ(absl::BytesToHexString(internal::CanonicalBytes(SmallColumns())),
            "6c65616664656601"                          // "leafdef", version 1
            "04000000040000000100000001000000"          // nodes, strings, int keys, tags
            "06010307"                                  // kinds
            "02000000000000000100000000000000"          // child counts
            "00000000010000000300000000000000"          // keys
            "00000000000000000100000001000000"          // type name, none, int keys, owner
            "0100000002000000"                          // tag: node, string
            "feffffffffffffff"                          // int key
            "0000000001000000020000000300000004000000"  // beginnings of strings
            "4d617862");                                // "M" "a" "x" "b"
}

TEST(TreeDefHashTest, Builder_MakesTheDocumentedColumns) {
  Teller t;
  t.Struct("M").Attribute("a").Leaf().Tag("x").Attribute("b").Dict().Index(-2).Alias(1).End();
  EXPECT_EQ(t.End().Def().hash(), internal::HashOf(SmallColumns()));
}

// These hashes are stored in files. If one changes, the format has changed and needs a new version.
TEST(TreeDefHashTest, Hashes_NeverChange) {
  EXPECT_EQ(Hex(TreeDef().hash()), "aebfef25cc034183");
  EXPECT_EQ(Hex(Teller().Leaf().Def().hash()), "74be1a7d3f849b9c");
  EXPECT_EQ(Hex(internal::HashOf(SmallColumns())), "e274786c1952ab41");
  EXPECT_EQ(Hex(Everything().hash()), "caca00076598637a");
  EXPECT_EQ(Hex(DeepLists(1000).hash()), "a3f3d3fe35b1ac06");
}

TEST(TreeDefHashTest, SameStructure_ComparesEveryColumn) {
  const internal::TreeDefColumns a = SmallColumns();
  EXPECT_TRUE(internal::SameStructure(a, a));
  const auto differs = [&](auto change) {
    internal::TreeDefColumns b = a;
    change(b);
    return !internal::SameStructure(a, b) && internal::HashOf(a) != internal::HashOf(b);
  };
  EXPECT_TRUE(differs([](auto& c) { c.kinds[1] = NodeKind::kNone; }));
  EXPECT_TRUE(differs([](auto& c) { c.child_counts[0] = 3; }));
  EXPECT_TRUE(differs([](auto& c) { c.keys[1] = 2; }));
  EXPECT_TRUE(differs([](auto& c) { c.aux[3] = 2; }));
  EXPECT_TRUE(differs([](auto& c) { c.tags[0].node = 2; }));
  EXPECT_TRUE(differs([](auto& c) { c.tags[0].string = 3; }));
  EXPECT_TRUE(differs([](auto& c) { c.tags.clear(); }));
  EXPECT_TRUE(differs([](auto& c) { c.ints[0] = 2; }));
  EXPECT_TRUE(differs([](auto& c) { c.string_begins[1] = 2; }));
  EXPECT_TRUE(differs([](auto& c) { c.strings[0] = 'm'; }));
}

}  // namespace
}  // namespace leafstore
