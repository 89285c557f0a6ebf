// The main function of a fuzz target without libFuzzer: replays inputs and mutations of them.
//
//   path_fuzz [FILE or FOLDER...]
//
// Runs each input unchanged, truncated at several places, and with a few bytes changed, added and
// removed; the mutations are the same in every run. This does not search as libFuzzer does, but
// shows that a target still works.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

constexpr size_t kMutations = 20'000;  // of all inputs together
constexpr size_t kMutationsPerInput = 400;
constexpr size_t kCuts = 64;

size_t runs = 0;

void Run(const std::string& input) {
  // A copy of exactly this size, so that AddressSanitizer detects reads past the end.
  std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  ++runs;
}

std::string ReadFile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

std::vector<std::filesystem::path> ListInputs(const std::vector<std::string>& arguments) {
  std::vector<std::filesystem::path> files;
  for (const std::string& argument : arguments) {
    if (!std::filesystem::is_directory(argument)) {
      files.emplace_back(argument);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argument)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

void RunCuts(const std::string& input) {
  const size_t step = std::max<size_t>(1, input.size() / kCuts);
  for (size_t size = 0; size < input.size(); size += step) Run(input.substr(0, size));
}

void Mutate(std::mt19937_64& random, std::string& input) {
  // Bytes with a meaning in many formats.
  static constexpr char kSpecial[] = {'\0', '\x01', '\x7f', '\x80', '\xff', '\'', '"', '\\',
                                      '[',  ']',    '.',    '*',    '(',    ')',  '0', '9'};
  const size_t at = input.empty() ? 0 : random() % input.size();
  switch (random() % 4) {
    case 0:
      if (!input.empty()) input[at] = static_cast<char>(random());
      break;
    case 1:
      if (!input.empty()) input[at] = kSpecial[random() % std::size(kSpecial)];
      break;
    case 2:
      input.insert(at, 1, kSpecial[random() % std::size(kSpecial)]);
      break;
    case 3:
      if (!input.empty()) input.erase(at, 1 + random() % 8);
      break;
  }
}

void RunMutations(const std::string& input, size_t count) {
  std::mt19937_64 random(input.size());
  for (size_t i = 0; i < count; ++i) {
    std::string mutated = input;
    const uint64_t changes = 1 + random() % 4;
    for (uint64_t change = 0; change < changes; ++change) Mutate(random, mutated);
    Run(mutated);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (const std::string& argument : arguments) {
    if (!std::filesystem::exists(argument)) {
      std::cerr << argv[0] << ": no such file: " << argument << "\n";
      return 2;
    }
  }
  std::vector<std::string> inputs = {""};
  for (const auto& file : ListInputs(arguments)) inputs.push_back(ReadFile(file));
  const size_t mutations = std::min(kMutationsPerInput, kMutations / inputs.size() + 1);
  for (const std::string& input : inputs) {
    Run(input);
    RunCuts(input);
    RunMutations(input, mutations);
  }
  std::cout << argv[0] << ": " << inputs.size() << " inputs, " << runs << " runs\n";
  return 0;
}
