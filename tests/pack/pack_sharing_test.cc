// Sharing between packs, their views and their snapshots, and the generations of their leaves.
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/pack/pack.h"

#include "tests/core/status_matchers.h"
#include "tests/pack/sample_packs.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- sharing ----

TEST(PackSharingTest, UnsharedBuffer_IsWrittenInPlace) {
  Packed packed = PackedSample();
  const std::byte* const before = Address(packed);
  WriteFirst(packed, 1);
  WriteFirst(packed, 2);
  EXPECT_EQ(Address(packed), before);
}

TEST(PackSharingTest, Store_IsNotChangedByLaterWrites) {
  Packed packed = PackedSample();
  const std::byte* const before = Address(packed);
  const ParamStore view = packed.store().value();
  WriteFirst(packed, 99);
  EXPECT_THAT(FloatsAt(view, ".a"), ElementsAre(1, 2, 3));
  EXPECT_THAT(FloatsAt(packed.store().value(), ".a"), ElementsAre(99, 2, 3));
  EXPECT_NE(Address(packed), before);  // copied on write
}

TEST(PackSharingTest, LeavesOfAStore_AreViewsOfTheBuffer) {
  const Packed packed = PackedSample();
  const ParamStore view = packed.store().value();
  EXPECT_EQ(view.leaf(0).tensor().raw_data(), Address(packed));
  EXPECT_EQ(view.leaf(2).tensor().raw_data(), Address(packed) + 64);
  EXPECT_EQ(view.layout(), packed.layout());
  EXPECT_EQ(view.slots(), packed.slots());
}

TEST(PackSharingTest, DroppedStore_CostsNoCopy) {
  Packed packed = PackedSample();
  const std::byte* const before = Address(packed);
  { const ParamStore view = packed.store().value(); }
  WriteFirst(packed, 99);  // the pack's own cached view does not count
  EXPECT_EQ(Address(packed), before);
}

TEST(PackSharingTest, OneKeptLeaf_SharesTheBuffer) {
  Packed packed = PackedSample();
  const Tensor kept = packed.store()->leaf(0).tensor();
  WriteFirst(packed, 99);
  EXPECT_THAT(ElementsOf<float>(kept), ElementsAre(1, 2, 3));
}

TEST(PackSharingTest, OnlyTheFirstWriteAfterAView_Copies) {
  Packed packed = PackedSample();
  const ParamStore view = packed.store().value();
  WriteFirst(packed, 1);
  const std::byte* const own = Address(packed);
  WriteFirst(packed, 2);
  EXPECT_EQ(Address(packed), own);
  EXPECT_THAT(GapBytes(packed), Each(0));
}

TEST(PackSharingTest, WriteToAStore_DoesNotChangeThePack) {
  Packed packed = PackedSample();
  ParamStore view = packed.store().value();
  {
    MutableTensor writing = view.Mutate(".a").value();
    writing.span<float>()[0] = 77;
  }
  EXPECT_THAT(FloatsAt(view, ".a"), ElementsAre(77, 2, 3));
  EXPECT_THAT(packed.span<float>(0), ElementsAre(1, 2, 3));
  EXPECT_THAT(FloatsAt(packed.store().value(), ".a"), ElementsAre(1, 2, 3));
}

TEST(PackSharingTest, TwoStoresWithoutAWriteBetween_ShareTheirLeaves) {
  const Packed packed = PackedSample();
  const ParamStore a = packed.store().value();
  const ParamStore b = packed.store().value();
  EXPECT_EQ(a.leaves().data(), b.leaves().data());
}

TEST(PackSharingTest, Snapshot_IsIndependent) {
  Packed packed = PackedSample();
  Packed snapshot = packed.Snapshot().value();
  EXPECT_EQ(Address(snapshot), Address(packed));  // O(1)
  EXPECT_EQ(snapshot.pack_layout(), packed.pack_layout());
  WriteFirst(packed, 1000);
  EXPECT_THAT(snapshot.span<float>(0), ElementsAre(1, 2, 3));
  WriteFirst(snapshot, 2000);
  EXPECT_THAT(packed.span<float>(0), ElementsAre(1000, 2, 3));
  EXPECT_THAT(snapshot.span<float>(0), ElementsAre(2000, 2, 3));
}

TEST(PackSharingTest, Overwrite_CopiesNothingAndKeepsTheSnapshot) {
  Packed pack = Packed::Create(SampleStore(), DType::kF32).value();
  const Packed held = pack.Snapshot().value();
  const std::vector<float> before = AllNumbers(held);
  {
    MutablePack open = pack.Overwrite().value();
    EXPECT_EQ(open.before().data(), held.bytes()->data());
    EXPECT_NE(open.bytes().data(), open.before().data());
    const auto numbers = open.span<float>();
    std::fill(numbers.begin(), numbers.end(), 9.0f);
  }
  EXPECT_EQ(AllNumbers(held), before);
  for (uint32_t place = 0; place < pack.pack_layout().size(); ++place) {
    EXPECT_THAT(pack.span<float>(place), Each(9.0f));
  }
  MutablePack open = pack.Overwrite().value();
  EXPECT_EQ(open.before().data(), open.bytes().data()) << "nothing else sees these bytes";
}

TEST(PackSharingTest, Revert_RestoresTheBytes) {
  Packed pack = Packed::Create(SampleStore(), DType::kF32).value();
  const Packed held = pack.Snapshot().value();
  {
    MutablePack open = pack.Overwrite().value();
    std::fill(open.bytes().begin(), open.bytes().end(), std::byte{1});
    open.Revert();
  }
  EXPECT_EQ(pack.bytes()->data(), held.bytes()->data());
  EXPECT_EQ(AllNumbers(pack), AllNumbers(held));
}

TEST(PackSharingTest, AfterASnapshotIsDropped_WritesAreInPlace) {
  Packed packed = PackedSample();
  const std::byte* const before = Address(packed);
  {
    const Packed snapshot = packed.Snapshot().value();
    const ParamStore view = snapshot.store().value();
  }
  WriteFirst(packed, 1);
  EXPECT_EQ(Address(packed), before);
}

TEST(PackSharingTest, ViewOfASnapshot_KeepsItsBytes) {
  Packed packed = PackedSample();
  ParamStore view;
  {
    const Packed snapshot = packed.Snapshot().value();
    view = snapshot.store().value();
  }
  WriteFirst(packed, 1000);
  EXPECT_THAT(FloatsAt(view, ".a"), ElementsAre(1, 2, 3));
}

// ---- generations ----

TEST(PackSharingTest, ClosingABorrow_ChangesTheGeneration) {
  Packed packed = PackedSample();
  const uint64_t first = packed.generation();
  const ParamStore before = packed.store().value();
  WriteFirst(packed, 1);  // the number that was there
  EXPECT_GT(packed.generation(), first);
  const ParamStore after = packed.store().value();
  for (const uint32_t place : {0u, 2u}) {
    EXPECT_GT(after.leaf(place).generation(), before.leaf(place).generation());
  }
  EXPECT_EQ(after.leaf(1).generation(),
            before.leaf(1).generation());  // in the same buffer, but not written
}

TEST(PackSharingTest, Generations_StayBetweenWritesAlsoInSnapshots) {
  const Packed packed = PackedSample();
  const Packed snapshot = packed.Snapshot().value();
  const ParamStore a = snapshot.store().value();
  const ParamStore b = packed.store().value();
  EXPECT_EQ(a.leaf(0).generation(), b.leaf(0).generation());
  EXPECT_EQ(packed.generation(), snapshot.generation());
}

TEST(PackSharingTest, OpeningTheRest_ChangesTheGenerationOnce) {
  Packed packed = PackedSample();
  const uint64_t before = packed.generation();
  uint64_t open = 0;
  {
    const MutableLeaves rest = packed.MutateRest().value();
    open = packed.generation();
    EXPECT_GT(open, before);
    EXPECT_THAT(packed.MutateRest(), StatusIs(kPrecondition, HasSubstr("open the rest")));
    EXPECT_EQ(packed.generation(), open) << "a failed call changes nothing";
  }
  EXPECT_EQ(packed.generation(), open);
}

// For ThreadSanitizer: a snapshot makes the view that both share, and is destroyed.
TEST(PackSharingTest, Snapshot_MayBeViewedAndDroppedInAnotherThread) {
  Packed packed = PackedSample();
  for (int round = 0; round < 200; ++round) {
    std::thread reader([snapshot = std::make_unique<Packed>(packed.Snapshot().value())]() mutable {
      EXPECT_EQ(snapshot->store().value().size(), 4u);
      snapshot.reset();
    });
    WriteFirst(packed, static_cast<float>(round));
    reader.join();
  }
}

TEST(PackSharingTest, LeavesWithDifferentBytes_HaveDifferentGenerations) {
  Packed packed =
      Packed::Create(StoreOf({{"a", Floats({1})}, {"b", Floats({2})}}), DType::kF32).value();
  WriteFirst(packed, 3);
  const ParamStore view = packed.store().value();
  EXPECT_NE(view.leaf(0).generation(), view.leaf(1).generation());
  EXPECT_FALSE(view.leaf(0) == view.leaf(1));
}

// ---- threads ----

TEST(PackSharingTest, Views_AreMadeAndReadInOtherThreadsDuringWrites) {
  Packed packed = PackedSample();
  std::vector<std::thread> readers;
  for (int i = 0; i < 20; ++i) {
    const auto wanted = static_cast<float>(i);
    WriteFirst(packed, wanted);
    readers.emplace_back([snapshot = packed.Snapshot().value(), wanted] {
      const ParamStore view = snapshot.store().value();
      EXPECT_EQ(FloatsAt(view, ".a")[0], wanted);
    });
  }
  for (std::thread& reader : readers) reader.join();
}

TEST(PackSharingTest, ConstCalls_AreSafeFromManyThreads) {
  const Packed packed = PackedSample();
  std::vector<std::thread> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&packed] {
      EXPECT_THAT(FloatsAt(packed.store().value(), ".a"), ElementsAre(1, 2, 3));
      EXPECT_EQ(packed.Snapshot().value().generation(), packed.generation());
    });
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace leafstore
