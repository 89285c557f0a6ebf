// The hand-written backward pass against finite differences, the model's ties, and the data.
#include "network.h"

#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "data.h"
#include "gtest/gtest.h"
#include "model.h"

#include "leafstore/numeric/ops.h"
#include "leafstore/store/flatten.h"

namespace digits {
namespace {

using leafstore::Flattened;
using leafstore::ParamStore;

Dataset RandomBatch(int count, std::mt19937_64* random) {
  Dataset data;
  data.images.resize(count, kPixels);
  for (Eigen::Index i = 0; i < data.images.size(); ++i) {
    data.images.data()[i] = static_cast<float>((*random)() % 17) / 16;
  }
  for (int i = 0; i < count; ++i) data.labels.push_back(static_cast<int>((*random)() % kClasses));
  return data;
}

struct Fixture {
  explicit Fixture(uint64_t seed)
      : random(seed),
        flat(leafstore::Flatten(MakeModel(16, 2, &random).value()).value()),
        network(Network::Create(flat.params).value()),
        gradients(leafstore::ZerosLike(flat.params).value()) {}

  Network::Params View() const {
    const auto all =
        leafstore::Grouping::Compile(flat.params, {{"all", leafstore::Rest()}}).value();
    return Network::View(all.Split(flat.params).value());
  }
  double MeanLoss(const Dataset& data) const { return network.Evaluate(View(), data).MeanLoss(); }

  std::mt19937_64 random;
  Flattened flat;
  Network network;
  ParamStore gradients;
};

TEST(NetworkTest, Train_GradientsMatchFiniteDifferences) {
  Fixture f(7);
  const Dataset data = RandomBatch(12, &f.random);
  ASSERT_TRUE(f.network.Train(f.View(), data, 1, &f.gradients).ok());
  const float step = 5e-3f;
  int compared = 0;
  for (uint32_t place = 0; place < f.flat.params.size(); ++place) {
    if (!f.flat.params.leaf(place).is_tensor()) continue;
    const int64_t count = f.flat.params.leaf(place).tensor().element_count();
    for (int sample = 0; sample < 6; ++sample) {
      const auto i = static_cast<size_t>(f.random() % static_cast<uint64_t>(count));
      const auto loss_at = [&](float offset) {
        {
          leafstore::MutableTensor open = f.flat.params.MutateAt(place).value();
          open.span<float>()[i] += offset;
        }
        return f.MeanLoss(data);
      };
      const double up = loss_at(step);
      const double down = loss_at(-2 * step);
      loss_at(step);
      const double expected = (up - down) / (2.0 * static_cast<double>(step));
      const double found = f.gradients.leaf(place).tensor().span<float>()[i];
      // A rectifier that switches between the two points makes the difference quotient inexact.
      EXPECT_NEAR(found, expected, 2e-3 + 0.05 * std::abs(expected))
          << f.flat.params.PathText(place) << "[" << i << "]";
      ++compared;
    }
  }
  EXPECT_EQ(compared, 6 * 13);
}

TEST(NetworkTest, Train_AnyThreadCount_ComputesTheSameBits) {
  Fixture f(8);
  const Dataset data = RandomBatch(31, &f.random);
  ASSERT_TRUE(f.network.Train(f.View(), data, 1, &f.gradients).ok());
  ParamStore others = leafstore::ZerosLike(f.flat.params).value();
  for (const int threads : {2, 3, 7}) {
    ASSERT_TRUE(f.network.Train(f.View(), data, threads, &others).ok());
    for (uint32_t place = 0; place < others.size(); ++place) {
      EXPECT_EQ(others.leaf(place), f.gradients.leaf(place)) << threads << " threads";
    }
  }
}

TEST(ModelTest, TiedWeight_IsOneLeafOwnedByTheEmbedding) {
  Fixture f(9);
  EXPECT_NE(f.flat.params.Find(".embed.weight"), nullptr);
  EXPECT_EQ(f.flat.params.Find(".reconstruct.weight"), f.flat.params.Find(".embed.weight"));
  const leafstore::NodeId alias = f.flat.def.Find(".reconstruct.weight").value();
  EXPECT_EQ(f.flat.def.kind(alias), leafstore::NodeKind::kAlias);
}

TEST(LoadDigitsTest, Split_HoldsOutAFifth) {
  const Split data = LoadDigits(LEAFSTORE_DIGITS_DATA).value();
  EXPECT_EQ(data.train.size() + data.test.size(), 1797);
  EXPECT_EQ(data.test.size(), 1797 / 5);
}

TEST(LoadDigitsTest, MissingFile_IsNamed) {
  const absl::Status status = LoadDigits("/no/such/digits.csv.gz").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("/no/such/digits.csv.gz"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace digits
