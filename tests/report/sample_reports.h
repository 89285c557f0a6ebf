// Stores for reports in the tests, and expectations about them.
#ifndef LEAFSTORE_TESTS_REPORT_SAMPLE_REPORTS_H_
#define LEAFSTORE_TESTS_REPORT_SAMPLE_REPORTS_H_

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/numeric/stats.h"

#include "tests/tools/run_program.h"
#include "tests/tools/sample_checkpoints.h"

namespace leafstore {

// Returns a tensor of normally distributed elements.
inline Tensor NormalTensor(std::vector<int64_t> shape, float deviation, std::mt19937* random) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(*random);
  return Tensor::From<float>(Shape(shape.begin(), shape.end()), values).value();
}

// Returns layers with an attention and a feed-forward part, and an embedding.
inline ParamStore NetworkStore(int layers, int64_t width, float deviation, uint32_t seed = 7) {
  std::mt19937 random(seed);
  std::vector<std::pair<Path, Leaf>> entries;
  const auto add = [&](Path path, std::vector<int64_t> shape) {
    entries.emplace_back(std::move(path), NormalTensor(std::move(shape), deviation, &random));
  };
  add(Path().Attribute("embed").Attribute("weight"), {8 * width, width});
  for (int i = 0; i < layers; ++i) {
    const Path layer = Path().Attribute("layers").Index(i);
    for (const char* part : {"key", "query", "value"}) {
      add(Path(layer).Attribute("attn").Attribute(part).Attribute("weight"), {width, width});
      add(Path(layer).Attribute("attn").Attribute(part).Attribute("bias"), {width});
    }
    add(Path(layer).Attribute("mlp").Attribute("weight"), {4 * width, width});
    add(Path(layer).Attribute("mlp").Attribute("bias"), {4 * width});
    add(Path(layer).Attribute("norm").Attribute("scale"), {width});
  }
  return ParamStore::FromEntries(std::move(entries)).value();
}

// Names that look like markup, code, or other text.
inline std::vector<std::string> HostileNames() {
  return {"<img src=x onerror=alert(1)>",
          "</script><script>alert(2)</script>",
          "<!--",
          "@SCRIPT@",
          "\" onload=\"alert(3)",
          "\xe2\x80\xae"
          "fdp.exe",                           // reverses the text after it
          "\xe2\x80\xa8line",                  // a line separator
          "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",  // Hebrew, which is harmless
          "javascript:alert(4)",
          std::string(5000, 'x')};
}

inline ParamStore HostileStore() {
  std::vector<std::pair<Path, Leaf>> entries;
  for (const std::string& name : HostileNames()) {
    entries.emplace_back(Path().Item("names").Item(name).Item("w"),
                         Tensor::From<float>({2}, {1, 2}).value());
    entries.emplace_back(Path().Item("values").Item(name), Value(name));
  }
  return ParamStore::FromEntries(std::move(entries)).value();
}

// Returns stores of one structure with different elements, of increasing magnitude.
inline std::vector<ParamStore> GrowingStores(uint32_t count, int layers, int64_t width) {
  std::vector<ParamStore> stores;
  for (uint32_t i = 0; i < count; ++i) {
    stores.push_back(NetworkStore(layers, width, 0.1f * static_cast<float>(i + 1), i));
  }
  return stores;
}

// Creates a managed directory with a checkpoint per step, and a metric that increases by 0.1.
inline void SaveSteps(const std::string& directory, const std::vector<int64_t>& steps,
                      const std::vector<ParamStore>& stores) {
  CheckpointManager manager =
      CheckpointManager::Open(directory, {.io = {.durable = false}, .retention = {.last = 1000}})
          .value();
  for (size_t i = 0; i < steps.size(); ++i) {
    const double metric = 0.5 + 0.1 * static_cast<double>(i);
    std::vector<CheckpointItem> items;
    items.emplace_back("params", stores[i]);
    ASSERT_TRUE(manager.Save(steps[i], std::move(items), {{"accuracy", metric}}).ok());
  }
}

inline nlohmann::json ReportJsonOf(std::vector<std::string> args) {
  args.insert(args.begin(), "report");
  args.push_back("--json");
  const Ran ran = RunLeafstore(std::move(args));
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  nlohmann::json parsed = nlohmann::json::parse(ran.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(parsed.is_discarded()) << ran.out.substr(0, 1000);
  return parsed;
}

// Returns the dotted path of each leaf, from the tree in the JSON.
inline std::vector<std::string> LeafPathsOf(const nlohmann::json& item) {
  std::vector<std::string> paths;
  for (const int node : item["leaves"]["node"]) {
    std::string path;
    for (int at = node; at > 0; at = item["tree"]["parent"][static_cast<size_t>(at)]) {
      const std::string key = item["tree"]["key"][static_cast<size_t>(at)];
      path = path.empty() ? key : absl::StrCat(key, ".", path);
    }
    paths.push_back(path);
  }
  return paths;
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_REPORT_SAMPLE_REPORTS_H_
