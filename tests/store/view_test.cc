#include "leafstore/store/view.h"

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/store/flatten.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Model {
  std::vector<Linear> layers = std::vector<Linear>(2);
  std::map<std::string, Tensor> tables = {{"a b", Ints({7})}};
  std::map<int, Tensor> by_number = {{-1, Ints({8})}, {10, Ints({9})}};
  std::string activation = "gelu";
  std::optional<Linear> head;
  LEAFSTORE_FIELDS(layers, tables, by_number, activation, head)
};

class ViewTest : public testing::Test {
 protected:
  const Flattened flat_ = Flatten(Model()).value();
  const View model_{flat_.def, flat_.params};
};

// ---- leaves ----

TEST_F(ViewTest, Keys_ReachOneLeaf) {
  const Tensor* weight = model_["layers"][1]["weight"].tensor().value();
  EXPECT_THAT(ElementsOf<float>(*weight), ElementsAre(1, 2, 3));
  EXPECT_EQ(model_["layers"][1]["weight"].leaf().value(), *flat_.params.Get(".layers[1].weight"));
}

TEST_F(ViewTest, KeysOfAllKinds_ReachTheirLeaves) {
  EXPECT_EQ(**model_["tables"]["a b"].tensor(), Ints({7}));
  EXPECT_EQ(**model_["by_number"][-1].tensor(), Ints({8}));
  EXPECT_EQ(**model_["by_number"][10].tensor(), Ints({9}));
  EXPECT_EQ(**model_["layers"][size_t{0}]["bias"].tensor(), Floats({4}));
  EXPECT_EQ(**model_[std::string("activation")].value(), Value("gelu"));
}

TEST_F(ViewTest, View_DescribesItsNode) {
  const View layers = model_["layers"];
  EXPECT_TRUE(layers.ok());
  EXPECT_EQ(layers.kind(), NodeKind::kList);
  EXPECT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers.path(), ".layers");
  EXPECT_EQ(layers[1]["bias"].path(), ".layers[1].bias");
  EXPECT_EQ(model_.path(), "");
  EXPECT_EQ(model_.node(), kRootNode);
  EXPECT_EQ(layers.node(), flat_.def.Find(".layers").value());
}

TEST_F(ViewTest, LeafAtTheRoot_IsReached) {
  const Flattened leaf = Flatten(Floats({5})).value();
  EXPECT_EQ(**View(leaf.def, leaf.params).tensor(), Floats({5}));
}

TEST_F(ViewTest, OtherLayout_IsReadByPath) {
  const Flattened linear = Flatten(Linear()).value();
  const ParamStore loose = StoreOf({{"weight", Floats({9})}});
  const View view(linear.def, loose);
  EXPECT_EQ(**view["weight"].tensor(), Floats({9}));
  EXPECT_THAT(view["bias"].leaf(), StatusIs(kNotFound, HasSubstr("at .bias: the leaf is not in")));
}

TEST_F(ViewTest, OtherLayoutWhosePathsFormNoTree_IsReadByPath) {
  const Flattened linear = Flatten(Linear()).value();
  const ParamStore loose = StoreOf({{"bias", Floats({1})}, {"weight", Floats({9})}});
  ParamStore no_tree = loose.Snapshot().value();
  ASSERT_THAT(no_tree.Insert(Path().Attribute("bias").Index(0), Floats({2})), IsOk());
  EXPECT_EQ(**View(linear.def, no_tree)["weight"].tensor(), Floats({9}));
  EXPECT_EQ(**View(linear.def, no_tree)["bias"].tensor(), Floats({1}));
}

TEST_F(ViewTest, StoreAlone_HasItsOwnStructure) {
  EXPECT_EQ(**View(flat_.params)["activation"].value(), Value("gelu"));
  const ParamStore loose = StoreOf({{"weight", Floats({9})}});
  EXPECT_EQ(**View(loose)["weight"].tensor(), Floats({9}));
}

TEST_F(ViewTest, PathsThatFormNoTree_AreAnErrorAtTheEnd) {
  std::vector<std::pair<Path, Leaf>> entries;
  entries.emplace_back(Path().Attribute("a"), Floats({1}));
  entries.emplace_back(Path().Attribute("a").Index(0), Floats({1}));
  const ParamStore store = ParamStore::FromEntries(std::move(entries)).value();
  EXPECT_THAT(View(store)["a"].leaf(), StatusIs(kInvalid, HasSubstr("'.a' and '.a[0]'")));
}

TEST_F(ViewTest, Alias_IsFollowedToItsOwner) {
  const auto node = std::make_shared<Tree>(Tree::List().Add(Floats({1})));
  Tree tree = Tree::Dict().With("a", Tree::Shared(node)).With("b", Tree::Shared(node));
  const Flattened tied = Flatten(std::move(tree)).value();
  const View view(tied.def, tied.params);
  EXPECT_EQ(**view["b"][0].tensor(), Floats({1}));
  EXPECT_EQ(view["b"].path(), "['a']");  // the owner's
  EXPECT_EQ(view["b"].kind(), NodeKind::kList);
}

// ---- errors ----

TEST_F(ViewTest, FailedKey_IsReportedAtTheEnd) {
  const View lost = model_["layres"][7]["nothing"];
  EXPECT_FALSE(lost.ok());
  const auto at_the_first = StatusIs(
      kNotFound, AllOf(HasSubstr("at (root): expected a child .layres, found a struct of 5"),
                       HasSubstr("did you mean .layers?")));
  EXPECT_THAT(lost.status(), at_the_first);
  EXPECT_THAT(lost.leaf(), at_the_first);
  EXPECT_THAT(lost.tensor(), at_the_first);
  EXPECT_THAT(lost.value(), at_the_first);
  EXPECT_THAT(lost.Build<Tree>(), at_the_first);
  EXPECT_THAT(lost.Build<Linear>(), at_the_first);
}

TEST_F(ViewTest, PositionOutOfRange_IsNotFound) {
  EXPECT_THAT(
      model_["layers"][2].leaf(),
      StatusIs(kNotFound, "at .layers: expected a child [2], found a list of 2 without it"));
  EXPECT_THAT(
      model_["layers"][-1].leaf(),
      StatusIs(kNotFound, "at .layers: expected a child [-1], found a list of 2 without it"));
  EXPECT_THAT(
      model_["by_number"][0].leaf(),
      StatusIs(kNotFound, "at .by_number: expected a child [0], found a dict of 2 without it"));
}

TEST_F(ViewTest, KeyOfTheWrongKind_IsNotFound) {
  EXPECT_THAT(
      model_["layers"]["0"].leaf(),
      StatusIs(kNotFound, "at .layers: expected a child ['0'], found a list of 2 without it"));
  EXPECT_THAT(
      model_[0].leaf(),
      StatusIs(kNotFound, "at (root): expected a child [0], found a struct of 5 without it"));
  EXPECT_THAT(
      model_["by_number"]["10"].leaf(),
      StatusIs(kNotFound, "at .by_number: expected a child ['10'], found a dict of 2 without it"));
  EXPECT_THAT(model_["activation"]["x"].leaf(),
              StatusIs(kNotFound, "at .activation: expected a child ['x'], found a leaf"));
  EXPECT_THAT(model_["head"]["bias"].leaf(),
              StatusIs(kNotFound, "at .head: expected a child ['bias'], found none"));
}

TEST_F(ViewTest, EmptyDict_HasNoKeyOfEitherKind) {
  const Flattened empty = Flatten(Tree::Dict()).value();
  const View view(empty.def, empty.params);
  EXPECT_THAT(view["a"].leaf(), StatusIs(kNotFound, HasSubstr("a child ['a'], found a dict of 0")));
  EXPECT_THAT(view[0].leaf(), StatusIs(kNotFound, HasSubstr("a child [0], found a dict of 0")));
}

TEST_F(ViewTest, LeafOfTheWrongKind_IsAnError) {
  EXPECT_THAT(model_["layers"].leaf(),
              StatusIs(kInvalid, "at .layers: expected a leaf, found list of 2"));
  EXPECT_THAT(
      model_["activation"].tensor(),
      StatusIs(kInvalid, "at .activation: expected a tensor, found the static leaf 'gelu'"));
  EXPECT_THAT(
      model_["layers"][0]["bias"].value(),
      StatusIs(kInvalid, "at .layers[0].bias: expected a static leaf, found the tensor f32[1]"));
}

TEST_F(ViewTest, LeafOfAnotherGroup_IsNotFound) {
  const ParamStore group = GroupOf(flat_.params, {0});
  EXPECT_THAT(View(flat_.def, group)["by_number"][-1].leaf(),
              StatusIs(kNotFound, HasSubstr("at .by_number[-1]: the leaf is not in this store")));
  EXPECT_THAT(View(flat_.def, group)["activation"].leaf(), IsOk());
}

// ---- subtrees ----

TEST_F(ViewTest, Build_ReturnsOneSubtree) {
  const Linear layer = model_["layers"][1].Build<Linear>().value();
  EXPECT_THAT(ElementsOf<float>(layer.weight), ElementsAre(1, 2, 3));
  EXPECT_EQ(layer.weight.raw_data(), model_["layers"][1]["weight"].tensor().value()->raw_data());
  EXPECT_EQ(model_["layers"].Build<std::vector<Linear>>().value().size(), 2u);
  EXPECT_EQ(model_["activation"].Build<std::string>().value(), "gelu");
  EXPECT_EQ(model_.Build<Model>().value().activation, "gelu");
}

TEST_F(ViewTest, Build_ReturnsATree) {
  const Tree tree = model_["layers"][0].Build<Tree>().value();
  EXPECT_EQ(tree.kind(), NodeKind::kStruct);
  ASSERT_NE(tree.Find("bias"), nullptr);
  EXPECT_EQ(tree.Find("bias")->leaf(), Leaf(Floats({4})));
}

TEST_F(ViewTest, Build_NeedsTheLeavesOfItsSubtreeOnly) {
  const Slot bias = flat_.params.layout().Get(".layers[1].bias").value();
  const Slot weight = flat_.params.layout().Get(".layers[1].weight").value();
  const ParamStore group = GroupOf(flat_.params, {bias, weight});
  const View view(flat_.def, group);
  EXPECT_THAT(view["layers"][1].Build<Linear>(), IsOk());
  EXPECT_THAT(view["layers"].Build<std::vector<Linear>>(),
              StatusIs(kNotFound,
                       "at .layers: the store does not have all leaves:\nmissing (2):\n"
                       "  '.layers[0].bias'\n  '.layers[0].weight'"));
}

TEST_F(ViewTest, Build_TypeThatDoesNotFit_IsAnError) {
  EXPECT_THAT(model_["layers"].Build<Linear>(), StatusIs(kInvalid, HasSubstr("list")));
}

TEST_F(ViewTest, OpenBorrow_LeavesAreStillReturned) {
  Flattened flat = Flatten(Linear()).value();
  const View view(flat.def, flat.params);
  {
    MutableTensor writing = flat.params.Mutate(".bias").value();
    writing.span<float>()[0] = 7;
    EXPECT_EQ(view["weight"].tensor().value(), &flat.params.Find(".weight")->tensor());
    EXPECT_EQ(view["bias"].leaf().value(), flat.params.Find(".bias"));
  }
  const MutableLeaves writing = flat.params.MutateAll().value();
  EXPECT_EQ(view["bias"].tensor().value()->span<float>()[0], 7);
  EXPECT_THAT(view.Build<Linear>(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                             HasSubstr("cannot build a part of a model")));
}

TEST_F(ViewTest, Build_OpenBorrow_IsAnError) {
  Flattened flat = Flatten(Linear()).value();
  const View view(flat.def, flat.params);
  const MutableTensor writing = flat.params.Mutate(".bias").value();
  EXPECT_THAT(view.Build<Linear>(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                             HasSubstr("cannot build a part of a model")));
}

// Checks that every leaf is reached by its keys.
TEST_F(ViewTest, RandomModels_EveryPathIsReached) {
  for (uint32_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::vector<Tree> open;
    for (int i = 0; i < 40; ++i) {
      Tree leaf = Value(i);
      Tree node;
      switch (random() % 4) {
        case 0:
          node = Tree::List().Add(std::move(leaf));
          break;
        case 1:
          node = Tree::Struct().With(absl::StrCat("f", random() % 5), std::move(leaf));
          break;
        case 2:
          node = Tree::Dict().With(static_cast<int64_t>(random() % 9) - 4, std::move(leaf));
          break;
        default:
          node = Tree::Dict().With("k", std::move(leaf));
      }
      if (!open.empty() && random() % 2 == 0) {
        node = Tree::List().Add(std::move(node)).Add(std::move(open.back()));
        open.pop_back();
      }
      open.push_back(std::move(node));
    }
    Tree tuple = Tree::Tuple();
    for (Tree& node : open) tuple.Add(std::move(node));
    const Flattened flat = Flatten(std::move(tuple)).value();
    for (uint32_t place = 0; place < flat.params.size(); ++place) {
      View view(flat.def, flat.params);
      const Path path = flat.params.layout().PathOf(place);
      for (const Key& key : path.keys()) {
        view = key.kind() == KeyKind::kIndex ? view[key.index()] : view[key.name()];
      }
      ASSERT_EQ(view.leaf().value(), &flat.params.leaf(place)) << flat.params.PathText(place);
    }
  }
}

}  // namespace
}  // namespace leafstore
