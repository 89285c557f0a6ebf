#include "leafstore/interop/internal/foreign.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/list_for_message.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kSpaces = " \t\r\n";
constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";

bool IsPrintable(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; }

bool IsTextByte(char c) { return IsPrintable(c) || absl::StrContains("\t\r\n\f", c); }

bool HasBegin(absl::string_view begin, absl::string_view magic) {
  return absl::StartsWith(begin, magic);
}

// protobuf: field 1, a small number, then a text (field 2, the producer) or another field.
bool IsOnnx(absl::string_view begin, absl::string_view) {
  if (begin.size() < 5 || begin[0] != 0x08 || begin[1] < 1 || begin[1] > 0x20) return false;
  if (begin[2] == 0x12) return begin[1] > 1 && begin[3] > 0 && IsPrintable(begin[4]);
  return absl::StrContains("\x1a\x22\x28\x32\x3a\x42", begin[2]) && begin[3] != 0;
}

// A table of LevelDB: an entry with an empty key, whose value is a BundleHeaderProto.
bool IsTensorFlowIndex(absl::string_view begin, absl::string_view) {
  constexpr absl::string_view kVersion("\x1a\x02\x08", 3);
  return begin.size() >= 8 && begin[0] == 0 && begin[1] == 0 && begin[2] >= 4 && begin[3] == 0x08 &&
         begin.substr(4, 8).find(kVersion) != absl::string_view::npos;
}

// A map of MessagePack, whose first key is a printable string.
bool IsMessagePack(absl::string_view begin, absl::string_view) {
  if (begin.size() < 8) return false;
  const auto at = [&](size_t i) { return static_cast<unsigned char>(begin[i]); };
  const bool is_short = at(0) >= 0x81 && at(0) <= 0x8f;
  if (!is_short && at(0) != 0xde && at(0) != 0xdf) return false;
  const size_t key = is_short ? 1 : at(0) == 0xde ? 3 : 5;
  const size_t text = key + (at(key) == 0xd9 ? 2 : 1);
  return (at(key) == 0xd9 || (at(key) >= 0xa1 && at(key) <= 0xbf)) && IsPrintable(begin[text]);
}

// Returns whether only archives of PyTorch (torch.save, TorchScript, torch.export) have a member of
// this name.
bool IsPyTorchMember(absl::string_view name) {
  constexpr absl::string_view kEnds[] = {"/data.pkl", "/constants.pkl", "/.format_version",
                                         "/.data/serialization_id", "/archive_format"};
  return std::any_of(std::begin(kEnds), std::end(kEnds),
                     [name](absl::string_view end) { return absl::EndsWith(name, end); });
}

// Returns whether a file is a zip archive that begins with a member of a PyTorch file.
bool IsPyTorchZip(absl::string_view begin, absl::string_view magic) {
  constexpr size_t kName = 30;  // after its length and that of other fields
  uint16_t length = 0;
  if (!HasBegin(begin, magic) || begin.size() < kName) return false;
  std::memcpy(&length, begin.data() + kName - 2 * sizeof(length), sizeof(length));
  return IsPyTorchMember(begin.substr(kName, length));
}

bool IsPickle(absl::string_view begin, absl::string_view magic) {
  return HasBegin(begin, magic) && begin.size() > 2 && begin[1] >= 2 && begin[1] <= 5;
}

// Protocol 1 has no mark either: an empty dictionary, list or tuple, which is numbered.
bool IsBinaryPickle(absl::string_view begin, absl::string_view) {
  return begin.size() > 3 && absl::StrContains("}])", begin[0]) && begin[1] == 'q' && begin[2] == 0;
}

// Protocol 0 is text: a mark and `dp0` or `lp0`, or the name of a class in two lines.
bool IsTextPickle(absl::string_view begin, absl::string_view) {
  if (begin.size() < 4) return false;
  if (begin[0] == '(') return absl::StrContains("dlit", begin[1]) && begin[2] == 'p';
  const std::vector<absl::string_view> lines = absl::StrSplit(begin.substr(1), '\n');
  const auto is_name = [](absl::string_view line) {
    return !line.empty() && std::all_of(line.begin(), line.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
    });
  };
  return begin[0] == 'c' && lines.size() > 2 && is_name(lines[0]) && is_name(lines[1]) &&
         (absl::StartsWith(lines[2], "(") ||
          (lines[2].size() > 1 && lines[2][0] == 'p' &&
           absl::ascii_isdigit(static_cast<unsigned char>(lines[2][1]))) ||
          absl::StartsWith(lines[2], absl::string_view("q\0", 2)));
}

bool IsAt4(absl::string_view begin, absl::string_view magic) {
  return begin.size() > 4 && HasBegin(begin.substr(4), magic);
}

bool IsTar(absl::string_view begin, absl::string_view magic) {
  return begin.size() > 262 && HasBegin(begin.substr(257), magic);
}

constexpr absl::string_view kFromPyTorch =
    "load it in Python with torch.load(..., weights_only=True) and write it with "
    "safetensors.torch.save_file";
constexpr absl::string_view kFromPickle =
    "if you trust it, load it in Python and write safetensors or npz";
constexpr absl::string_view kZipMagic = "PK\x03\x04";
constexpr absl::string_view kUnpack = "unpack it first";

constexpr absl::string_view kFailedDownload =
    "the download failed: download the file again, after logging in if necessary";

struct ForeignKind {
  absl::string_view magic;
  absl::string_view name;
  absl::string_view advice;
  bool (*is)(absl::string_view begin, absl::string_view magic) = HasBegin;
  FileKind kind = FileKind::kForeign;
};

// Checked in this order; the first that matches is reported.
constexpr ForeignKind kKinds[] = {
    {"version https://git-lfs.github.com/spec/", "a Git LFS pointer, which stands for the file",
     "fetch the file itself: git lfs pull"},
    {"GGUF", "a GGUF file of llama.cpp",
     "use the safetensors that it was made from, or convert it"},
    {"fmgg", "a GGML file of llama.cpp", "use the safetensors that it was made from"},
    {"lmgg", "a GGML file of llama.cpp", "use the safetensors that it was made from"},
    {"tjgg", "a GGML file of llama.cpp", "use the safetensors that it was made from"},
    {"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes",
     "read it in Python with h5py, and write the arrays with numpy.savez"},
    {"MATLAB 5.0 MAT-file", "a file of MATLAB",
     "read it in Python with scipy.io.loadmat, and write the arrays with numpy.savez"},
    {kZipMagic, "a file of PyTorch, a zip archive with a pickle", kFromPyTorch, IsPyTorchZip},
    {"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9", "an old file of PyTorch, a pickle", kFromPyTorch},
    {"\x80", "a Python pickle, which can run any program when it is read", kFromPickle, IsPickle},
    {"", "a Python pickle, which can run any program when it is read", kFromPickle, IsTextPickle},
    {"", "a Python pickle, which can run any program when it is read", kFromPickle, IsBinaryPickle},
    {absl::string_view("\0\0", 2), "the index of a TensorFlow checkpoint",
     "read it in Python with tf.train.load_checkpoint, and write the arrays with numpy.savez",
     IsTensorFlowIndex},
    {"model_checkpoint_path:", "TensorFlow's list of checkpoints",
     "read the checkpoint in Python with tf.train.load_checkpoint, and write the arrays with "
     "numpy.savez"},
    {absl::string_view("\x08\x01\x12", 3), "a SavedModel of TensorFlow",
     "load it in Python, and write the arrays with numpy.savez"},
    {"", "an ONNX model", "read its initializers in Python with onnx.numpy_helper", IsOnnx},
    {"", "a MessagePack file, such as Flax writes",
     "restore it in Python with flax.serialization, and write safetensors or npz", IsMessagePack},
    {"\x89LEAF\r\n\x1a", "a checkpoint of leafstore", "open it as a .leaf file", HasBegin,
     FileKind::kLeaf},
    {"\x93NUMPY", "an array of NumPy", "open it as a .npy file", HasBegin, FileKind::kNpy},
    {kZipMagic, "a zip archive", "if it is an archive of NumPy, open it as a .npz file", HasBegin,
     FileKind::kZip},
    {"PK\x05\x06", "an empty zip archive", "it has no tensors", HasBegin, FileKind::kZip},
    {"TFL3", "a TensorFlow Lite model", "use the model that it was made from", IsAt4},
    {"\x1f\x8b\x08", "a file compressed by gzip", kUnpack},
    {"\x28\xb5\x2f\xfd", "a file compressed by zstd", kUnpack},
    {"\x04\x22\x4d\x18", "a file compressed by lz4", kUnpack},
    {"\xfd"
     "7zXZ",
     "a file compressed by xz", kUnpack},
    {"BZh", "a file compressed by bzip2", kUnpack},
    {"7z\xbc\xaf\x27\x1c", "a 7z archive", kUnpack},
    {"Rar!\x1a\x07", "a rar archive", kUnpack},
    {"ustar", "a tar archive", kUnpack, IsTar},
    {"PAR1", "a Parquet file", "it has tables, not tensors"},
    {"ARROW1", "a file of Apache Arrow", "it has tables, not tensors"},
    {"SQLite format 3", "a database of SQLite", "it has tables, not tensors"},
    {"\x89PNG\r\n\x1a\n", "a PNG image", "name the file with the tensors"},
    {"%PDF-", "a PDF document", "download the file again"},
    {absl::string_view("\0\x05\x16\x07", 4), "an AppleDouble file, which macOS adds to another",
     "it has no tensors: name the other file, whose name lacks the '._'"},
};

// Returns the first line that is not empty.
absl::string_view FirstLine(absl::string_view text) {
  constexpr size_t kMaxLine = 80;
  text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
  text = text.substr(0, std::min(text.find_first_of("\r\n"), kMaxLine));
  return text.substr(0, ValidUtf8PrefixSize(text));
}

// Returns whether these are the first bytes of safetensors, whose header may be truncated: the
// length of a header that can be read, and white space or '{'.
bool IsSafetensorsBegin(absl::string_view begin) {
  constexpr size_t kLength = sizeof(uint64_t);
  constexpr absl::string_view kLengthEnd("\0\0\0\0", 4);  // 4 GiB are too long
  return begin.size() > kLength && begin.substr(4, 4) == kLengthEnd &&
         absl::StrContains(absl::StrCat(kSpaces, "{"), begin[kLength]);
}

bool IsSafetensors(absl::string_view begin, int64_t file_size) {
  uint64_t length = 0;
  if (!IsSafetensorsBegin(begin)) return false;
  std::memcpy(&length, begin.data(), sizeof(length));
  // If the file is truncated, its header must begin with '{'.
  return length >= 2 && (length <= static_cast<uint64_t>(file_size) - sizeof(length) ||
                         begin[sizeof(length)] == '{');
}

// Returns whether a file begins like JSON: white space, '{' or '[', and no control characters.
bool IsJson(absl::string_view begin) {
  absl::ConsumePrefix(&begin, kByteOrderMark);
  const absl::string_view some = begin.substr(0, 16);
  const size_t first = begin.find_first_not_of(kSpaces);
  return first != absl::string_view::npos && (begin[first] == '{' || begin[first] == '[') &&
         std::all_of(some.begin(), some.end(), IsTextByte);
}

// Returns OK if the file is not text.
absl::Status CheckNotText(absl::string_view begin, absl::string_view expected) {
  begin = begin.substr(0, kForeignBegin);
  absl::ConsumePrefix(&begin, kByteOrderMark);
  // The last character may be cut.
  const bool is_text = ValidUtf8PrefixSize(begin) + 4 > begin.size() &&
                       std::all_of(begin.begin(), begin.end(), IsTextByte);
  const absl::string_view line = FirstLine(begin);
  if (!is_text || line.empty()) return absl::OkStatus();
  const auto found = [&](absl::string_view kind) {
    return absl::StrCat(kind, " that begins with ", QuotedForMessage(line));
  };
  if (line[0] == '<') {
    return ForeignError(expected, found("a web page (HTML or XML)"), kFailedDownload);
  }
  if (line[0] == '{' || line[0] == '[') return ForeignJson(begin, expected);
  return ForeignError(expected, found("text"), "name the file with the tensors");
}

}  // namespace

FileKind FileKindOf(absl::string_view begin, int64_t file_size) {
  if (begin.empty()) return FileKind::kUnknown;
  if (IsSafetensors(begin, file_size)) return FileKind::kSafetensors;
  if (IsJson(begin)) return FileKind::kJson;
  for (const ForeignKind& kind : kKinds) {
    const bool is_cut = kind.kind != FileKind::kForeign && absl::StartsWith(kind.magic, begin);
    if (is_cut || kind.is(begin, kind.magic)) return kind.kind;
  }
  return CheckNotForeign(begin, "").ok() ? FileKind::kUnknown : FileKind::kForeign;
}

absl::Status ForeignError(absl::string_view expected, absl::string_view found,
                          absl::string_view advice) {
  return WithReason(absl::InvalidArgumentError(
                        absl::StrCat("expected ", expected, ", found ", found, "; ", advice)),
                    ErrorReason::kForeign);
}

absl::Status ForeignJson(absl::string_view text, absl::string_view expected) {
  const absl::string_view line = FirstLine(text);
  const absl::string_view key =
      line.substr(std::min(line.find_first_not_of(absl::StrCat(kSpaces, "{")), line.size()));
  const bool is_answer = absl::StartsWith(key, "\"error\"");  // of a server
  return ForeignError(
      expected, absl::StrCat("JSON that begins with ", QuotedForMessage(line)),
      is_answer ? kFailedDownload
                : "name the file with the tensors, its index (*.safetensors.index.json) or their "
                  "directory");
}

absl::Status ForeignPyTorchIndex(absl::string_view file) {
  return ForeignError("an index of safetensors",
                      absl::StrCat("an index of PyTorch, which lists ", file), kFromPyTorch);
}

absl::Status CheckNotForeign(absl::string_view begin, absl::string_view expected) {
  if (IsSafetensorsBegin(begin)) return absl::OkStatus();
  for (const ForeignKind& kind : kKinds) {
    if (kind.is(begin, kind.magic)) return ForeignError(expected, kind.name, kind.advice);
  }
  return CheckNotText(begin, expected);
}

absl::StatusOr<bool> CheckZip(const ReadableFile& file, absl::string_view expected) {
  std::string begin(std::min<size_t>(static_cast<size_t>(file.size()), kForeignBegin), '\0');
  LEAFSTORE_RETURN_IF_ERROR(
      file.ReadAt(0, absl::MakeSpan(reinterpret_cast<std::byte*>(begin.data()), begin.size())));
  const FileKind kind = FileKindOf(begin, file.size());
  if (kind != FileKind::kZip) LEAFSTORE_RETURN_IF_ERROR(CheckNotForeign(begin, expected));
  return kind == FileKind::kZip;
}

absl::Status ForeignArchive(absl::Span<const std::string> members, absl::string_view expected) {
  constexpr size_t kMaxNamed = 3;
  const auto has = [&](absl::string_view end) {
    return std::any_of(members.begin(), members.end(),
                       [&](const std::string& member) { return absl::EndsWith(member, end); });
  };
  if (std::any_of(members.begin(), members.end(), IsPyTorchMember)) {
    return ForeignError(expected, "a file of PyTorch, a zip archive with a pickle", kFromPyTorch);
  }
  if (has("model.weights.h5")) {
    return ForeignError(expected, "a model of Keras, a zip archive",
                        "load it in Python, and write the arrays with numpy.savez");
  }
  std::vector<std::string> names;
  for (const std::string& member : members.subspan(0, std::min(kMaxNamed, members.size()))) {
    names.push_back(QuotedForMessage(member));
  }
  return ForeignError(expected,
                      absl::StrCat("a zip archive without arrays (*.npy), but with ",
                                   ListForMessage(names, kMaxNamed, members.size())),
                      kUnpack);
}

}  // namespace leafstore::internal
