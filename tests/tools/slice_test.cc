#include "leafstore/tools/present/slice.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"

namespace leafstore::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// [[0, 1, ..., 5], [6, ...], [12, ...], [18, ..., 23]]
Tensor Counted() {
  std::vector<int32_t> values(24);
  for (int32_t i = 0; i < 24; ++i) values[static_cast<size_t>(i)] = i;
  return Tensor::From<int32_t>({4, 6}, absl::MakeConstSpan(values)).value();
}

// Returns what a slice selects from Counted(), of which only the rows that it needs are there.
Tensor TakeFromRows(const Slice& slice) {
  const Tensor all = Counted();
  const RowRange rows = slice.RowsOf(all.shape()).value();
  const Tensor some = Tensor::From<int32_t>({rows.end - rows.begin, 6},
                                            all.span<int32_t>().subspan(
                                                static_cast<size_t>(rows.begin * 6),
                                                static_cast<size_t>((rows.end - rows.begin) * 6)))
                          .value();
  return slice.ApplyToRows(some, all.shape(), rows.begin).value().ToTensor().value();
}

std::vector<int32_t> Take(const std::string& text, std::vector<int64_t>* shape = nullptr) {
  const TensorView view = Slice::Parse(text).value().Apply(Counted()).value();
  const Tensor part = view.ToTensor().value();
  EXPECT_TRUE(TakeFromRows(Slice::Parse(text).value()) == part) << text;
  if (shape != nullptr) *shape = view.shape;
  const absl::Span<const int32_t> values = part.span<int32_t>();
  return {values.begin(), values.end()};
}

TEST(SliceTest, Position_RemovesItsAxis) {
  std::vector<int64_t> shape;
  EXPECT_THAT(Take("1", &shape), ElementsAre(6, 7, 8, 9, 10, 11));
  EXPECT_THAT(shape, ElementsAre(6));
  EXPECT_THAT(Take("1, 2", &shape), ElementsAre(8));
  EXPECT_THAT(shape, IsEmpty());
  EXPECT_THAT(Take("-1,-1"), ElementsAre(23));
}

TEST(SliceTest, Ranges_AreClampedAsInPython) {
  std::vector<int64_t> shape;
  EXPECT_THAT(Take("0:2, ::3", &shape), ElementsAre(0, 3, 6, 9));
  EXPECT_THAT(shape, ElementsAre(2, 2));
  EXPECT_THAT(Take("2:100, -2:"), ElementsAre(16, 17, 22, 23));
  EXPECT_THAT(Take("3:1", &shape), IsEmpty());
  EXPECT_THAT(shape, ElementsAre(0, 6));
  EXPECT_THAT(Take("-100:1, :-5"), ElementsAre(0));
}

TEST(SliceTest, NegativeSteps_GoBackwards) {
  EXPECT_THAT(Take("::-1, 0"), ElementsAre(18, 12, 6, 0));
  EXPECT_THAT(Take("0, 4:1:-2"), ElementsAre(4, 2));
  EXPECT_THAT(Take("0, 100::-5"), ElementsAre(5, 0));
  EXPECT_THAT(Take("0, :-3:-1"), ElementsAre(5, 4));
}

TEST(SliceTest, Ellipsis_MeansFullAxes) {
  EXPECT_THAT(Take("..., 5"), ElementsAre(5, 11, 17, 23));
  EXPECT_THAT(Take("3, ..."), ElementsAre(18, 19, 20, 21, 22, 23));
  EXPECT_EQ(Take("...").size(), 24u);
}

TEST(SliceTest, InvalidSlice_IsAnErrorWithTheColumn) {
  EXPECT_THAT(Slice::Parse("0:1, x"), StatusIs(kInvalid, HasSubstr("column 5: expected a number")));
  EXPECT_THAT(Slice::Parse(""), StatusIs(kInvalid, HasSubstr("column 1")));
  EXPECT_THAT(Slice::Parse("1:2:3:4"), StatusIs(kInvalid, HasSubstr("found '1:2:3:4'")));
  EXPECT_THAT(Slice::Parse("::0"), StatusIs(kInvalid, HasSubstr("other than 0")));
  EXPECT_THAT(Slice::Parse("..., ..."), StatusIs(kInvalid, HasSubstr("found another")));
}

TEST(SliceTest, PositionOutsideOfTheShape_IsAnError) {
  const Tensor tensor = Counted();
  EXPECT_THAT(Slice::Parse("4").value().Apply(tensor),
              StatusIs(kInvalid, HasSubstr("index 4 is out of bounds for axis 0")));
  EXPECT_THAT(Slice::Parse("0, -7").value().Apply(tensor),
              StatusIs(kInvalid, HasSubstr("index -7 is out of bounds for axis 1")));
  EXPECT_THAT(Slice::Parse("0, 0, 0").value().Apply(tensor),
              StatusIs(kInvalid, HasSubstr("at most 2")));
}

TEST(SliceTest, LargestSteps_DoNotOverflow) {
  EXPECT_THAT(Take("::9223372036854775807, 0"), ElementsAre(0));
  EXPECT_THAT(Take("::-9223372036854775808, 0"), ElementsAre(18));
  EXPECT_THAT(Take("-9223372036854775808:9223372036854775807, 0"), ElementsAre(0, 6, 12, 18));
}

TEST(SliceTest, PartOfASubByteTensor_IsAnError) {
  const Tensor nibbles = Tensor::Zeros(DType::kF4, {2, 4}).value();
  EXPECT_THAT(Slice::Parse("0, 1").value().Apply(nibbles).value().ToTensor(),
              StatusIs(kInvalid, HasSubstr("f4")));
  EXPECT_TRUE(Slice::Parse("...").value().Apply(nibbles).value().ToTensor().ok());
}

}  // namespace
}  // namespace leafstore::tools
