// Checkpoints for the tests of the program.
#ifndef LEAFSTORE_TESTS_TOOLS_SAMPLE_CHECKPOINTS_H_
#define LEAFSTORE_TESTS_TOOLS_SAMPLE_CHECKPOINTS_H_

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/store/flatten.h"

namespace leafstore {

struct SampleLayer {
  Tensor weight = Tensor::From<float>({2, 3}, {1, -2, 3, -4, 5, -6}).value();
  Tensor bias = Tensor::From<float>({3}, {0, 0.5, 1}).value();
  LEAFSTORE_FIELDS(weight, Tagged(bias, "no_decay"))
  LEAFSTORE_TYPE_NAME("Layer")
};

// A model with a tie (the head is the embedding), tags, static leaves, several dtypes, and NaN.
struct SampleModel {
  std::shared_ptr<Tensor> embed =
      std::make_shared<Tensor>(Tensor::Zeros(DType::kBF16, {4, 2}).value());
  std::shared_ptr<Tensor> head = embed;
  std::vector<SampleLayer> layers = std::vector<SampleLayer>(2);
  Tensor scale = Tensor::From<double>({2}, {std::numeric_limits<double>::quiet_NaN(), 2}).value();
  std::string activation = "gelu";
  int heads = 8;
  LEAFSTORE_FIELDS(embed, head, layers, scale, activation, heads)
  LEAFSTORE_TYPE_NAME("Model")
};

inline Flattened SampleParams() { return Flatten(SampleModel()).value(); }

// Saves the model with its groups, and a step.
inline void SaveSample(const std::string& path) {
  const Flattened model = SampleParams();
  const Grouping grouping = Grouping::Compile(model.params, {{"bias", Glob("layers.*.bias")},
                                                             {"first", Glob("layers.0")},
                                                             {"other", Rest()}})
                                .value();
  const ParamStore step =
      ParamStore::FromEntries({{Path().Attribute("step"), Tensor::Scalar<int64_t>(100)}}).value();
  SaveOptions options;
  options.io.durable = false;
  options.metadata = {{"run", "seven"}};
  ASSERT_TRUE(SaveCheckpoint(path,
                             {{"params",
                               model.def,
                               model.params,
                               {.grouping = grouping, .metadata = {{"note", "after warm-up"}}}},
                              {"progress", step}},
                             options)
                  .ok());
}

// Returns `count` tensors of four elements, in layers of ten.
inline ParamStore ManyLeaves(int64_t count) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i);
    entries.emplace_back(
        Path().Attribute("layers").Index(i / 10).Attribute(absl::StrCat("w", i % 10)),
        Tensor::From<float>({2, 2}, {value, value, value, value}).value());
  }
  return ParamStore::FromEntries(std::move(entries)).value();
}

inline void Save(const std::string& path, const ParamStore& store,
                 const std::string& item = "params") {
  ASSERT_TRUE(SaveCheckpoint(path, {{item, store}}, {.io = {.durable = false}}).ok());
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TOOLS_SAMPLE_CHECKPOINTS_H_
