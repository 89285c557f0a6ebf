// The fixture of tests of subcommands: a directory with files, and expectations about the output of
// the program.
#ifndef LEAFSTORE_TESTS_TOOLS_TOOL_TEST_H_
#define LEAFSTORE_TESTS_TOOLS_TOOL_TEST_H_

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/checkpoint/manager.h"

#include "tests/tools/run_program.h"
#include "tests/tools/sample_checkpoints.h"

namespace leafstore {

class ToolTest : public testing::Test {
 protected:
  // Returns the output; it must succeed and print nothing on standard error.
  std::string Out(std::vector<std::string> args, int exit_code = 0) {
    const Ran ran = RunLeafstore(std::move(args));
    EXPECT_EQ(ran.exit_code, exit_code) << ran.err;
    EXPECT_EQ(ran.err, "");
    return ran.out;
  }
  // Returns the output as JSON.
  nlohmann::json Json(std::vector<std::string> args, int exit_code = 0) {
    args.push_back("--json");
    const std::string out = Out(std::move(args), exit_code);
    nlohmann::json json = nlohmann::json::parse(out, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(json.is_discarded()) << out;
    return json;
  }
  // Returns the error: one line, and nothing on standard output.
  std::string Error(std::vector<std::string> args, int exit_code) {
    const Ran ran = RunLeafstore(std::move(args));
    EXPECT_EQ(ran.exit_code, exit_code) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err.rfind("leafstore: ", 0), 0u) << ran.err;
    return ran.err;
  }

  std::string File(const std::string& name) const { return dir_.File(name); }
  // Returns the names in the directory, sorted, each followed by a space.
  std::string Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    std::string text;
    for (const std::string& name : names) text += name + " ";
    return text;
  }
  std::string Sample(const std::string& name = "a.leaf") const {
    SaveSample(File(name));
    return File(name);
  }

  // Makes a managed directory with steps 1 to `steps`; each has the step as `.w`, and the metric
  // "loss" of 1 / step.
  std::string Run(int64_t steps) const {
    const std::string run = File("run");
    CheckpointManager manager =
        CheckpointManager::Open(run, {.io = {.durable = false}, .retention = {.last = 100}})
            .value();
    for (int64_t step = 1; step <= steps; ++step) {
      std::vector<CheckpointItem> items;
      items.emplace_back("params",
                         ParamStore::FromEntries(
                             {{Path().Attribute("w"), Tensor::Scalar(static_cast<float>(step))}})
                             .value());
      const Metrics metrics = {{"loss", 1.0 / static_cast<double>(step)}};
      EXPECT_TRUE(manager.Save(step, std::move(items), metrics).ok());
    }
    return run;
  }

  // Flips a bit of the file at `offset`, counted from its end if negative.
  static void FlipBit(const std::string& file, int64_t offset) {
    std::string bytes = ReadFile(file);
    const auto at =
        static_cast<size_t>(offset < 0 ? static_cast<int64_t>(bytes.size()) + offset : offset);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    WriteFile(file, bytes);
  }

  TempDir dir_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TOOLS_TOOL_TEST_H_
