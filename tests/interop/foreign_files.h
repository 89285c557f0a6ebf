// Files of other kinds, which the readers and the commands must name.
#ifndef LEAFSTORE_TESTS_INTEROP_FOREIGN_FILES_H_
#define LEAFSTORE_TESTS_INTEROP_FOREIGN_FILES_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace leafstore {

struct ForeignFile {
  std::string name;
  std::string bytes;
  std::string found;  // a part of the message
};

inline std::vector<ForeignFile> ForeignFiles() {
  const std::string zeros(64, '\0');
  return {
      {"pointer.safetensors",
       absl::StrCat("version https://git-lfs.github.com/spec/v1\noid sha256:", std::string(64, '0'),
                    "\nsize 90868376\n"),
       "a Git LFS pointer"},
      {"page.safetensors", "<!DOCTYPE html><html><body>Access denied</body></html>",
       "that begins with '<!DOCTYPE html>"},
      {"error.npz", "\n<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
       "a web page (HTML or XML)"},
      {"note.safetensors", "Entry not found\n", "text that begins with 'Entry not found'"},
      {"utf8.npy",
       "\xef\xbb\xbf"
       "caf\xc3\xa9\n",
       "text that begins"},
      {"config.json", "{\"model_type\": \"bert\", \"hidden_size\": 4}", "JSON"},
      {"list.json", "[1, 2]", "JSON that begins with '[1, 2]'"},
      {"model.gguf", absl::StrCat("GGUF", std::string("\3\0\0\0", 4), std::string(16, '\0')),
       "a GGUF file"},
      {"weights.h5", "\x89HDF\r\n\x1a\n" + zeros, "an HDF5 file"},
      {"old.pth",
       "\x80\x02\x8a\nl\xfc\x9c"
       "F\xf9 j\xa8P\x19.",
       "an old file of PyTorch"},
      {"new.pkl", std::string("\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94.", 14), "a Python pickle"},
      {"new.pt",
       std::string("PK\3\4\0\0\x08\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0", 30) +
           "archive/data.pkl" + zeros,
       "a file of PyTorch"},
      {"model.onnx",
       std::string("\x08\x07\x12\x07pytorch\x1a\x05"
                   "2.1.0",
                   18),
       "an ONNX model"},
      {"saved_model.pb", std::string("\x08\x01\x12\x9b\x20\x0a\x80\x10", 8),
       "a SavedModel of TensorFlow"},
      {"ckpt.index", std::string("\0\0\x06\x08\x01\x1a\x02\x08\x01\0\x05", 11) + zeros,
       "the index of a TensorFlow checkpoint"},
      {"checkpoint", "model_checkpoint_path: \"ckpt-1\"\n", "TensorFlow's list of checkpoints"},
      {"flax.msgpack",
       "\x81\xa6params\x81\xa5"
       "Dense" +
           zeros,
       "a MessagePack file"},
      {"flax16.msgpack", std::string("\xde\0\x20\xd9\x06params\x01", 12) + zeros,
       "a MessagePack file"},
      {"model.tar.gz", "\x1f\x8b\x08" + zeros, "compressed by gzip"},
      {"model.zst", "\x28\xb5\x2f\xfd" + zeros, "compressed by zstd"},
      {"model.lz4", "\x04\x22\x4d\x18" + zeros, "compressed by lz4"},
      {"protocol0.pkl", "(dp0\nVweight\np1\nF1.0\ns.", "a Python pickle"},
      {"class0.pkl", "ccollections\nOrderedDict\np0\n(tRp1\n.", "a Python pickle"},
      {"ggml.bin", "lmgg" + zeros, "a GGML file"},
      {"model.rar", "Rar!\x1a\x07" + zeros, "a rar archive"},
      {"loss.png", "\x89PNG\r\n\x1a\n" + zeros, "a PNG image"},
      {"log.db", std::string("SQLite format 3\0", 16) + zeros, "a database of SQLite"},
      {"table.arrow", "ARROW1" + zeros, "Apache Arrow"},
      {"w.mat", "MATLAB 5.0 MAT-file, Platform: GLNXA64", "a file of MATLAB"},
      {"._w.npy", std::string("\0\5\x16\7\0\2", 6) + zeros, "an AppleDouble file"},
      {"answer.safetensors", "{\"error\": \"Repository not found\"}", "the download failed"},
      {"model.pt2",
       std::string("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0", 30) +
           "model/archive_format" + zeros,
       "a file of PyTorch"},
  };
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_INTEROP_FOREIGN_FILES_H_
