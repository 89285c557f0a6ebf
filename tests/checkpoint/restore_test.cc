// Which leaves of an item go where in a store of another structure.
#include "leafstore/checkpoint/restore.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/checkpoint/models.h"
#include "tests/checkpoint/temp_dir.h"
#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

Leaf Zeros(DType dtype, const Shape& shape) { return Tensor::Zeros(dtype, shape).value(); }

class RestoreTest : public testing::Test {
 protected:
  CheckpointReader Saved(const ParamStore& store) {
    EXPECT_THAT(SaveCheckpoint(path_, {{"params", store}}, {.durable = false}), IsOk());
    return CheckpointReader::Open(path_).value();
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

// .head is an alias of .embed: as many leaves as the item has, but one of them twice.
TEST_F(RestoreTest, ALeafThatIsMetTwiceDoesNotHideOneThatIsNot) {
  const ParamStore saved = EveryKindStore();
  const CheckpointReader reader = Saved(saved);
  const Path pair = Path().Attribute("named").Item("\xc3\xa9");
  ParamStore store =
      ParamStore::FromEntries({{Path().Attribute("act"), Value("relu")},
                               {Path().Attribute("by_number").Index(-3), Value(0)},
                               {Path().Attribute("embed"), Zeros(DType::kF32, {2, 3})},
                               {Path().Attribute("head"), Zeros(DType::kF32, {2, 3})},
                               {Path(pair).Index(0), Value(Bytes{""})},
                               {Path(pair).Index(1).Index(0), Zeros(DType::kBF16, {0, 4})}})
          .value();
  ASSERT_EQ(store.size(), saved.size());
  EXPECT_THAT(reader.LoadInto("params", &store),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(".named['a b']")));
  EXPECT_TRUE(*store.Find(".act") == Leaf(Value("relu"))) << "changed after an error";
  ASSERT_THAT(reader.LoadInto("params", &store, {.allow_unexpected = true}), IsOk());
  EXPECT_TRUE(*store.Find(".embed") == saved.leaf(2));
  EXPECT_TRUE(*store.Find(".head") == saved.leaf(2));
}

// A string of a megabyte at each of ten levels, and ten thousand leaves below: the texts of their
// paths would be a hundred gigabytes.
TEST_F(RestoreTest, StructuresMeetWithoutTheTextsOfTheirPaths) {
  constexpr int kLevels = 10;
  constexpr int kLeaves = 10'000;
  const auto deep = [&](bool with_none) {
    const std::string key(1 << 20, 'k');
    TreeDefBuilder builder;
    for (int i = 0; i < kLevels; ++i) {
      builder.Open(NodeKind::kDict);
      builder.SetKey(KeyRef::Item(key));
    }
    builder.Open(NodeKind::kList);
    for (int i = 0; i < kLeaves; ++i) builder.Leaf();
    if (with_none) builder.None();  // another structure of the same paths
    for (int i = 0; i <= kLevels; ++i) builder.Close();
    return std::move(builder).Build().value();
  };
  const auto store_of = [](const TreeDef& def, int value) {
    return ParamStore::Create(def, std::vector<Leaf>(kLeaves, Value(value))).value();
  };
  const TreeDef def = deep(false);
  const CheckpointReader reader = Saved(store_of(def, 1));
  ParamStore store = store_of(deep(true), 0);
  ASSERT_THAT(reader.LoadInto("params", &store), IsOk());
  EXPECT_TRUE(store.leaf(kLeaves - 1) == Leaf(Value(1)));
  EXPECT_THAT(SaveCheckpoint(path_, {{"params", def, store}}, {.durable = false}), IsOk());
}

}  // namespace
}  // namespace leafstore
