// The program leafstore_bench: Google Benchmark's main with one more option.
//
//   leafstore_bench --benchmark_filter=Partition
//   leafstore_bench --print_model=transformer:100    lists a model of that many leaves
//
// --print_model prints a line for each leaf: its dotted path, its description, and the last element
// of an f32 tensor. bench/peers/trees.py builds the same models for the peers of leafstore, and a
// test compares both.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "bench/models.h"
#include "benchmark/benchmark.h"

namespace leafstore::bench {
namespace {

// Returns a description of the leaf, with the last element of an f32 tensor.
std::string Describe(const Leaf& leaf) {
  std::string out = leaf.spec().ToString();
  if (!leaf.is_tensor() || leaf.tensor().dtype() != DType::kF32) return out;
  const absl::Span<const float> numbers = leaf.tensor().span<float>();
  return absl::StrFormat("%s\t%.9g", out, numbers.back());
}

// Returns the exit code: 0 for success.
int PrintModel(absl::string_view name_and_leaves) {
  const std::pair<std::string, std::string> wanted =
      absl::StrSplit(name_and_leaves, absl::MaxSplits(':', 1));
  int64_t leaves = 0;
  if (!absl::SimpleAtoi(wanted.second, &leaves) || leaves < 0) {
    std::fprintf(stderr, "--print_model: expected NAME:LEAVES, found '%s'\n",
                 std::string(name_and_leaves).c_str());
    return 2;
  }
  for (const NamedModel& model : kModels) {
    if (wanted.first != model.name) continue;
    const ParamStore store = model.make(leaves);
    for (uint32_t place = 0; place < store.size(); ++place) {
      std::printf("%s\t%s\n", store.layout().Dotted(store.slot(place)).c_str(),
                  Describe(store.leaf(place)).c_str());
    }
    return 0;
  }
  std::fprintf(stderr, "--print_model: unknown model '%s'\n", wanted.first.c_str());
  return 2;
}

}  // namespace
}  // namespace leafstore::bench

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "--print_model=")) {
      return leafstore::bench::PrintModel(argument);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
