#include "leafstore/store/layout.h"

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/internal/path_table.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Layout LayoutAt(const std::vector<std::string>& texts) {
  std::vector<Path> paths;
  for (const std::string& text : texts) paths.push_back(PathFrom(text));
  return Layout::Create(std::move(paths)).value();
}

// ---- of a treedef ----

TEST(LayoutTest, EmptyLayout_FindsNothing) {
  const Layout layout;
  EXPECT_EQ(layout.size(), 0u);
  EXPECT_EQ(layout.Find(""), std::nullopt);
  EXPECT_EQ(layout.Find(".a"), std::nullopt);
  EXPECT_EQ(layout, Layout());
}

TEST(LayoutTest, Slots_AreTheLeavesOfTheTreedefInOrder) {
  const Flattened flat = SampleModel();
  const Layout layout(flat.def);
  ASSERT_EQ(layout.size(), 8u);
  EXPECT_EQ(layout.PathText(3), ".layers[0].bias");
  EXPECT_EQ(layout.Dotted(3), "layers.0.bias");
  EXPECT_EQ(layout.PathOf(3), PathFrom(".layers[0].bias"));
  EXPECT_EQ(layout.PathForMessage(3), ".layers[0].bias");
  EXPECT_EQ(layout.Find(".layers[0].bias"), 3u);
  EXPECT_EQ(layout.GetDotted("layers.0.bias").value(), 3u);
  EXPECT_TRUE(layout.has_def());
  EXPECT_EQ(layout.def().value(), flat.def);
  EXPECT_EQ(layout.fingerprint(), flat.def.hash());
}

TEST(LayoutTest, LayoutsOfOneStructure_AreEqual) {
  EXPECT_EQ(SampleModel().params.layout(), SampleModel().params.layout());
  EXPECT_FALSE(SampleModel().params.layout() == TiedParams().layout());
}

TEST(LayoutTest, LeafAtTheRoot_HasTheEmptyPath) {
  const Layout layout(Flatten(Tree(Value(1))).value().def);
  EXPECT_EQ(layout.Find(""), 0u);
  EXPECT_EQ(layout.PathText(0), "");
  EXPECT_EQ(layout.PathForMessage(0), "(root)");
}

TEST(LayoutTest, UnknownPath_IsNotFoundWithSuggestions) {
  const Layout layout(SampleModel().def);
  EXPECT_EQ(layout.Find(".layers[0].wieght"), std::nullopt);
  EXPECT_THAT(layout.Get(".layers[0].wieght"),
              StatusIs(kNotFound, AllOf(HasSubstr(".layers[0]"), HasSubstr(".wieght"),
                                        HasSubstr("did you mean .weight?"))));
  EXPECT_THAT(
      layout.GetDotted("layers.0.wieght"),
      StatusIs(kNotFound, AllOf(HasSubstr("layers.0.wieght"), HasSubstr("did you mean weight?"))));
}

TEST(LayoutTest, Suggestions_AreInOrderOfDistanceThenName) {
  const Layout paths = Layout::Create({PathFrom(".head.wxy"), PathFrom(".head.w2"),
                                       PathFrom(".head.w1"), PathFrom(".head.other")})
                           .value();
  EXPECT_THAT(
      paths.GetDotted("head.w"),
      StatusIs(kNotFound, "no leaf at 'head.w'; did you mean head.w1, head.w2 or head.wxy?"));
  EXPECT_THAT(Layout(paths.def().value()).GetDotted("head.w"),
              StatusIs(kNotFound, testing::EndsWith("without it; did you mean w1 or w2?")));
}

TEST(LayoutTest, ContainerPath_IsAnErrorOfGet) {
  const Layout layout(SampleModel().def);
  EXPECT_EQ(layout.Find(".layers"), std::nullopt);
  EXPECT_THAT(layout.Get(".layers"),
              StatusIs(kInvalid, "at '.layers': expected a leaf, found list"));
  EXPECT_THAT(layout.Get(".nothing"),
              StatusIs(kInvalid, "at '.nothing': expected a leaf, found none"));
  EXPECT_THAT(layout.Get(""), StatusIs(kInvalid, "at '': expected a leaf, found struct"));
  EXPECT_THAT(layout.GetDotted("layers.0"),
              StatusIs(kInvalid, "at 'layers.0': expected a leaf, found struct"));
}

TEST(LayoutTest, InvalidPath_IsAnErrorOfGetAndNotFound) {
  const Layout layout(SampleModel().def);
  EXPECT_EQ(layout.Find("layers[0"), std::nullopt);
  EXPECT_THAT(layout.Get("layers[0"),
              StatusIs(kInvalid,
                       "not the text of a path: column 1: expected '.' or '[', found 'l': "
                       "'layers[0'"));
}

TEST(LayoutTest, Alias_ResolvesToTheOwnersSlot) {
  const Layout layout = TiedParams().layout();
  EXPECT_EQ(layout.Find(".embedding.table"), 0u);
  EXPECT_EQ(layout.Find(".output.table"), 0u);
  EXPECT_EQ(layout.Get(".output.table").value(), 0u);
  EXPECT_EQ(layout.GetDotted("output.table").value(), 0u);
  EXPECT_EQ(layout.PathText(0), ".embedding.table");
  EXPECT_EQ(layout.Find(".output.tabel"), std::nullopt);
  EXPECT_EQ(layout.Find(".output"), std::nullopt);
  EXPECT_EQ(layout.Find("output["), std::nullopt);
  EXPECT_THAT(layout.Get(".output"),
              StatusIs(kInvalid, "at '.output': expected a leaf, found struct"));
}

TEST(LayoutTest, AmbiguousDottedName_NamesBothPaths) {
  const Layout layout(
      Flatten(Tree::Struct().With("a", Tree::Dict().With("b", Value(1))).With("a.b", Value(2)))
          .value()
          .def);
  EXPECT_THAT(layout.GetDotted("a.b"),
              StatusIs(kInvalid, AllOf(HasSubstr(".a['b']"), HasSubstr(".'a.b'"))));
}

TEST(LayoutTest, PathsTooLongForATable_AreFoundByWalking) {
  // Each level has a leaf: n * n / 2 keys of text.
  Tree tree = Value(1);
  for (int i = 0; i < 20000; ++i) {
    tree = Tree::List().Add(Value(0)).Add(std::move(tree));
  }
  const Layout layout(Flatten(tree).value().def);
  ASSERT_THAT(internal::PathsOf(*layout.def()), StatusIs(kExhausted, testing::_));
  const Slot last = layout.size() - 1;
  EXPECT_EQ(layout.Find(layout.PathText(last)), last);
  EXPECT_EQ(layout.Find(layout.PathText(7)), 7u);
  EXPECT_EQ(layout.Find("[2]"), std::nullopt);
  EXPECT_LT(layout.PathForMessage(last).size(), 2000u);
}

// ---- of paths ----

TEST(LayoutOfPathsTest, Paths_AreOrderedAsByFlatten) {
  const Layout layout = LayoutAt({"['b']", "['a'][10]", "['a'][2]"});
  ASSERT_EQ(layout.size(), 3u);
  EXPECT_EQ(layout.PathText(0), "['a'][2]");
  EXPECT_EQ(layout.PathText(1), "['a'][10]");
  EXPECT_EQ(layout.PathText(2), "['b']");
  EXPECT_EQ(layout.Dotted(1), "a.10");
  EXPECT_EQ(layout.PathOf(1), PathFrom("['a'][10]"));
  EXPECT_EQ(layout.Find("['b']"), 2u);
  EXPECT_EQ(layout.GetDotted("a.10").value(), 1u);
  EXPECT_FALSE(layout.has_def());
}

TEST(LayoutOfPathsTest, Equality_HoldsForCopiesOnly) {
  const Layout layout = LayoutAt({".a"});
  const Layout copy = layout;
  EXPECT_EQ(layout, copy);
  EXPECT_FALSE(layout == LayoutAt({".a"}));
  EXPECT_FALSE(layout == Layout(layout.def().value()));
  EXPECT_FALSE(layout == Layout());
}

TEST(LayoutOfPathsTest, Fingerprint_DependsOnThePaths) {
  const uint64_t fingerprint = LayoutAt({".a", ".b"}).fingerprint();
  EXPECT_EQ(fingerprint, LayoutAt({".b", ".a"}).fingerprint());
  EXPECT_NE(fingerprint, LayoutAt({".a"}).fingerprint());
  EXPECT_NE(fingerprint, LayoutAt({".a.b", ".c"}).fingerprint());
}

TEST(LayoutOfPathsTest, DuplicatePath_IsAnError) {
  EXPECT_THAT(Layout::Create({PathFrom(".a"), PathFrom(".b"), PathFrom(".a")}),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       "path .a: expected it once, found it at indices 0 and 1"));
}

TEST(LayoutOfPathsTest, KeyThatIsNotUtf8_IsAnError) {
  EXPECT_THAT(Layout::Create({Path().Item("\xff")}),
              StatusIs(kInvalid, "at (root): expected an item in UTF-8, found '\\xff'"));
  EXPECT_THAT(Layout::Create({PathFrom(".b"), Path().Attribute("a").Index(0).Attribute("caf\xe9")}),
              StatusIs(kInvalid, "at .a[0]: expected an attribute in UTF-8, found 'caf\\xe9'"));
  const absl::Status cut = Layout::Create({Path().Item(std::string(100'000, '\xff'))}).status();
  EXPECT_LT(cut.message().size(), 1'000u);
}

TEST(LayoutOfPathsTest, PathTooLongToParse_IsAnError) {
  EXPECT_THAT(Layout::Create({Path().Item(std::string(Path::kMaxTextSize, 'a'))}),
              StatusIs(kExhausted,
                       AllOf(HasSubstr("a path of at most 16777216 bytes"), HasSubstr("['aaa"))));
}

TEST(LayoutOfPathsTest, TooMuchText_IsAnError) {
  std::vector<Path> paths;
  for (char c = 'a'; c < 'h'; ++c) paths.push_back(Path().Item(std::string(12'000'000, c)));
  EXPECT_THAT(Layout::Create(std::move(paths)), StatusIs(kExhausted, testing::_));
}

TEST(LayoutOfPathsTest, UnknownPath_IsNotFoundWithSuggestions) {
  const Layout layout = LayoutAt({".layers[0].weight", ".layers[0].bias"});
  EXPECT_THAT(layout.Get(".layers[0].wieght"),
              StatusIs(kNotFound, AllOf(HasSubstr("no leaf at '.layers[0].wieght'"),
                                        HasSubstr("did you mean .layers[0].weight"))));
  EXPECT_THAT(layout.GetDotted("layers.0.wieght"),
              StatusIs(kNotFound, AllOf(HasSubstr("no leaf at 'layers.0.wieght'"),
                                        HasSubstr("did you mean layers.0.weight"))));
  EXPECT_THAT(layout.Get("layers"),
              StatusIs(kInvalid, HasSubstr("column 1: expected '.' or '[', found 'l'")));
}

TEST(LayoutOfPathsTest, ContainerPath_IsAnErrorOfGet) {
  const Layout layout = LayoutAt({".layers[0].weight"});
  EXPECT_THAT(layout.Get(".layers"),
              StatusIs(kInvalid, "at '.layers': expected a leaf, found list"));
}

TEST(LayoutOfPathsTest, AmbiguousDottedName_NamesBothPaths) {
  EXPECT_THAT(LayoutAt({".a.b", ".'a.b'"}).GetDotted("a.b"),
              StatusIs(kInvalid, AllOf(HasSubstr("'.a.b'"), HasSubstr(" or .'a.b'; "))));
}

TEST(LayoutOfPathsTest, LongPath_IsShortenedInMessages) {
  const std::string name(1000, 'n');
  const Layout layout = LayoutAt({"['" + name + "']", ".b"});
  EXPECT_EQ(layout.PathForMessage(0), ".b");
  EXPECT_LT(layout.PathForMessage(1).size(), 500u);
  EXPECT_THAT(layout.PathForMessage(1), HasSubstr("..."));
  EXPECT_EQ(LayoutAt({""}).PathForMessage(0), "(root)");
}

TEST(LayoutOfPathsTest, PathsThatFormNoTree_StillFormADictionary) {
  const Layout layout = LayoutAt({"", ".no_such[0]"});
  EXPECT_EQ(layout.Find(""), 0u);
  EXPECT_EQ(layout.Find(".no_such[0]"), 1u);
  EXPECT_THAT(layout.def(), StatusIs(kInvalid, AllOf(HasSubstr("''"), HasSubstr("'.no_such[0]'"))));
  EXPECT_THAT(layout.Get(".no_such[1]"),
              StatusIs(kNotFound, HasSubstr("did you mean .no_such[0]?")));
}

TEST(LayoutOfPathsTest, Def_IsMadeOnceForManyThreads) {
  const Layout layout = LayoutAt({".a[0]", ".a[1]", ".b"});
  std::vector<std::thread> threads;
  std::vector<TreeDef> defs(4);
  for (TreeDef& def : defs) {
    threads.emplace_back([&layout, &def] { def = layout.def().value(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const TreeDef& def : defs) EXPECT_EQ(def, defs[0]);
}

}  // namespace
}  // namespace leafstore
