#include "leafstore/io/internal/forwarding_file_system.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/io/temp_dir.h"

namespace leafstore::internal {
namespace {

using testing::ElementsAre;

class CountedRenames : public ForwardingFileSystem {
 public:
  int renames = 0;

  absl::Status Rename(const std::string& from, const std::string& to) override {
    ++renames;
    return ForwardingFileSystem::Rename(from, to);
  }
};

TEST(ForwardingFileSystemTest, OtherCalls_ArePassedOn) {
  const TempDir dir;
  CountedRenames files;
  const std::string below = dir.File("below");
  ASSERT_TRUE(files.CreateDirectory(below).ok());
  ASSERT_TRUE(files.Create(below + "/a").value()->Close().ok());
  EXPECT_EQ(files.Open(below + "/a").value()->size(), 0);
  EXPECT_TRUE(files.SyncDirectory(below).ok());
  EXPECT_TRUE(files.Lock(below + "/lock").ok());
  EXPECT_THAT(files.List(below).value(), ElementsAre("a", "lock"));
  EXPECT_TRUE(files.Remove(below + "/a").ok());
  EXPECT_THAT(files.List(below).value(), ElementsAre("lock"));
}

TEST(ForwardingFileSystemTest, RenameNew_CallsRename) {
  const TempDir dir;
  CountedRenames files;
  ASSERT_TRUE(files.Create(dir.File("a")).value()->Close().ok());
  EXPECT_TRUE(files.RenameNew(dir.File("a"), dir.File("b")).ok());
  EXPECT_EQ(files.renames, 1);
  EXPECT_THAT(files.List(dir.path()).value(), ElementsAre("b"));
}

}  // namespace
}  // namespace leafstore::internal
