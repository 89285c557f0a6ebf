#include "leafstore/pack/pack.h"

#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/pack/sample_packs.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

static_assert(!std::is_copy_constructible_v<Packed>);
static_assert(std::is_nothrow_move_constructible_v<Packed>);
static_assert(!std::is_copy_constructible_v<MutablePack>);

template <typename T>
concept GivesPlan = requires(T packed) {
  std::forward<T>(packed).pack_layout();
};
template <typename T>
concept GivesRest = requires(T packed) {
  std::forward<T>(packed).rest();
};
// References into a temporary would dangle.
static_assert(GivesPlan<const Packed&> && !GivesPlan<Packed>);
static_assert(GivesRest<const Packed&> && !GivesRest<Packed>);

// ---- making one ----

TEST(PackTest, Create_PacksTheTensorsOfOneDTypeInOneAlignedBuffer) {
  const Packed packed = PackedSample();
  EXPECT_EQ(packed.dtype(), DType::kF32);
  EXPECT_EQ(packed.pack_layout().size(), 2u);
  const absl::Span<const float> all = packed.span<float>();
  EXPECT_EQ(all.size(), 32u);  // two runs of 64 bytes
  EXPECT_EQ(reinterpret_cast<uintptr_t>(all.data()) % 64, 0u);
  EXPECT_THAT(packed.span<float>(0), ElementsAre(1, 2, 3));
  EXPECT_THAT(packed.span<float>(1), ElementsAre(4, 5));
  EXPECT_EQ(packed.span<float>(1).data(), all.data() + 16);
}

TEST(PackTest, Gaps_AreZero) {
  const Packed packed = PackedSample();
  EXPECT_EQ(GapBytes(packed).size(), 52u + 56u);
  EXPECT_THAT(GapBytes(packed), Each(0));
}

TEST(PackTest, OtherLeaves_AreInRest) {
  const Packed packed = PackedSample();
  EXPECT_EQ(packed.slots().size(), 4u);
  EXPECT_EQ(packed.rest().size(), 2u);
  EXPECT_EQ(*packed.rest().FindSlot(1), Leaf(Ints({7})));
  EXPECT_EQ(*packed.rest().FindSlot(3), Leaf(Value("gelu")));
  EXPECT_EQ(packed.rest().layout(), packed.layout());
}

TEST(PackTest, CreateFromAnRvalue_EmptiesTheStore) {
  ParamStore store = SampleStore();
  const Packed packed = Packed::Create(std::move(store), DType::kF32).value();
  EXPECT_TRUE(store.empty());  // NOLINT(bugprone-use-after-move): what the header promises
  EXPECT_EQ(packed.slots().size(), 4u);
}

TEST(PackTest, CreateFromAConstStore_KeepsTheStore) {
  const ParamStore store = SampleStore();
  Packed packed = Packed::Create(store, DType::kF32).value();
  WriteFirst(packed, 99);
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(1, 2, 3));
  EXPECT_EQ(store.size(), 4u);
}

TEST(PackTest, PackOfAGroup_KeepsItsSlots) {
  const ParamStore store = SampleStore();
  const Packed packed = Packed::Create(GroupOf(store, {2, 3}), DType::kF32).value();
  EXPECT_EQ(packed.layout(), store.layout());
  EXPECT_EQ(packed.pack_layout().size(), 1u);
  EXPECT_EQ(packed.pack_layout().slot(0), 2u);
  const ParamStore view = packed.store().value();
  EXPECT_EQ(view.size(), 2u);
  EXPECT_THAT(ElementsOf<float>(*view.FindSlot(2)), ElementsAre(4, 5));
  EXPECT_EQ(view.FindSlot(0), nullptr);
}

TEST(PackTest, WithoutATensorOfTheDType_AllLeavesAreInRest) {
  Packed packed = Packed::Create(SampleStore(), DType::kF64).value();
  EXPECT_EQ(packed.pack_layout().size(), 0u);
  EXPECT_EQ(packed.rest().size(), 4u);
  EXPECT_TRUE(packed.span<double>().empty());
  { MutablePack writing = packed.Mutate().value(); }
  EXPECT_THAT(FloatsAt(packed.store().value(), ".a"), ElementsAre(1, 2, 3));
}

TEST(PackTest, PackOfAnEmptyStore_IsEmpty) {
  const Packed packed = Packed::Create(ParamStore(), DType::kF32).value();
  EXPECT_TRUE(packed.store().value().empty());
}

TEST(PackTest, EmptyTensorsAndSubByteTypes_ArePacked) {
  const std::vector<uint8_t> codes = {0x21, 0x43, 0x65};
  const Tensor bytes = VectorOf(codes);
  Buffer buffer = Buffer::Allocate(3).value();
  std::memcpy(buffer.mutable_data(), codes.data(), 3);
  const Tensor f6 = Tensor::FromBuffer(DType::kF6E3M2, {4}, buffer).value();
  const Tensor empty = Tensor::Zeros(DType::kF6E3M2, {0}).value();
  Packed packed =
      Packed::Create(StoreOf({{"a", empty}, {"b", f6}, {"c", f6}}), DType::kF6E3M2).value();
  EXPECT_EQ(packed.pack_layout().byte_size(), 128);
  { MutablePack writing = packed.Mutate().value(); }
  const ParamStore view = packed.store().value();
  EXPECT_EQ(view.leaf(0), Leaf(empty));
  EXPECT_EQ(view.leaf(1), Leaf(f6));
  EXPECT_EQ(view.leaf(2), Leaf(f6));
}

TEST(PackTest, CreateDuringABorrow_IsAnError) {
  ParamStore store = SampleStore();
  {
    const MutableTensor writing = store.Mutate(".a").value();
    EXPECT_THAT(Packed::Create(store, DType::kF32),
                StatusIs(kPrecondition, HasSubstr("cannot pack a store while")));
    EXPECT_THAT(Packed::Create(std::move(store), DType::kF32),
                StatusIs(kPrecondition, HasSubstr("cannot pack a store while")));
  }
  EXPECT_EQ(store.size(), 4u);  // NOLINT(bugprone-use-after-move): a failed call changes nothing
}

TEST(PackTest, CreateWithoutMemory_IsAnErrorAndTheStoreStays) {
  ParamStore store = StoreOf({{"a", Floats({1})}, {"b", HugeTensor()}});
  const auto no_memory = StatusIs(absl::StatusCode::kResourceExhausted,
                                  HasSubstr("no memory for a buffer of 4611686018427387968 bytes"));
  EXPECT_THAT(Packed::Create(store, DType::kF32), no_memory);
  EXPECT_THAT(Packed::Create(std::move(store), DType::kF32), no_memory);
  EXPECT_EQ(store.size(), 2u);  // NOLINT(bugprone-use-after-move): a failed call changes nothing
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(1));  // NOLINT
}

// ---- reading ----

TEST(PackDeathTest, ReadingAsAnotherType_Terminates) {
  const Packed packed = PackedSample();
  EXPECT_DEATH((void)packed.span<double>(), "expected a pack of f64, found one of f32");
  EXPECT_DEATH((void)packed.span<int32_t>(0), "expected a pack of i32, found one of f32");
}

TEST(PackDeathTest, ReadingAPlaceThatDoesNotExist_Terminates) {
  const Packed packed = PackedSample();
  EXPECT_DEATH((void)packed.span<float>(2), "place in a pack: expected one below 2, found 2");
}

// ---- writing ----

TEST(PackTest, Span_WritesOneLeafByItsPlace) {
  Packed packed = PackedSample();
  {
    MutablePack writing = packed.Mutate().value();
    EXPECT_EQ(writing.pack_layout(), packed.pack_layout());
    EXPECT_EQ(writing.dtype(), DType::kF32);
    writing.span<float>(1)[1] = 50;
  }
  EXPECT_THAT(packed.span<float>(1), ElementsAre(4, 50));
  EXPECT_THAT(packed.span<float>(0), ElementsAre(1, 2, 3));
}

TEST(PackTest, WritesIntoGaps_AreCleared) {
  Packed packed = PackedSample();
  {
    MutablePack writing = packed.Mutate().value();
    const absl::Span<float> all = writing.span<float>();
    for (float& x : all) x += 1;
  }
  EXPECT_THAT(packed.span<float>(0), ElementsAre(2, 3, 4));
  EXPECT_THAT(packed.span<float>(1), ElementsAre(5, 6));
  EXPECT_THAT(GapBytes(packed), Each(0));
  {
    MutablePack writing = packed.Mutate().value();
    for (std::byte& byte : writing.bytes()) byte = std::byte{0xff};
  }
  EXPECT_THAT(GapBytes(packed), Each(0));
}

TEST(PackDeathTest, WritingAsAnotherTypeOrPlace_Terminates) {
  Packed packed = PackedSample();
  MutablePack writing = packed.Mutate().value();
  EXPECT_DEATH((void)writing.span<double>(), "expected a pack of f64, found one of f32");
  EXPECT_DEATH((void)writing.span<double>(0), "expected a pack of f64, found one of f32");
  EXPECT_DEATH((void)writing.span<float>(9), "place in a pack: expected one below 2, found 9");
}

TEST(PackDeathTest, ReadingWhileABorrowIsOpen_Terminates) {
  Packed packed = PackedSample();
  const MutablePack writing = packed.Mutate().value();
  EXPECT_DEATH((void)packed.span<float>(),
               "cannot read the pack while a mutable borrow of this pack is open");
  EXPECT_DEATH((void)packed.span<float>(0),
               "cannot read the pack while a mutable borrow of this pack is open");
}

TEST(PackTest, DuringABorrow_OtherCallsAreErrors) {
  Packed packed = PackedSample();
  const ParamStore like = packed.store().value();
  {
    MutablePack writing = packed.Mutate().value();
    const auto is_open = [](absl::string_view what) {
      return StatusIs(kPrecondition, AllOf(HasSubstr(std::string(what)),
                                           HasSubstr("a mutable borrow of this pack is open")));
    };
    EXPECT_THAT(packed.Mutate(), is_open("open the pack for writing"));
    EXPECT_THAT(packed.MutateRest(), is_open("open the rest of the pack"));
    EXPECT_THAT(packed.store(), is_open("view the pack"));
    EXPECT_THAT(packed.Snapshot(), is_open("take a snapshot"));
    EXPECT_THAT(packed.bytes(), is_open("read the pack"));
    EXPECT_THAT(packed.Assign(like), is_open("assign to the pack"));
    EXPECT_THAT(Packed::ZerosLike(packed), is_open("make zeros"));
    EXPECT_THAT(std::move(packed).Unpack(), is_open("view the pack"));
    writing.span<float>(0)[0] = 10;
  }
  EXPECT_THAT(packed.span<float>(0), ElementsAre(10, 2, 3));  // NOLINT: Unpack failed
}

TEST(PackTest, Borrow_ClosesEarlyAndOnce) {
  Packed packed = PackedSample();
  MutablePack writing = packed.Mutate().value();
  writing.Close();
  const uint64_t generation = packed.generation();
  writing.Close();
  EXPECT_EQ(packed.generation(), generation);
  EXPECT_THAT(packed.store(), IsOk());
}

TEST(PackTest, MovedBorrow_ClosesOnce) {
  Packed packed = PackedSample();
  {
    MutablePack first = packed.Mutate().value();
    MutablePack second = std::move(first);
    first.Close();  // NOLINT(bugprone-use-after-move): closed already
    EXPECT_THAT(packed.store(), StatusIs(kPrecondition, HasSubstr("close it first")));
    second.span<float>(0)[0] = 5;
    Packed other = PackedSample();
    second = other.Mutate().value();  // closes the first
    EXPECT_THAT(packed.span<float>(0), ElementsAre(5, 2, 3));
    EXPECT_THAT(other.store(), StatusIs(kPrecondition, HasSubstr("close it first")));
  }
  EXPECT_THAT(packed.store(), IsOk());
}

TEST(PackTest, Pack_MayMoveDuringABorrow) {
  Packed packed = PackedSample();
  std::optional<MutablePack> writing = packed.Mutate().value();
  Packed moved = std::move(packed);
  EXPECT_THAT(moved.store(), StatusIs(kPrecondition, HasSubstr("close it first")));
  writing->span<float>(0)[0] = 5;
  writing.reset();
  EXPECT_THAT(moved.span<float>(0), ElementsAre(5, 2, 3));
}

TEST(PackTest, Borrow_MayOutliveThePack) {
  std::optional<Packed> packed = PackedSample();
  MutablePack writing = packed->Mutate().value();
  packed.reset();
  writing.span<float>()[0] = 5;
}

// ---- the rest ----

TEST(PackTest, MutateRest_WritesTheRest) {
  Packed packed = PackedSample();
  const ParamStore before = packed.store().value();
  const uint64_t generation = packed.generation();
  {
    MutableLeaves rest = packed.MutateRest().value();
    rest.GetSpan<int32_t>(0).value()[0] = 70;
    EXPECT_THAT(packed.store(), StatusIs(kPrecondition, HasSubstr("view the pack")));
    EXPECT_THAT(packed.Mutate(), StatusIs(kPrecondition, HasSubstr("open the pack")));
    EXPECT_THAT(packed.Snapshot(), StatusIs(kPrecondition, HasSubstr("snapshot")));
  }
  EXPECT_GT(packed.generation(), generation);
  EXPECT_EQ(*before.FindSlot(1), Leaf(Ints({7})));
  EXPECT_EQ(*packed.store()->FindSlot(1), Leaf(Ints({70})));
}

// ---- alike ----

TEST(PackTest, CreateLike_HasTheSameOffsets) {
  const ParamStore params = SampleStore();
  const Packed packed = Packed::Create(params, DType::kF32).value();
  const ParamStore grads =
      StoreLike(params, {Floats({10, 20, 30}), Ints({0}), Floats({40, 50}), Value("anything")});
  const Packed like = Packed::CreateLike(packed, grads).value();
  EXPECT_EQ(&like.pack_layout().slots(), &packed.pack_layout().slots());  // one object
  EXPECT_THAT(like.span<float>(1), ElementsAre(40, 50));
  EXPECT_THAT(GapBytes(like), Each(0));
}

TEST(PackTest, CreateLike_AcceptsOtherLeaves) {
  const ParamStore params = SampleStore();
  const Packed packed = Packed::Create(params, DType::kF32).value();
  const Packed like = Packed::CreateLike(packed, GroupOf(params, {0, 2})).value();
  EXPECT_EQ(like.pack_layout(), packed.pack_layout());
  EXPECT_EQ(like.slots().size(), 2u);
  EXPECT_TRUE(like.rest().empty());
}

TEST(PackTest, CreateLike_NamesAllMismatches) {
  const ParamStore params = SampleStore();
  const Packed packed = Packed::Create(params, DType::kF32).value();
  EXPECT_THAT(Packed::CreateLike(packed, SampleStore()),
              StatusIs(kInvalid, HasSubstr("found a different one")));
  const ParamStore wrong = StoreLike(params, {Floats({1}), Ints({0}), Ints({1, 2}), Value("gelu")});
  EXPECT_THAT(Packed::CreateLike(packed, wrong),
              StatusIs(kInvalid, AllOf(HasSubstr(".a"), HasSubstr("f32[3]"), HasSubstr("f32[1]"),
                                       HasSubstr(".c"), HasSubstr("f32[2]"), HasSubstr("i32[2]"))));
  EXPECT_THAT(Packed::CreateLike(packed, GroupOf(params, {0})),
              StatusIs(kInvalid, "the store does not fit the pack:\nmissing (1):\n  '.c'"));
}

TEST(PackTest, ZerosLike_HasTheSamePlacesAndKeepsStaticLeaves) {
  const Packed packed = PackedSample();
  const Packed zeros = Packed::ZerosLike(packed).value();
  EXPECT_EQ(zeros.pack_layout(), packed.pack_layout());
  EXPECT_THAT(zeros.span<float>(), Each(0));
  const ParamStore view = zeros.store().value();
  EXPECT_EQ(view.leaf(1), Leaf(Ints({0})));
  EXPECT_EQ(view.leaf(3), Leaf(Value("gelu")));
  EXPECT_THAT(packed.span<float>(0), ElementsAre(1, 2, 3));
}

TEST(PackTest, Assign_CopiesInPlace) {
  const ParamStore params = SampleStore();
  Packed packed = Packed::Create(params, DType::kF32).value();
  const std::byte* const before = Address(packed);
  const uint64_t generation = packed.generation();
  { const ParamStore view = packed.store().value(); }
  EXPECT_THAT(packed.Assign(
                  StoreLike(params, {Floats({7, 8, 9}), Ints({1}), Floats({5, 6}), Value("relu")})),
              IsOk());
  EXPECT_EQ(Address(packed), before);
  EXPECT_GT(packed.generation(), generation);
  EXPECT_THAT(packed.span<float>(0), ElementsAre(7, 8, 9));
  EXPECT_THAT(GapBytes(packed), Each(0));
  const ParamStore after = packed.store().value();
  EXPECT_EQ(after.leaf(1), Leaf(Ints({1})));
  EXPECT_EQ(after.leaf(3), Leaf(Value("relu")));
}

TEST(PackTest, Assign_DoesNotChangeLiveViews) {
  const ParamStore params = SampleStore();
  Packed packed = Packed::Create(params, DType::kF32).value();
  const ParamStore view = packed.store().value();
  EXPECT_THAT(packed.Assign(
                  StoreLike(params, {Floats({7, 8, 9}), Ints({1}), Floats({5, 6}), Value("relu")})),
              IsOk());
  EXPECT_THAT(FloatsAt(view, ".a"), ElementsAre(1, 2, 3));
  EXPECT_THAT(GapBytes(packed), Each(0));
}

TEST(PackTest, Assign_AcceptsThePacksOwnStore) {
  Packed packed = PackedSample();
  EXPECT_THAT(packed.Assign(packed.store().value()), IsOk());
  EXPECT_THAT(packed.span<float>(0), ElementsAre(1, 2, 3));
  EXPECT_EQ(*packed.store()->FindSlot(3), Leaf(Value("gelu")));
}

TEST(PackTest, AssignOfAMismatchedStore_ChangesNothing) {
  const ParamStore params = SampleStore();
  Packed packed = Packed::Create(params, DType::kF32).value();
  const uint64_t generation = packed.generation();
  EXPECT_THAT(packed.Assign(SampleStore()), StatusIs(kInvalid, HasSubstr("found a different one")));
  EXPECT_THAT(packed.Assign(GroupOf(params, {0, 2})),
              StatusIs(kInvalid, HasSubstr("found a store with other slots")));
  EXPECT_THAT(
      packed.Assign(StoreLike(params, {Floats({7, 8, 9}), Floats({1}), Floats({5}), Value(1)})),
      StatusIs(kInvalid, AllOf(HasSubstr(".b"), HasSubstr("i32[1]"), HasSubstr("f32[1]"),
                               HasSubstr(".c"), HasSubstr("f32[2]"), HasSubstr(".d"),
                               HasSubstr("static str"), HasSubstr("static int"))));
  ParamStore open = StoreLike(params, {Floats({7, 8, 9}), Ints({1}), Floats({5, 6}), Value("x")});
  const MutableTensor writing = open.Mutate(".a").value();
  EXPECT_THAT(packed.Assign(open), StatusIs(kPrecondition, HasSubstr("assign a store to a pack")));
  EXPECT_EQ(packed.generation(), generation);
  EXPECT_THAT(packed.span<float>(0), ElementsAre(1, 2, 3));
}

// ---- unpacking ----

TEST(PackTest, Unpack_ReturnsTheGroup) {
  const ParamStore params = SampleStore();
  Packed packed = Packed::Create(params, DType::kF32).value();
  WriteFirst(packed, 9);
  ParamStore group = std::move(packed).Unpack().value();
  EXPECT_EQ(group.layout(), params.layout());
  EXPECT_EQ(group.slots(), params.slots());
  EXPECT_THAT(FloatsAt(group, ".a"), ElementsAre(9, 2, 3));
  EXPECT_EQ(*group.FindSlot(3), Leaf(Value("gelu")));
  {
    MutableTensor writing = group.Mutate(".a").value();
    writing.span<float>()[0] = 10;
  }
  EXPECT_THAT(FloatsAt(group, ".c"), ElementsAre(4, 5));
}

// ---- all together ----

// Compares a pack with plain vectors; views are kept and dropped at random.
TEST(PackTest, RandomSteps_AgreeWithVectors) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const auto pick = [&random](uint32_t below) { return random() % below; };
    std::vector<std::vector<float>> model;
    std::vector<std::pair<std::string, Leaf>> entries;
    for (uint32_t i = 0; i < 1 + pick(9); ++i) {
      model.emplace_back(pick(40), static_cast<float>(i));
      entries.emplace_back(absl::StrCat("p", i), Floats(model.back()));
    }
    entries.emplace_back("z", Value(1));
    Packed packed = Packed::Create(StoreOf(std::move(entries)), DType::kF32).value();
    std::vector<std::pair<ParamStore, std::vector<std::vector<float>>>> views;
    for (int step = 0; step < 60; ++step) {
      const uint32_t place = pick(static_cast<uint32_t>(model.size()));
      switch (pick(6)) {
        case 0:
          views.emplace_back(packed.store().value(), model);
          break;
        case 1:
          views.emplace_back(packed.Snapshot().value().store().value(), model);
          break;
        case 2:
          if (!views.empty())
            views.erase(views.begin() + pick(static_cast<uint32_t>(views.size())));
          break;
        case 3: {
          MutablePack writing = packed.Mutate().value();
          const absl::Span<float> all = writing.span<float>();
          for (float& x : all) x += 1;
          for (std::vector<float>& values : model) {
            for (float& x : values) x += 1;
          }
          break;
        }
        case 4: {
          MutablePack writing = packed.Mutate().value();
          const absl::Span<float> leaf = writing.span<float>(place);
          for (float& x : leaf) x *= 2;
          for (float& x : model[place]) x *= 2;
          break;
        }
        default:
          if (!views.empty()) {
            ASSERT_THAT(packed.Assign(views[0].first), IsOk());
            model = views[0].second;
          }
      }
      for (uint32_t i = 0; i < model.size(); ++i) {
        ASSERT_THAT(packed.span<float>(i), testing::ElementsAreArray(model[i]));
      }
      ASSERT_THAT(GapBytes(packed), Each(0));
      for (const auto& [view, expected] : views) {
        for (uint32_t i = 0; i < expected.size(); ++i) {
          ASSERT_EQ(ElementsOf<float>(view.leaf(i)), expected[i]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace leafstore
