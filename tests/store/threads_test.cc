// Several threads that use one store, or data that stores share. The tests check values, so they
// are useful in every build; ThreadSanitizer also detects values that are right by chance. Tests of
// a single class are with its other tests: ParamStoreThreadTest, GroupingTest, PackTest,
// LayoutTest.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/numeric/diff.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/definition.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/view.h"

#include "tests/core/in_threads.h"
#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr int kThreads = 4;

void Fill(absl::Span<float> numbers, float number) {
  std::fill(numbers.begin(), numbers.end(), number);
}

// ---- readers ----

// Returns calls of all const functions of a store.
std::vector<std::function<void()>> QuestionsTo(const ParamStore& store) {
  return {
      [&] { EXPECT_EQ(store.Find(".layers[1].bias"), &store.leaf(5)); },
      [&] { EXPECT_EQ(store.GetDotted("head.bias").value(), &store.leaf(1)); },
      [&] {
        EXPECT_THAT(store.Get(".head.bais"), StatusIs(kNotFound, HasSubstr("did you mean .bias?")));
      },
      [&] {
        EXPECT_EQ(store.leaves().size(), 9u);
        EXPECT_THAT(ElementsOf<float>(store.leaves()[5]), ElementsAre(20, 21));
      },
      [&] { EXPECT_EQ(store.spec_fingerprint(), store.Snapshot().value().spec_fingerprint()); },
      [&] {
        const Grouping plan =
            Grouping::Compile(store, {Glob("layers.**"), TypeIs("Linear")}).value();
        EXPECT_EQ(plan.Explain(".head.weight")->group, 1u);
        const std::vector<ParamStore> groups = plan.Split(store).value().TakeStores();
        EXPECT_THAT(PathsOf(groups[0]), ElementsAre(".layers[0].bias", ".layers[0].weight",
                                                    ".layers[1].bias", ".layers[1].weight"));
        const ParamStore merged = MergeGroups(store.layout(), PointersTo(groups)).value();
        EXPECT_THAT(merged.leaves(), ElementsAreArray(store.leaves()));
      },
      [&] {
        const View model(store);
        EXPECT_THAT(ElementsOf<float>(*model["layers"][0]["bias"].tensor().value()),
                    ElementsAre(10, 11));
        EXPECT_EQ(Flatten(model["layers"].Build<Tree>().value())->params.size(), 4u);
      },
      [&] { EXPECT_TRUE(DiffStores(store, store.Snapshot().value())->same()); },
      [&] { EXPECT_EQ(StatsOf(store)->tensors, 6); },
  };
}

// Data that is computed at the first call (path indexes, fingerprints) is requested by several
// threads at once: each thread begins with another call, and each round with a new structure.
TEST(StoreThreadsTest, NewStore_IsReadByManyThreads) {
  for (int round = 0; round < 30; ++round) {
    const ParamStore store =
        Flatten(SampleTree().With(absl::StrCat("zround", round), Value(round))).value().params;
    const std::vector<std::function<void()>> questions = QuestionsTo(store);
    InThreads(kThreads, [&questions](int i) {
      for (size_t next = 0; next < questions.size(); ++next) {
        questions[(next + 2 * static_cast<size_t>(i)) % questions.size()]();
      }
    });
  }
}

TEST(StoreThreadsTest, NewStore_FirstCallMayComeFromManyThreads) {
  const size_t count = QuestionsTo(SampleParams()).size();
  for (size_t question = 0; question < count; ++question) {
    for (int round = 0; round < 5; ++round) {
      const std::string name = absl::StrCat("zquestion", question, "_", round);
      const ParamStore store = Flatten(SampleTree().With(name, Value(round))).value().params;
      InThreads(kThreads, [&](int) { QuestionsTo(store)[question](); });
    }
  }
}

TEST(StoreThreadsTest, Definition_BuildsInManyThreads) {
  Flattened flat = Flatten(Linear()).value();
  const Definition::Taken taken = Definition::Take(flat.def, std::move(flat.params)).value();
  InThreads(kThreads, [&taken](int) {
    for (int round = 0; round < 50; ++round) {
      Linear model = taken.definition.Build<Linear>(taken.tensors).value();
      EXPECT_THAT(ElementsOf<float>(model.weight), ElementsAre(1, 2, 3));
      Fill(model.weight.Mutate()->span<float>(), 0);  // its own
    }
  });
  EXPECT_THAT(FloatsAt(taken.tensors, ".weight"), ElementsAre(1, 2, 3));
}

// ---- writers ----

TEST(StoreThreadsTest, Snapshots_AreWrittenIndependently) {
  const ParamStore store = SampleParams();
  const StoreState before(store);
  std::vector<ParamStore> snapshots;
  for (int i = 0; i < kThreads; ++i) snapshots.push_back(store.Snapshot().value());
  InThreads(kThreads + 1, [&](int i) {
    if (i == kThreads) {  // must not see the writes
      for (int round = 0; round < 200; ++round) EXPECT_EQ(StoreState(store), before);
      return;
    }
    ParamStore& own = snapshots[static_cast<size_t>(i)];
    for (int round = 0; round < 100; ++round) {
      const auto number = static_cast<float>(1000 * i + round);
      Fill(own.Mutate(".head.weight")->span<float>(), number);
      EXPECT_THAT(own.Set(".head.bias", Floats({number, number})), IsOk());
      {
        MutableLeaves all = own.MutateAll().value();
        Fill(all.GetSpan<float>(4).value(), number);
      }
      EXPECT_EQ(FloatsAt(own, ".head.weight"), std::vector<float>(4, number));
      EXPECT_EQ(FloatsAt(own, ".layers[0].weight"), std::vector<float>(4, number));
    }
  });
  EXPECT_EQ(StoreState(store), before);
  for (int i = 0; i < kThreads; ++i) {
    const auto number = static_cast<float>(1000 * i + 99);
    EXPECT_THAT(FloatsAt(snapshots[static_cast<size_t>(i)], ".head.bias"),
                ElementsAre(number, number));
  }
}

TEST(StoreThreadsTest, Groups_AreWrittenInPlaceConcurrently) {
  ParamStore store = SampleParams();
  const Layout layout = store.layout();
  const std::vector<const void*> addresses = AddressesOf(store);
  const Grouping plan =
      Grouping::Compile(store, {Glob("head.**"), Glob("layers.0.**"), Glob("layers.1.**")}).value();
  std::vector<ParamStore> groups = plan.Split(std::move(store)).value().TakeStores();
  InThreads(3, [&groups](int i) {
    ParamStore& group = groups[static_cast<size_t>(i)];
    for (int round = 0; round < 200; ++round) {
      MutableLeaves all = group.MutateAll().value();
      for (uint32_t place = 0; place < all.size(); ++place) {
        const absl::Span<float> numbers = all.GetSpan<float>(place).value();
        for (float& number : numbers) number += 1;
      }
    }
  });
  store = MergeGroups(layout, std::move(groups)).value();
  EXPECT_EQ(AddressesOf(store), addresses);
  EXPECT_THAT(FloatsAt(store, ".head.bias"), ElementsAre(230, 231));
  EXPECT_THAT(FloatsAt(store, ".layers[0].bias"), ElementsAre(210, 211));
  EXPECT_THAT(FloatsAt(store, ".layers[1].bias"), ElementsAre(220, 221));
}

// The last holder that shares leaves may be destroyed in any thread; from then on, writes are in
// place. Its earlier reads must not race with these writes.
TEST(StoreThreadsTest, Snapshot_MayBeDestroyedDuringWrites) {
  ParamStore store = SampleParams();
  for (int round = 0; round < 200; ++round) {
    const auto number = static_cast<float>(round);
    Fill(store.Mutate(".head.weight")->span<float>(), number);
    std::thread reader(
        [number, snapshot = std::make_unique<ParamStore>(store.Snapshot().value())]() mutable {
          EXPECT_EQ(FloatsAt(*snapshot, ".head.weight"), std::vector<float>(4, number));
          snapshot.reset();
        });
    Fill(store.Mutate(".head.weight")->span<float>(), -1);
    EXPECT_THAT(store.Set(".head.bias", Floats({number, number})), IsOk());
    Fill(store.Mutate(".head.weight")->span<float>(), -2);
    reader.join();
    EXPECT_EQ(FloatsAt(store, ".head.weight"), std::vector<float>(4, -2));
  }
}

}  // namespace
}  // namespace leafstore
