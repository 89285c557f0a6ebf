// Compares random sequences of ParamStore calls with std::map; ParamStore in several threads.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/select/partition.h"
#include "leafstore/store/merge.h"

#include "tests/core/random_keys.h"
#include "tests/core/status_matchers.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::_;

// A store and its expected contents: deep copies of its leaves, by path.
struct Modelled {
  ParamStore store;
  std::map<Path, Leaf> model;
  std::map<Path, uint64_t> generations;  // the last seen at each path
};

class ModelTest {
 public:
  explicit ModelTest(uint64_t seed) : random_(seed) {
    all_.push_back({SampleParams(), {}, {}});
    Remember(all_[0]);
  }

  void Step() {
    Modelled& at = all_[Below(all_.size())];
    switch (Below(12)) {
      case 0:
      case 1:
        return Set(at);
      case 2:
        return Insert(at);
      case 3:
        return Upsert(at);
      case 4:
        return Erase(at);
      case 5:
      case 6:
        return Mutate(at);
      case 7:
        return MutateAll(at);
      case 8:
        return Snapshot();
      case 9:
        return SplitAndMerge(at);
      case 10:
        return SplitAndUpdate(at);
      default:
        at.store.spec_fingerprint();
    }
  }

  // Every store must equal its model, whatever was done to the other stores.
  void Check() const {
    for (const Modelled& at : all_) {
      ASSERT_EQ(at.store.size(), at.model.size());
      uint32_t place = 0;
      for (const auto& [path, leaf] : at.model) {
        const std::string text = path.ToString();
        ASSERT_EQ(at.store.PathText(place), text);
        ASSERT_EQ(at.store.Find(text), &at.store.leaf(place));
        ASSERT_EQ(at.store.FindSlot(at.store.slot(place)), &at.store.leaf(place));
        ASSERT_EQ(at.store.GetPlace(text).value(), place);
        ASSERT_TRUE(at.store.leaf(place) == leaf) << text;
        ++place;
      }
      for (const char* text : kPaths) {
        ASSERT_EQ(at.store.Find(text) != nullptr, at.model.count(PathFrom(text)) == 1) << text;
      }
      if (at.store.known_spec_fingerprint() != 0) {
        std::vector<Leaf> leaves(at.store.leaves().begin(), at.store.leaves().end());
        const ParamStore fresh =
            ParamStore::Create(at.store.layout(), at.store.slots(), std::move(leaves)).value();
        ASSERT_EQ(at.store.spec_fingerprint(), fresh.spec_fingerprint());
      }
    }
  }

 private:
  // They include two that do not form a tree, and some paths of the sample.
  static constexpr const char* kPaths[] = {
      ".activation", ".head.bias", ".layers[0].bias", ".new",  ".steps",    ".more['x']",
      ".more['y']",  ".deep[7]",   ".new.below",      ".head", ".layers[2]"};

  size_t Below(size_t bound) { return RandomBelow(random_, bound); }
  Path SomePath() { return PathFrom(kPaths[Below(std::size(kPaths))]); }
  Leaf SomeLeaf() {
    const auto number = static_cast<float>(Below(1000));
    switch (Below(5)) {
      case 0:
        return Value(static_cast<int64_t>(Below(1000)));
      case 1:
        return Value("text");
      case 2:
        return Floats({number});
      default:
        return Floats({number, -number});
    }
  }
  static Leaf DeepCopy(const Leaf& leaf) {
    if (leaf.is_value()) return leaf;
    return leaf.tensor().Clone().value();
  }
  static void Remember(Modelled& at) {
    at.model.clear();
    for (uint32_t place = 0; place < at.store.size(); ++place) {
      const Path path = at.store.layout().PathOf(at.store.slot(place));
      at.model.emplace(path, DeepCopy(at.store.leaf(place)));
    }
  }
  static uint64_t GenerationOf(const Modelled& at, const Path& path) {
    return at.store.Find(path.ToString())->generation();
  }

  void Set(Modelled& at) {
    const Path path = SomePath();
    const Leaf leaf = SomeLeaf();
    const auto found = at.model.find(path);
    const uint64_t before = found == at.model.end() ? 0 : GenerationOf(at, path);
    const absl::Status status = at.store.Set(path.ToString(), leaf);
    if (found == at.model.end()) {
      ASSERT_THAT(status, testing::AnyOf(StatusIs(absl::StatusCode::kNotFound, _),
                                         StatusIs(absl::StatusCode::kInvalidArgument, _)));
    } else if (SameSpec(found->second, leaf)) {
      ASSERT_THAT(status, IsOk());
      ASSERT_GT(GenerationOf(at, path), before);
      found->second = DeepCopy(leaf);
    } else {
      ASSERT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, _));
    }
  }

  static bool SameSpec(const Leaf& a, const Leaf& b) {
    if (a.is_value() || b.is_value()) {
      return a.is_value() && b.is_value() && a.value().kind() == b.value().kind();
    }
    return a.tensor().dtype() == b.tensor().dtype() && a.tensor().shape() == b.tensor().shape();
  }

  void Insert(Modelled& at) {
    const Path path = SomePath();
    const Leaf leaf = SomeLeaf();
    const absl::Status status = at.store.Insert(path, leaf);
    ASSERT_EQ(status.ok(), at.model.count(path) == 0) << status;
    at.model.emplace(path, DeepCopy(leaf));
  }

  void Upsert(Modelled& at) {
    const Path path = SomePath();
    const Leaf leaf = SomeLeaf();
    ASSERT_THAT(at.store.Upsert(path, leaf), IsOk());
    at.model[path] = DeepCopy(leaf);
  }

  void Erase(Modelled& at) {
    const Path path = SomePath();
    const absl::Status status = at.store.Erase(path.ToString());
    ASSERT_EQ(status.ok(), at.model.erase(path) == 1) << status;
  }

  void Mutate(Modelled& at) {
    const Path path = SomePath();
    const auto found = at.model.find(path);
    const bool tensor = found != at.model.end() && found->second.is_tensor();
    const uint64_t before = tensor ? GenerationOf(at, path) : 0;
    {
      absl::StatusOr<MutableTensor> open = at.store.Mutate(path.ToString());
      ASSERT_EQ(open.ok(), tensor) << open.status();
      if (!tensor) return;
      ASSERT_THAT(at.store.Snapshot(), StatusIs(absl::StatusCode::kFailedPrecondition, _));
      Write(open->bytes());
    }
    ASSERT_GT(GenerationOf(at, path), before);
    found->second = DeepCopy(*at.store.Find(path.ToString()));
  }

  void MutateAll(Modelled& at) {
    MutableLeaves open = at.store.MutateAll().value();
    uint32_t place = 0;
    for (auto& [path, leaf] : at.model) {
      if (leaf.is_tensor() && Below(2) == 0) {
        std::byte* bytes = open.raw_data(place).value();
        Write(absl::MakeSpan(bytes, static_cast<size_t>(leaf.tensor().byte_size())));
        leaf = DeepCopy(open.leaf(place));
      }
      ++place;
    }
  }

  void Write(absl::Span<std::byte> bytes) {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_());
  }

  void Snapshot() {
    const Modelled& from = all_[Below(all_.size())];
    Modelled copy{from.store.Snapshot().value(), {}, {}};
    for (const auto& [path, leaf] : from.model) copy.model.emplace(path, DeepCopy(leaf));
    if (all_.size() < 5) {
      all_.push_back(std::move(copy));
    } else {
      all_[Below(all_.size())] = std::move(copy);
    }
  }

  std::vector<Filter> SomeFilters() {
    static const char* const kTexts[] = {"head.**", "static",    "rank:1 and leaf",
                                         "**.bias", "kind:list", "not tensor and leaf"};
    std::vector<Filter> filters;
    for (size_t left = Below(3); left > 0; --left) {
      filters.push_back(Filter::Parse(kTexts[Below(std::size(kTexts))]).value());
    }
    return filters;
  }

  // Splits `at` if its paths form a tree; the groups together have its leaves.
  std::vector<ParamStore> Split(Modelled& at, bool give) {
    absl::StatusOr<std::vector<ParamStore>> groups =
        give ? Partition(std::move(at.store), SomeFilters()) : Partition(at.store, SomeFilters());
    if (!groups.ok()) {
      EXPECT_THAT(groups, StatusIs(absl::StatusCode::kInvalidArgument, _));
      EXPECT_FALSE(at.store.layout().def().ok());
      return {};
    }
    size_t leaves = 0;
    for (const ParamStore& group : *groups) leaves += group.size();
    EXPECT_EQ(leaves, at.model.size());
    return *std::move(groups);
  }

  void SplitAndMerge(Modelled& at) {
    const bool complete = at.store.complete();
    const std::vector<uint64_t> generations = GenerationsOf(at.store);
    const Layout layout = at.store.layout();
    const bool give = Below(2) == 0;
    std::vector<ParamStore> groups = Split(at, give);
    if (groups.empty()) return;
    std::shuffle(groups.begin(), groups.end(), random_);
    absl::StatusOr<ParamStore> merged = MergeGroups(layout, std::move(groups));
    if (complete) {
      ASSERT_THAT(merged, IsOk());
      at.store = *std::move(merged);
    } else {  // some slots are in no group
      ASSERT_THAT(merged, StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("miss")));
      if (!give) return;
      std::vector<std::pair<Path, Leaf>> entries;
      for (const ParamStore& group : groups) {
        for (uint32_t i = 0; i < group.size(); ++i) {
          entries.emplace_back(layout.PathOf(group.slot(i)), group.leaf(i));
        }
      }
      at.store = ParamStore::FromEntries(std::move(entries)).value();
    }
    ASSERT_EQ(GenerationsOf(at.store), generations);
  }

  void SplitAndUpdate(Modelled& at) {
    std::vector<ParamStore> groups = Split(at, /*give=*/false);
    if (groups.empty()) return;
    ParamStore group = std::move(groups[Below(groups.size())]);
    for (uint32_t i = 0; i < group.size(); ++i) {
      const Leaf leaf = SomeLeaf();
      if (!group.SetAt(i, leaf).ok()) continue;
      at.model[group.layout().PathOf(group.slot(i))] = DeepCopy(leaf);
    }
    const bool give = Below(2) == 0;
    ASSERT_THAT(give ? Update(&at.store, std::move(group)) : Update(&at.store, group), IsOk());
  }

  Random random_;
  std::vector<Modelled> all_;
};

TEST(ParamStoreModelTest, RandomOperations_AgreeWithAMap) {
  for (uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ModelTest test(seed);
    for (int step = 0; step < 80; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      test.Step();
      if (!testing::Test::HasFailure()) test.Check();
      if (testing::Test::HasFailure()) return;
    }
  }
}

// ---- threads ----

TEST(ParamStoreThreadTest, ConstCalls_AreSafeFromManyThreads) {
  const ParamStore store = SampleParams();
  const ParamStore tied = TiedParams();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&store, &tied] {
      for (int round = 0; round < 200; ++round) {
        EXPECT_EQ(store.Find(".layers[1].bias"), &store.leaf(5));
        EXPECT_EQ(tied.Find(".output.table"), &tied.leaf(0));
        EXPECT_NE(store.spec_fingerprint(), 0u);
        EXPECT_FALSE(store.Get(".layers[1].bais").ok());
        const ParamStore snapshot = store.Snapshot().value();
        EXPECT_EQ(snapshot.leaf(5), store.leaf(5));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ParamStoreThreadTest, Snapshots_AreReadableDuringWrites) {
  ParamStore store = SampleParams();
  std::mutex mutex;
  std::shared_ptr<const ParamStore> latest;
  std::atomic<bool> done{false};
  std::atomic<int> reads{0};
  const auto read = [&] {
    while (!done.load()) {
      std::shared_ptr<const ParamStore> snapshot;
      {
        const std::lock_guard<std::mutex> lock(mutex);
        snapshot = latest;
      }
      if (snapshot == nullptr) continue;
      // The writer sets all elements of a leaf to one value; a torn snapshot would have two.
      for (const char* path : {".head.weight", ".layers[0].weight"}) {
        const std::vector<float> numbers = FloatsAt(*snapshot, path);
        EXPECT_EQ(numbers, std::vector<float>(4, numbers[0]));
      }
      ++reads;
    }
  };
  std::thread first(read), second(read);
  for (int step = 0; step < 300 || reads.load() < 50; ++step) {
    const auto number = static_cast<float>(step);
    {
      const MutableTensor borrow = [&] {
        MutableTensor open = store.Mutate(".head.weight").value();
        const absl::Span<float> numbers = open.span<float>();
        std::fill(numbers.begin(), numbers.end(), number);
        return open;
      }();
    }
    {
      MutableLeaves open = store.MutateAll().value();
      const absl::Span<float> numbers = open.GetSpan<float>(4).value();
      std::fill(numbers.begin(), numbers.end(), number);
    }
    ASSERT_THAT(store.Set(".layers[0].bias", Floats({number, number})), IsOk());
    auto snapshot = std::make_shared<const ParamStore>(store.Snapshot().value());
    const std::lock_guard<std::mutex> lock(mutex);
    latest = std::move(snapshot);
  }
  done = true;
  first.join();
  second.join();
}

}  // namespace
}  // namespace leafstore
