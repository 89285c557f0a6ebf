// The library's side of the differential test (differential.py): converts files to plain text that
// lists their contents, and such text to files.
//
//   interop_differential dump FOLDER    writes F.dump for each .safetensors, .npy or .npz file F
//   interop_differential write FOLDER   writes F for each F.dump
//   interop_differential open FILE N    opens the file and lists its names, N times; prints the
//                                       nanoseconds of each
//
// A dump has a line `m` if the file has metadata, a line `m KEY VALUE` for each metadata entry, and
// a line `t NAME DTYPE SHAPE BYTES` for each tensor. Keys, values, names and bytes are in
// hexadecimal after a dot; a shape is a dot and `2,3,`; dtypes are named as in safetensors.
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"

namespace leafstore {
namespace {

namespace fs = std::filesystem;

struct Content {
  std::vector<NamedTensor> tensors;
  std::optional<Metadata> metadata;
};

std::string ToHex(absl::string_view bytes) {
  return absl::StrCat(".", absl::BytesToHexString(bytes));
}

std::string FromHex(absl::string_view text) {
  std::string bytes;
  for (size_t i = 1; i + 1 < text.size(); i += 2) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    bytes += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  }
  return bytes;
}

std::string Dump(const Content& content) {
  std::string out;
  if (content.metadata.has_value()) absl::StrAppend(&out, "m\n");
  for (const auto& [key, value] : content.metadata.value_or(Metadata())) {
    absl::StrAppend(&out, "m ", ToHex(key), " ", ToHex(value), "\n");
  }
  for (const NamedTensor& one : content.tensors) {
    std::string shape;
    for (const int64_t extent : one.tensor.shape()) absl::StrAppend(&shape, extent, ",");
    const absl::Span<const std::byte> bytes = one.tensor.bytes();
    absl::StrAppend(&out, "t ", ToHex(one.name), " ",
                    internal::SafetensorsDTypeName(one.tensor.dtype()), " .", shape, " ",
                    ToHex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}), "\n");
  }
  return out;
}

absl::StatusOr<Tensor> ParseTensor(const std::vector<absl::string_view>& words) {
  Shape shape;
  for (const absl::string_view part : absl::StrSplit(words[3].substr(1), ',', absl::SkipEmpty())) {
    int64_t extent = 0;
    if (!absl::SimpleAtoi(part, &extent)) return absl::InvalidArgumentError("a bad shape");
    shape.push_back(extent);
  }
  const std::string bytes = FromHex(words[4]);
  LEAFSTORE_ASSIGN_OR_RETURN(
      Tensor tensor, Tensor::Uninitialized(internal::SafetensorsDTypeOf(words[2]).value(), shape));
  if (tensor.byte_size() != static_cast<int64_t>(bytes.size())) {
    return absl::InvalidArgumentError("bad bytes");
  }
  if (bytes.empty()) return tensor;
  LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, tensor.Mutate());
  std::memcpy(writing.raw_data(), bytes.data(), bytes.size());
  writing.Close();
  return tensor;
}

absl::StatusOr<Content> Parse(const std::string& text) {
  Content content;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    if (words[0] == "m") {
      if (!content.metadata.has_value()) content.metadata.emplace();
      if (words.size() == 3) content.metadata->emplace(FromHex(words[1]), FromHex(words[2]));
      continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, ParseTensor(words));
    content.tensors.push_back({FromHex(words[1]), std::move(tensor)});
  }
  return content;
}

// Loads a file. `by_map` selects the read mode of safetensors files, so that both are covered.
absl::StatusOr<Content> Load(const std::string& path, bool by_map) {
  Content content;
  if (absl::EndsWith(path, ".npy")) {
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, LoadNpy(path));
    content.tensors.push_back({"", std::move(tensor)});
  } else if (absl::EndsWith(path, ".npz")) {
    LEAFSTORE_ASSIGN_OR_RETURN(NpzContents archive, LoadNpzTensors(path));
    content.tensors = std::move(archive.tensors);
  } else {
    SafetensorsReadOptions options;
    options.io.mode = by_map ? ReadMode::kMap : ReadMode::kRead;
    LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsReader reader,
                               SafetensorsReader::Open(path, options));
    content.metadata = reader.metadata();
    for (uint32_t i = 0; i < reader.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, reader.LoadTensor(i));
      content.tensors.push_back({std::string(reader.name(i)), std::move(tensor)});
    }
    // Names are unchanged by a conversion to paths and back.
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, reader.Load());
    LEAFSTORE_ASSIGN_OR_RETURN(const auto names, NamesOf(store, NameStyle::kSplit));
    for (uint32_t place = 0; place < store.size(); ++place) {
      LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t tensor, reader.GetIndex(names[place]));
      if (!(store.leaf(place).tensor() == content.tensors[tensor].tensor)) {
        return absl::InternalError("a path leads to another tensor than its name");
      }
    }
  }
  return content;
}

absl::Status Save(const std::string& path, const Content& content, bool deflate) {
  if (absl::EndsWith(path, ".npy")) {
    return SaveNpy(path, content.tensors.at(0).tensor, {.io = {.durable = false}});
  }
  if (absl::EndsWith(path, ".npz")) {
    return SaveNpz(path, content.tensors, {.io = {.durable = false}, .deflate = deflate});
  }
  return SaveSafetensors(path, content.tensors,
                         {.io = {.durable = false}, .metadata = content.metadata});
}

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

absl::Status Run(const std::string& command, const std::string& folder) {
  constexpr absl::string_view kDump = ".dump";
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  size_t number = 0;
  for (const std::string& path : paths) {
    const bool odd = ++number % 2 == 1;
    const bool is_dump = absl::EndsWith(path, kDump);
    absl::Status status;
    if (command == "dump" && !is_dump) {
      const absl::StatusOr<Content> content = Load(path, odd);
      status = content.status();
      if (content.ok())
        std::ofstream(absl::StrCat(path, kDump), std::ios::binary) << Dump(*content);
    } else if (command == "write" && is_dump) {
      const absl::StatusOr<Content> content = Parse(ReadAll(path));
      status = content.status();
      if (content.ok()) {
        status = Save(path.substr(0, path.size() - kDump.size()), *content, odd);
      }
    }
    if (!status.ok())
      return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  }
  return absl::OkStatus();
}

int OpenAgain(const std::string& path, int times) {
  for (int i = 0; i < times; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const absl::StatusOr<SafetensorsReader> reader = SafetensorsReader::Open(path);
    if (!reader.ok()) {
      std::cerr << reader.status() << "\n";
      return 1;
    }
    std::vector<absl::string_view> names;
    names.reserve(reader->size());
    for (uint32_t tensor = 0; tensor < reader->size(); ++tensor) {
      names.push_back(reader->name(tensor));
    }
    const auto end = std::chrono::steady_clock::now();
    std::cout << std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count() << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace leafstore

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "open") {
    return leafstore::OpenAgain(arguments[1], std::stoi(arguments[2]));
  }
  if (arguments.size() != 2 || (arguments[0] != "dump" && arguments[0] != "write")) {
    std::cerr << "usage: interop_differential dump|write FOLDER\n";
    return 2;
  }
  const absl::Status status = leafstore::Run(arguments[0], arguments[1]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
