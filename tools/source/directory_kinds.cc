#include "leafstore/tools/source/directory_kinds.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/list_for_message.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/io/file_system.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

constexpr absl::string_view kFromTensorFlow =
    "load it in Python with TensorFlow, and write the arrays with numpy.savez";
constexpr absl::string_view kFromPyTorch =
    "load them in Python with torch.load(..., weights_only=True) and write them with "
    "safetensors.torch.save_file";

// A directory of another program has a name with this end.
struct DirectoryKind {
  absl::string_view end;
  absl::string_view what;
  absl::string_view advice;
};
constexpr DirectoryKind kDirectoryKinds[] = {
    {"_CHECKPOINT_METADATA", "a checkpoint of Orbax",
     "restore it in Python with orbax.checkpoint, and write safetensors"},
    {"manifest.ocdbt", "a checkpoint of Orbax",
     "restore it in Python with orbax.checkpoint, and write safetensors"},
    {".distcp", "a distributed checkpoint of PyTorch",
     "convert it in Python with torch.distributed.checkpoint.format_utils.dcp_to_torch_save"},
    {"saved_model.pb", "a SavedModel of TensorFlow", kFromTensorFlow},
    {".ckpt.index", "a checkpoint of TensorFlow", kFromTensorFlow},
    {".zarray", "an array of Zarr", "load it in Python with zarr, and write it with numpy.save"},
    {".bin", "files of PyTorch", kFromPyTorch},
    {".pth", "files of PyTorch", kFromPyTorch},
    {".pt", "files of PyTorch", kFromPyTorch},
    {".gguf", "a GGUF file of llama.cpp", "use the safetensors that it was made from"},
    {".h5", "an HDF5 file, as of Keras",
     "read it in Python with h5py, and write the arrays with numpy.savez"},
    {".msgpack", "a MessagePack file, as of Flax",
     "restore it in Python with flax.serialization, and write safetensors or npz"}};

// Looks into directories, up to a limit of names.
struct Search {
  size_t left = 1000;

  std::vector<std::string> Names(const std::string& directory) {
    absl::StatusOr<std::vector<std::string>> names = FileSystem::Posix().List(directory);
    if (!names.ok()) return {};
    names->resize(std::min(names->size(), left));
    left -= names->size();
    return *std::move(names);
  }

  // Appends to `found` the directories from `prefix` on, up to `depth` below it, in which something
  // can be read.
  void Find(const std::string& directory, const std::string& prefix, int depth,
            std::vector<std::string>* found) {
    std::error_code error;
    for (const std::string& name : Names(directory)) {
      const std::string path = absl::StrCat(directory, "/", name);
      if (!std::filesystem::is_directory(path, error)) continue;
      const std::vector<std::string> inside = Names(path);
      if (std::any_of(inside.begin(), inside.end(), CanBeRead)) {
        found->push_back(absl::StrCat(prefix, name));
      } else if (depth > 1) {
        Find(path, absl::StrCat(prefix, name, "/"), depth - 1, found);
      }
    }
  }

  static bool CanBeRead(const std::string& name) {
    return !absl::StartsWith(name, ".") &&
           (FormatOfName(name).has_value() || internal::IsModelName(name));
  }
};

std::string NameOne(const std::vector<std::string>& names) {
  return names.size() == 1 ? "name it" : "name one of them";
}

}  // namespace

std::string DescribeDirectory(const std::string& directory, const std::vector<std::string>& names) {
  for (const DirectoryKind& kind : kDirectoryKinds) {
    const auto is_kind = [&kind](const std::string& name) {
      return absl::EndsWith(name, kind.end);
    };
    const auto at = std::find_if(names.begin(), names.end(), is_kind);
    if (at == names.end()) continue;
    return absl::StrCat(kind.what, " (", *at, "); ", kind.advice);
  }
  std::vector<std::string> found;
  std::copy_if(names.begin(), names.end(), std::back_inserter(found), Search::CanBeRead);
  if (!found.empty()) {
    return absl::StrCat(internal::ListForMessage(found), "; ", NameOne(found));
  }
  Search().Find(directory, "", /*depth=*/3, &found);
  if (!found.empty()) {
    return absl::StrCat("nothing to read in it, but in ", internal::ListForMessage(found), "; ",
                        NameOne(found));
  }
  return absl::StrCat("neither among ", names.size(), names.size() == 1 ? " name" : " names",
                      "; name a checkpoint's file");
}

}  // namespace leafstore::tools
