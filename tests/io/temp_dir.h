// A directory that is removed when the test ends, and functions to read and write complete files.
#ifndef LEAFSTORE_TESTS_IO_TEMP_DIR_H_
#define LEAFSTORE_TESTS_IO_TEMP_DIR_H_

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "leafstore/io/file_system.h"

namespace leafstore {

class TempDir {
 public:
  TempDir() {
    std::string name = testing::TempDir() + "/leafstore-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no directory " << name;
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  std::vector<std::string> List() const { return FileSystem::Posix().List(path_).value(); }

 private:
  std::string path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_IO_TEMP_DIR_H_
