// Filters made by functions. The leaves that they match are checked with a partition. See
// filter_text_test.cc for their text form, and partition_test.cc for partitions.
#include "leafstore/select/filter.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/partition.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Texts = std::vector<std::string>;

Texts Taken(const Filter& filter) {
  return PathsOf(Partition(SampleParams(), {filter}).value()[0]);
}
Texts TakenFrom(const Tree& tree, const Filter& filter) {
  return PathsOf(Partition(Flatten(tree).value().params, {filter}).value()[0]);
}
const Texts& Everything() {
  static const auto* const paths = new Texts(PathsOf(SampleParams()));
  return *paths;
}

// Returns the path of every node on which a filter that matches nothing is evaluated, in order.
Texts Asked(const ParamStore& store) {
  Texts asked;
  const Filter watch = filters::Callable([&asked](const NodeView& node) {
    asked.push_back(node.path().ToString());
    return false;
  });
  EXPECT_THAT(Grouping::Compile(store, {watch}), IsOk());
  return asked;
}

TEST(FilterTest, Evaluation_VisitsEveryNodeFromTheRoot) {
  EXPECT_THAT(
      Asked(SampleParams()),
      ElementsAre("", ".activation", ".empty", ".head", ".head.bias", ".head.weight", ".layers",
                  ".layers[0]", ".layers[0].bias", ".layers[0].weight", ".layers[1]",
                  ".layers[1].bias", ".layers[1].weight", ".nothing", ".steps"));
}

TEST(FilterTest, Evaluation_SkipsAliases) {
  EXPECT_THAT(Asked(TiedParams()), ElementsAre("", ".embedding", ".embedding.table", ".scale"));
}

TEST(FilterTest, Callable_WithSpecsOnly_SeesNoLeaf) {
  const ParamStore store = SampleParams();
  const auto spec = [&](uint32_t place) { return store.leaf(place).spec(); };
  size_t leaves = 0;
  const Filter watch = filters::Callable([&](const NodeView& node) {
    EXPECT_EQ(node.leaf(), nullptr);
    EXPECT_EQ(node.tensor(), nullptr);
    if (node.kind() == NodeKind::kLeaf) {
      EXPECT_EQ(node.spec(), store.leaf(static_cast<uint32_t>(leaves++)).spec());
    }
    return false;
  });
  EXPECT_THAT(Grouping::Compile(LeafSpecs(store.layout(), store.slots(), spec), {watch}), IsOk());
  EXPECT_EQ(leaves, store.size());
}

TEST(FilterTest, Callable_SeesTheNode) {
  bool seen = false;
  const Filter watch = filters::Callable([&seen](const NodeView& node) {
    if (node.path().ToString() == ".head") {
      EXPECT_EQ(node.kind(), NodeKind::kStruct);
      EXPECT_EQ(node.key(), KeyRef::Attribute("head"));
      EXPECT_EQ(node.type_name(), "Linear");
      EXPECT_TRUE(node.has_tag("frozen"));
      EXPECT_FALSE(node.has_tag("thawed"));
      EXPECT_TRUE(node.HasChild("bias"));
      EXPECT_FALSE(node.HasChild("b"));
      EXPECT_FALSE(node.spec().has_value());
      EXPECT_EQ(node.leaf(), nullptr);
      EXPECT_EQ(node.tensor(), nullptr);
      EXPECT_EQ(node.def().PathText(node.node()).value(), ".head");
      seen = true;
    }
    if (node.path().ToString() == ".head.bias") {
      EXPECT_EQ(ElementsOf<float>(*node.tensor()), (std::vector<float>{30, 31}));
    }
    if (node.path().ToString() == ".steps") {
      EXPECT_EQ(node.tensor(), nullptr);
      EXPECT_EQ(node.spec(), LeafSpec(ValueKind::kInt));
      EXPECT_EQ(node.leaf()->value(), Value(12));
    }
    return false;
  });
  EXPECT_THAT(Taken(watch), IsEmpty());
  EXPECT_TRUE(seen);
}

TEST(FilterTest, LeafFilters_MatchDTypeRankAndKind) {
  EXPECT_EQ(Taken(IsStatic()), (Texts{".activation", ".steps"}));
  EXPECT_EQ(Taken(ValueIs(ValueKind::kInt)), (Texts{".steps"}));
  EXPECT_EQ(Taken(RankIs(1)), (Texts{".head.bias", ".layers[0].bias", ".layers[1].bias"}));
  EXPECT_EQ(Taken(ByteSizeIs(SizeCompare::kEqual, 16)),
            (Texts{".head.weight", ".layers[0].weight", ".layers[1].weight"}));
  EXPECT_THAT(Taken(DTypeIs(DType::kF64)), IsEmpty());
  EXPECT_EQ(Taken(IsTensor()).size(), 6u);
  EXPECT_EQ(Taken(IsLeaf()), Everything());
}

TEST(FilterTest, ByteSizeIs_ComparesBytesOfTensors) {
  const Tree tree = Tree::Struct()
                        .With("four", Floats({1}))
                        .With("none", Floats({}))
                        .With("text", Value("four bytes"));
  EXPECT_EQ(TakenFrom(tree, ByteSizeIs(SizeCompare::kLess, 4)), (Texts{".none"}));
  EXPECT_EQ(TakenFrom(tree, ByteSizeIs(SizeCompare::kLessEqual, 4)), (Texts{".four", ".none"}));
  EXPECT_EQ(TakenFrom(tree, ByteSizeIs(SizeCompare::kEqual, 0)), (Texts{".none"}));
  EXPECT_EQ(TakenFrom(tree, ByteSizeIs(SizeCompare::kGreaterEqual, 4)), (Texts{".four"}));
  EXPECT_EQ(TakenFrom(tree, ByteSizeIs(SizeCompare::kGreater, 3)), (Texts{".four"}));
  EXPECT_THAT(TakenFrom(tree, ByteSizeIs(SizeCompare::kGreater, 4)), IsEmpty());
}

TEST(FilterTest, NodeFilters_MatchKindTypeAndTag) {
  EXPECT_EQ(Taken(KindIs(NodeKind::kList)), (Texts{".layers[0].bias", ".layers[0].weight",
                                                   ".layers[1].bias", ".layers[1].weight"}));
  EXPECT_EQ(Taken(KindIs(NodeKind::kStruct)), Everything());  // the root is one
  EXPECT_EQ(Taken(TypeIs("Linear")).size(), 6u);
  EXPECT_EQ(Taken(TypeIs("Mlp")), Everything());
  EXPECT_THAT(Taken(TypeIs("linear")), IsEmpty());
  EXPECT_EQ(Taken(HasTag("frozen")), (Texts{".head.bias", ".head.weight"}));
  EXPECT_EQ(Taken(HasChild("weight")).size(), 6u);
  EXPECT_EQ(Taken(HasChild("layers")), Everything());
}

TEST(FilterTest, HasChild_MatchesDictsAndStructsByName) {
  const Tree tree = Tree::List()
                        .Add(Tree::Dict().With("k", Value(1)))
                        .Add(Tree::Struct().With("k", Value(2)))
                        .Add(Tree::Dict().With(0, Value(3)))
                        .Add(Tree::Dict().With("", Value(4)));
  EXPECT_EQ(TakenFrom(tree, HasChild("k")), (Texts{"[0]['k']", "[1].k"}));
  EXPECT_THAT(TakenFrom(tree, HasChild("0")), IsEmpty());
  EXPECT_EQ(TakenFrom(tree, HasChild("")), (Texts{"[3]['']"}));
}

TEST(FilterTest, Glob_MatchesKeysWithDotsAndIntKeys) {
  const Tree tree = Tree::Dict()
                        .With("a", Tree::Dict().With("b", Value(1)))
                        .With("a.b", Value(2))
                        .With("n", Tree::Dict().With(-3, Value(3)).With(70'000, Value(4)));
  EXPECT_EQ(TakenFrom(tree, Glob("a.b")), (Texts{"['a']['b']"}));
  EXPECT_EQ(TakenFrom(tree, Glob("a\\.b")), (Texts{"['a.b']"}));
  EXPECT_EQ(TakenFrom(tree, Glob("n.-3")), (Texts{"['n'][-3]"}));
  EXPECT_EQ(TakenFrom(tree, Glob("n.7*")), (Texts{"['n'][70000]"}));
}

TEST(FilterTest, Regex_MatchesTheFullCanonicalPath) {
  EXPECT_EQ(Taken(Regex(R"(.*\.bias)")),
            (Texts{".head.bias", ".layers[0].bias", ".layers[1].bias"}));
  EXPECT_THAT(Taken(Regex("bias")), IsEmpty());
  EXPECT_EQ(Taken(Regex(R"(\.layers\[1\])")), (Texts{".layers[1].bias", ".layers[1].weight"}));
  EXPECT_EQ(Taken(Regex("")), Everything());  // the root's text is empty
}

TEST(FilterTest, Not_MatchesContainersUnlessLeavesOnly) {
  EXPECT_EQ(Taken(filters::Not(DTypeIs(DType::kF32))), Everything());
  EXPECT_EQ(Taken(LeavesOnly(filters::Not(DTypeIs(DType::kF32)))),
            (Texts{".activation", ".steps"}));
  EXPECT_EQ(Taken(filters::Not(filters::All())), Texts{});
}

TEST(FilterTest, AndOr_AcceptAnyNumberOfFilters) {
  EXPECT_EQ(Taken(filters::Or(Glob("steps"), Glob("activation"), Glob("head.bias"))),
            (Texts{".activation", ".head.bias", ".steps"}));
  EXPECT_EQ(Taken(filters::And(IsTensor(), RankIs(2), Glob("head.**"))), (Texts{".head.weight"}));
  EXPECT_EQ(filters::Or(Glob("a"), Glob("b"), Glob("c")).ToString(), "a or b or c");
}

TEST(FilterTest, Combination_DoesNotChangeItsParts) {
  const Filter ab = filters::Or(Glob("a"), Glob("b"));
  const Filter abc = filters::Or(ab, Glob("c"));
  const Filter abd = filters::Or(ab, Glob("d"));
  EXPECT_EQ(ab.ToString(), "a or b");
  EXPECT_EQ(abc.ToString(), "a or b or c");
  EXPECT_EQ(abd.ToString(), "a or b or d");
  EXPECT_EQ(filters::And(ab, ab).ToString(), "(a or b) and (a or b)");
}

TEST(FilterTest, HasCallable_FindsANestedCallable) {
  const Filter callable = filters::Callable([](const NodeView&) { return true; });
  EXPECT_TRUE(callable.has_callable());
  EXPECT_TRUE(
      filters::Or(Glob("a"), RankIs(1), filters::And(filters::All(), filters::Not(callable)))
          .has_callable());
  EXPECT_FALSE(filters::And(Glob("a"), filters::Not(filters::Or(Regex("b"),
                                                                ByteSizeIs(SizeCompare::kLess, 7))))
                   .has_callable());
}

TEST(FilterTest, Callable_IsPrintedByItsName) {
  const auto no = [](const NodeView&) { return false; };
  EXPECT_EQ(filters::Callable(no).ToString(), "<callable>");
  EXPECT_EQ(filters::Not(filters::Callable(no, "large")).ToString(), "not <large>");
}

// ---- errors ----

TEST(FilterTest, BadPattern_IsAnErrorAtConstruction) {
  EXPECT_THAT(Glob("a").status(), IsOk());
  EXPECT_THAT(Glob("a..b").status(),
              StatusIs(kInvalid, "glob 'a..b', column 3: expected a key, found an empty one"));
  EXPECT_THAT(Regex("x(a|b").status(),
              StatusIs(kInvalid, AllOf(HasSubstr("regular expression 'x(a|b', column 1:"),
                                       HasSubstr("missing )"))));
  EXPECT_THAT(
      Regex("ab[z-a]").status(),
      StatusIs(kInvalid,
               "regular expression 'ab[z-a]', column 4: invalid character class range: z-a"));
  EXPECT_THAT(
      Regex("a**").status(),
      StatusIs(kInvalid, "regular expression 'a**', column 2: bad repetition operator: **"));
  EXPECT_THAT(Regex("a\\").status(),
              StatusIs(kInvalid, "regular expression 'a\\', column 2: trailing \\"));
  EXPECT_THAT(Regex("a\xff").status(), StatusIs(kInvalid, HasSubstr("column 2: invalid UTF-8")));
  EXPECT_THAT(filters::Callable(nullptr).status(),
              StatusIs(kInvalid, "callable filter: expected a function, found none"));
  EXPECT_THAT(RankIs(-1).status(), StatusIs(kInvalid, "rank: expected 0 or more, found -1"));
  EXPECT_THAT(ByteSizeIs(SizeCompare::kLess, -8).status(),
              StatusIs(kInvalid, "bytes: expected 0 or more, found -8"));
  EXPECT_THAT(KindIs(NodeKind::kAlias).status(), StatusIs(kInvalid, HasSubstr("found alias")));
}

TEST(FilterTest, CompositionOfABadFilter_HasItsError) {
  const absl::Status bad = Glob("a..b").status();
  EXPECT_EQ(filters::Not(Glob("a..b")).status(), bad);
  EXPECT_EQ(filters::And(filters::All(), Glob("a..b")).status(), bad);
  EXPECT_EQ(filters::Or(filters::Or(filters::All(), Glob("a..b")), filters::All()).status(), bad);
  EXPECT_EQ(filters::Or(Glob("a..b"), Glob("c..d")).status(), bad);  // the first
  EXPECT_EQ(LeavesOnly(Glob("a..b")).status(), bad);
  EXPECT_EQ(
      Grouping::Compile(SampleParams(), {filters::All(), filters::Not(Glob("a..b"))}).status(),
      bad);
}

TEST(FilterTest, Nesting_IsLimitedToAThousandLevels) {
  Filter filter = Glob("steps");
  for (int i = 0; i < 499; ++i)
    filter = filters::Not(filters::And(std::move(filter), filters::All()));
  EXPECT_THAT(filter.status(), IsOk());
  filter = filters::Not(std::move(filter));
  EXPECT_THAT(Taken(filter), testing::Not(IsEmpty()));
  filter = filters::Not(std::move(filter));
  EXPECT_THAT(filter.status(),
              StatusIs(kExhausted, "filter: expected at most 1000 levels of nesting, found more"));
  for (int i = 0; i < 100'000; ++i) filter = filters::Not(std::move(filter));
  EXPECT_THAT(filter.status(), StatusIs(kExhausted, testing::_));
}

TEST(FilterTest, ChainOfAnyLength_IsOneLevel) {
  Filter filter = Glob("steps");
  for (int i = 0; i < 100'000; ++i) filter = filters::Or(std::move(filter), Glob("x"));
  EXPECT_THAT(filter.status(), IsOk());
  EXPECT_EQ(filter.ToString().size(), 5 + 100'000 * 5u);
  EXPECT_EQ(Taken(filter), (Texts{".steps"}));
}

}  // namespace
}  // namespace leafstore
