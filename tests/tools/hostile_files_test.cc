// Small files that ask for much: no subcommand takes gigabytes, or time that grows with the square
// of the size of a file. The shell limits the memory, and the processor's time is compared, so that
// the machine's load does not matter.
#include <sys/resource.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/numeric/diff.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/core/status_matchers.h"
#include "tests/tools/run_program.h"

namespace leafstore {
namespace {

using testing::HasSubstr;

class HostileFileTest : public testing::Test {
 protected:
  void Save(const std::string& name, std::vector<CheckpointItem> items) {
    SaveOptions options;
    options.io.durable = false;
    ASSERT_THAT(SaveCheckpoint(dir_.File(name), std::move(items), options), IsOk());
  }

  // Runs `leafstore` with these arguments in the directory, in limited memory and time.
  Ran Run(const std::string& arguments, int mebibytes = 1500, int seconds = 30) const {
    return RunShell(absl::StrCat("cd ", dir_.path(), " && ulimit -v ", mebibytes * 1024,
                                 " && ulimit -t ", seconds, " && exec $LEAFSTORE ", arguments));
  }

  // Runs a command in which $F is a file, and returns the processor's time in seconds.
  double TimeOf(const std::string& command, const std::string& file) const {
    const auto children = [] {
      rusage usage = {};
      getrusage(RUSAGE_CHILDREN, &usage);
      return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    };
    const double before = children();
    const Ran ran = Run(absl::StrReplaceAll(command, {{"$F", file}}));
    EXPECT_EQ(ran.exit_code, 0) << command << ": " << ran.err.substr(0, 1000);
    return children() - before;
  }
  // Runs a command on few.leaf and many.leaf, which is four times as large.
  void ExpectLinear(const std::string& command) const {
    const double few = TimeOf(command, "few.leaf");
    const double many = TimeOf(command, "many.leaf");
    EXPECT_LT(many, 8 * few + 0.2) << command;
  }

  TempDir dir_;
};

// Dicts in dicts, each with a leaf, under one long key: few bytes in a file, but the text of the
// paths has gigabytes.
ParamStore DeepStore(float value) {
  constexpr int kLevels = 2'500;
  const std::string key(2'500, 'k');
  TreeDefBuilder builder;
  for (int i = 0; i < kLevels; ++i) {
    if (i > 0) builder.SetKey(KeyRef::Item(key));
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item("a"));
    builder.Leaf();
  }
  for (int i = 0; i < kLevels; ++i) builder.Close();
  return ParamStore::Create(std::move(builder).Build().value(),
                            std::vector<Leaf>(kLevels, Tensor::Scalar<float>(value)))
      .value();
}

TEST_F(HostileFileTest, LongPaths_AreAnErrorWhereTheyWouldBeKept) {
  Save("deep.leaf", {{"params", DeepStore(1)}});
  Save("other.leaf", {{"params", DeepStore(2)}});
  for (const std::string command :
       {"convert deep.leaf out.safetensors", "convert deep.leaf out.npz",
        "explain deep.leaf --group 'a=**.a'", "explain deep.leaf --group 'a=**.a' --json",
        "cat deep.leaf --json", "inspect deep.leaf --json", "tree deep.leaf --json",
        "stats deep.leaf --json", "diff deep.leaf other.leaf", "diff deep.leaf other.leaf --json",
        "split deep.leaf --group 'a=**.a' --out '{}.safetensors'",
        "merge deep.leaf --out out.safetensors"}) {
    const Ran ran = Run(command);
    EXPECT_EQ(ran.exit_code, command.rfind("diff", 0) == 0 ? 2 : 1) << command << ": " << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("expected paths of at most")) << command;
  }
  EXPECT_THAT(dir_.List(), testing::ElementsAre("deep.leaf", "other.leaf")) << "nothing is written";
}

TEST_F(HostileFileTest, LongPaths_AreNoTroubleWhereTheyAreCut) {
  Save("deep.leaf", {{"params", DeepStore(1)}});
  for (const std::string command :
       {"inspect deep.leaf", "tree deep.leaf", "stats deep.leaf", "cat deep.leaf",
        "verify deep.leaf", "diff deep.leaf deep.leaf", "diff deep.leaf deep.leaf --json",
        "convert deep.leaf copy.leaf", "merge deep.leaf --out merged.leaf",
        "split deep.leaf --group 'a=**.a' --out 'part-{}.leaf'",
        "complete-words paths deep.leaf -- k"}) {
    const Ran ran = Run(command);
    EXPECT_EQ(ran.exit_code, 0) << command << ": " << ran.err;
  }
}

TEST_F(HostileFileTest, LongPaths_AreAnErrorInTheLibrary) {
  const ParamStore deep = DeepStore(1);
  const auto too_long =
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("expected paths of at most"));
  EXPECT_THAT(SaveSafetensors(dir_.File("x.safetensors"), deep), too_long);
  EXPECT_THAT(SaveNpz(dir_.File("x.npz"), deep), too_long);
  EXPECT_THAT(DiffStores(deep, DeepStore(2)).status(), too_long);
  EXPECT_THAT(dir_.List(), testing::IsEmpty());
}

ParamStore OneLeaf(const std::string& name) {
  return ParamStore::FromEntries({{Path().Item(name), Value(1)}}).value();
}

// Time in the square of the count would be sixteen times as long for the larger file.
TEST_F(HostileFileTest, ManyItems_TakeLinearTime) {
  const ParamStore store = OneLeaf("a");
  for (const int count : {10'000, 40'000}) {
    std::vector<CheckpointItem> items;
    for (int i = 0; i < count; ++i) items.emplace_back(absl::StrCat("item ", i), store);
    Save(count == 10'000 ? "few.leaf" : "many.leaf", std::move(items));
  }
  for (const std::string command :
       {"inspect $F", "inspect $F --json", "tree $F", "stats $F", "verify $F", "cat $F",
        "cat $F --json", "explain $F --group 'a=a'", "explain $F --group 'a=a' --json",
        "diff $F $F", "rename $F 'a=b'", "convert $F copy.leaf --force",
        "convert $F unverified.leaf --no-verify --force", "merge $F --out merged.leaf --force",
        "split $F --group 'a=a' --out 'part-{}.leaf' --force", "complete-words items $F",
        "complete-words paths $F"}) {
    ExpectLinear(command);
  }
}

// Returns a store of one leaf, and a grouping of it with many names.
CheckpointItem WithGroups(const std::string& name, int groups) {
  const ParamStore store = OneLeaf("a");
  std::vector<std::string> names;
  for (int i = 0; i < groups; ++i) names.push_back(absl::StrCat(name, i));
  ItemOptions options;
  options.grouping = Grouping::Create(store.layout(), std::vector<uint32_t>{0}, names).value();
  return CheckpointItem(name, store, options);
}

TEST_F(HostileFileTest, ManyGroups_TakeLinearTime) {
  for (const int groups : {50'000, 200'000}) {
    std::vector<CheckpointItem> items;
    items.push_back(WithGroups("many", groups));
    // Each with names of its own: all items together have as many.
    for (int i = 0; i < groups / 100; ++i) {
      items.push_back(WithGroups(absl::StrCat("item ", i, " "), 50));
    }
    Save(groups == 50'000 ? "few.leaf" : "many.leaf", std::move(items));
  }
  for (const std::string command :
       {"inspect $F --item many", "stats $F --item many", "explain $F",
        "split $F --item many --out 'part-{}.leaf' --force", "convert $F copy.leaf --force"}) {
    ExpectLinear(command);
  }
  // A file for each item.
  EXPECT_EQ(Run("split few.leaf --out 'all-{}.leaf'").exit_code, 0);
}

}  // namespace
}  // namespace leafstore
