// internal::PathTable::Find, compared with a flat_hash_map from string_view to index, with the same
// texts in one array. Lookups are in random order, and use copies of the texts.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"

#include "leafstore/treedef/internal/path_table.h"
#include "leafstore/treedef/treedef.h"
#include "leafstore/treedef/treedef_builder.h"

namespace leafstore {
namespace {

// Returns a transformer with `leaves` leaves, ten per layer.
TreeDef Model(int64_t leaves) {
  constexpr const char* kNames[] = {"attn_k",   "attn_norm", "attn_o",   "attn_q", "attn_v",
                                    "ffn_down", "ffn_gate",  "ffn_norm", "ffn_up", "scale"};
  TreeDefBuilder builder;
  builder.Open(NodeKind::kStruct, "Transformer");
  builder.SetKey(KeyRef::Attribute("layers"));
  builder.Open(NodeKind::kList);
  for (int64_t layer = 0; layer < leaves / 10; ++layer) {
    builder.Open(NodeKind::kStruct, "Block");
    for (const char* name : kNames) {
      builder.SetKey(KeyRef::Attribute(name));
      builder.Leaf();
    }
    builder.Close();
  }
  builder.Close();
  builder.Close();
  return std::move(builder).Build().value();
}

// Returns a dict with `leaves` distinct names.
TreeDef Dict(int64_t leaves) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kDict);
  for (int64_t i = 0; i < leaves; ++i) {
    builder.SetKey(KeyRef::Item(absl::StrCat("parameter_", absl::Dec(i, absl::kZeroPad8))));
    builder.Leaf();
  }
  builder.Close();
  return std::move(builder).Build().value();
}

// Returns the texts of a table in random order, each in its own memory.
std::vector<std::string> ShuffledTexts(const internal::PathTable& table) {
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < table.size(); ++i) texts.emplace_back(table.text(i));
  std::mt19937 random(42);
  std::shuffle(texts.begin(), texts.end(), random);
  return texts;
}

void BM_FindFlatHashMap(benchmark::State& state) {
  const TreeDef def = Model(state.range(0));
  const internal::PathTable& table = **internal::PathsOf(def);
  absl::flat_hash_map<absl::string_view, uint32_t> map;
  map.reserve(table.size());
  for (uint32_t i = 0; i < table.size(); ++i) map.emplace(table.text(i), i);
  const std::vector<std::string> texts = ShuffledTexts(table);
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(map.find(texts[at])->second);
    if (++at == texts.size()) at = 0;
  }
}

void BM_FindPathTable(benchmark::State& state) {
  const TreeDef def = Model(state.range(0));
  const internal::PathTable& table = **internal::PathsOf(def);
  const std::vector<std::string> texts = ShuffledTexts(table);
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.Find(texts[at]));
    if (++at == texts.size()) at = 0;
  }
}

void BM_FindByWalking(benchmark::State& state) {
  const TreeDef def = Model(state.range(0));
  const std::vector<std::string> texts = ShuffledTexts(**internal::PathsOf(def));
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(def.Find(texts[at]));
    if (++at == texts.size()) at = 0;
  }
}

template <TreeDef (*kMake)(int64_t)>
void BM_Build(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(kMake(state.range(0)));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

template <TreeDef (*kMake)(int64_t)>
void BM_CreatePathTable(benchmark::State& state) {
  const TreeDef def = kMake(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(internal::PathTable::Create(def));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(BM_FindFlatHashMap)->RangeMultiplier(10)->Range(100, 1000000);
BENCHMARK(BM_FindPathTable)->RangeMultiplier(10)->Range(100, 1000000);
BENCHMARK(BM_FindByWalking)->RangeMultiplier(10)->Range(100, 1000000);
BENCHMARK_TEMPLATE(BM_Build, Model)->Arg(100000)->Arg(1000000)->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(BM_Build, Dict)->Arg(100000)->Arg(1000000)->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(BM_CreatePathTable, Model)
    ->Arg(100000)
    ->Arg(1000000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(BM_CreatePathTable, Dict)
    ->Arg(100000)
    ->Arg(1000000)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace leafstore
