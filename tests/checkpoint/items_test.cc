// CheckpointItem: its contents until it is saved, and an optimizer's state under a prefix.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/optim/optimizer.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ParamStore ParamsOf(float value) {
  return ParamStore::FromEntries(
             {{Path().Attribute("b"), Tensor::From<float>({2}, {value, value}).value()},
              {Path().Attribute("w"), Tensor::From<float>({3}, {value, 1, 2}).value()}})
      .value();
}

class ItemsTest : public testing::Test {
 protected:
  CheckpointReader Open() { return CheckpointReader::Open(path_).value(); }

  const SaveOptions options_{.io = {.durable = false}};
  const ParamStore with_leaves_ = ParamsOf(1);
  const ParamStore without_;
  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

TEST_F(ItemsTest, Item_OutlivesItsStore) {
  std::vector<CheckpointItem> items;
  {
    const ParamStore store = ParamsOf(7);
    items.emplace_back("lvalue", store);
    items.emplace_back("with a structure", EveryKind(), EveryKindStore());
    items.emplace_back("rvalue", ParamsOf(8));
  }
  ASSERT_THAT(SaveCheckpoint(path_, items, options_), IsOk());
  const CheckpointReader reader = Open();
  EXPECT_THAT(reader.items(), ElementsAre("lvalue", "with a structure", "rvalue"));
  EXPECT_TRUE(reader.LoadLeaf("lvalue", ".w").value() == LeafOf(ParamsOf(7), 1));
  EXPECT_TRUE(reader.LoadLeaf("rvalue", ".w").value() == LeafOf(ParamsOf(8), 1));
  EXPECT_TRUE(reader.LoadLeaf("with a structure", ".embed").value() == LeafOf(EveryKindStore(), 2));
}

TEST_F(ItemsTest, Item_HoldsASnapshot) {
  ParamStore store = ParamsOf(7);
  std::vector<CheckpointItem> items;
  items.emplace_back("m", store);
  store.Mutate(".w")->span<float>()[0] = 9;
  ASSERT_THAT(SaveCheckpoint(path_, items, options_), IsOk());
  EXPECT_TRUE(Open().LoadLeaf("m", ".w").value() == LeafOf(ParamsOf(7), 1));
}

TEST_F(ItemsTest, ItemOfABorrowedStore_IsAnError) {
  ParamStore store = ParamsOf(7);
  std::vector<CheckpointItem> items;
  {
    const MutableTensor borrow = store.Mutate(".w").value();
    items.emplace_back("m", store);
  }
  EXPECT_THAT(SaveCheckpoint(path_, items, options_),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("cannot save while")));
  EXPECT_THAT(dir_.List(), IsEmpty());
}

TEST_F(ItemsTest, OptimizerState_ResumesWhereItWasSaved) {
  ParamStore params = ParamsOf(1);
  const ParamStore gradients = params.Snapshot().value();
  Optimizer adamw = Optimizer::Create(AdamW{}, params).value();
  ASSERT_THAT(adamw.Step(&params, gradients, {.lr = 0.1}), IsOk());
  ASSERT_THAT(SaveCheckpoint(path_, {{"params", params}, {"adamw", adamw.state()}}, options_),
              IsOk());
  EXPECT_THAT(Open().items(),
              ElementsAre("params", "adamw/exp_avg", "adamw/exp_avg_sq", "adamw/step"));

  ParamStore resumed = Open().Load("params").value();
  Optimizer again = Optimizer::Create(AdamW{}, resumed).value();
  ASSERT_THAT(again.LoadState(Open().LoadItems("adamw").value()), IsOk());
  const ParamStore same_gradients =
      ParamStore::Create(resumed.layout(), resumed.slots(), {gradients.leaf(0), gradients.leaf(1)})
          .value();
  ASSERT_THAT(adamw.Step(&params, gradients, {.lr = 0.1}), IsOk());
  ASSERT_THAT(again.Step(&resumed, same_gradients, {.lr = 0.1}), IsOk());
  EXPECT_TRUE(resumed.leaf(0) == params.leaf(0));
  EXPECT_TRUE(resumed.leaf(1) == params.leaf(1));
}

TEST_F(ItemsTest, LoadItems_MatchesCompletePrefixes) {
  std::vector<NamedStore> state;
  state.push_back({"bias/step", ParamsOf(1)});
  state.push_back({"rest/step", ParamsOf(2)});
  CheckpointWriter writer = CheckpointWriter::Create(path_, options_).value();
  ASSERT_THAT(writer.AddItem({"opt", ParamsOf(0)}), IsOk());
  ASSERT_THAT(writer.AddItem({"optimizer2/step", ParamsOf(0)}), IsOk());
  ASSERT_THAT(writer.AddItem({"optimizer", state, {.metadata = {{"k", "v"}}}}), IsOk());
  ASSERT_THAT(writer.Finish(), IsOk());
  const CheckpointReader reader = Open();
  const std::vector<NamedStore> loaded = reader.LoadItems("optimizer").value();
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].name, "bias/step");
  EXPECT_EQ(loaded[1].name, "rest/step");
  EXPECT_TRUE(loaded[1].store.leaf(0) == LeafOf(ParamsOf(2), 0));
  EXPECT_EQ(reader.LoadItems("optimizer/rest").value().size(), 1u);
  EXPECT_THAT(reader.LoadItems("opt"),
              StatusIs(StatusCode::kNotFound,
                       path_ + ": expected items 'opt/...', found only 'opt', 'optimizer2/step', "
                               "'optimizer/bias/step', 'optimizer/rest/step'"));
  EXPECT_THAT(
      reader.LoadItems("optimiser"),
      StatusIs(StatusCode::kNotFound, HasSubstr("; did you mean optimizer or optimizer2?")));
  EXPECT_EQ(reader.GetItem("optimizer/bias/step")->metadata().at("k"), "v");
}

TEST_F(ItemsTest, InvalidStores_AddNoItem) {
  std::vector<NamedStore> state;
  state.push_back({"step", ParamsOf(1)});
  state.push_back({"step", ParamsOf(2)});
  CheckpointWriter writer = CheckpointWriter::Create(path_, options_).value();
  EXPECT_THAT(
      writer.AddItem({"adamw", state}),
      StatusIs(StatusCode::kAlreadyExists,
               "expected items with different names, found two called 'adamw/step' for " + path_));
  state[1].name = "exp_avg";
  std::optional<MutableTensor> borrow = state[1].store.Mutate(".w").value();
  EXPECT_THAT(writer.AddItem({"adamw", state}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("cannot save while")));
  borrow.reset();  // before the store is destroyed
  state.pop_back();
  ASSERT_THAT(writer.AddItem({"adamw", state}), IsOk());
  EXPECT_THAT(writer.AddItem({"adamw", state}),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("adamw/step")));
  ASSERT_THAT(writer.Finish(), IsOk());
  EXPECT_THAT(Open().items(), ElementsAre("adamw/step"));
  EXPECT_THAT(writer.AddItem({"more", state}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("already finished")));
}

// A file cannot distinguish a prefix under which nothing was saved from a misspelt one.
TEST_F(ItemsTest, EmptyState_SavesNoItems) {
  ASSERT_THAT(SaveCheckpoint(path_, {{"adamw", std::vector<NamedStore>()}}, options_), IsOk());
  EXPECT_THAT(Open().items(), IsEmpty());
  EXPECT_THAT(
      Open().LoadItems("adamw"),
      StatusIs(StatusCode::kNotFound, path_ + ": expected items 'adamw/...', found no items"));
}

// So an optimizer without moments must have at least one item.
TEST_F(ItemsTest, OptimizerWithoutMomentsOrParameters_RoundTrips) {
  for (const ParamStore* params : {&with_leaves_, &without_}) {
    Optimizer sgd = Optimizer::Create(Sgd{}, *params).value();
    ASSERT_THAT(SaveCheckpoint(path_, {{"sgd", sgd.state()}}, options_), IsOk());
    EXPECT_THAT(Open().items(), ElementsAre("sgd/step"));
    EXPECT_THAT(sgd.LoadState(Open().LoadItems("sgd").value()), IsOk());
  }
}

TEST_F(ItemsTest, LoadItems_Error_NamesTenItems) {
  std::vector<CheckpointItem> items;
  for (int i = 0; i < 12; ++i) items.emplace_back("item " + std::to_string(i), ParamsOf(0));
  ASSERT_THAT(SaveCheckpoint(path_, std::move(items), options_), IsOk());
  EXPECT_THAT(Open().LoadItems("adamw"),
              StatusIs(StatusCode::kNotFound, HasSubstr("'item 9', and 2 more")));
}

}  // namespace
}  // namespace leafstore
