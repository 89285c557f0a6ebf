// NpzReader: an open archive of NumPy, whose members are read one by one.
//
//   auto reader = NpzReader::Open("weights.npz", options).value();
//   for (size_t i = 0; i < reader->size(); ++i) reader->ReadTensor(i);
//
// Opening reads the directory of the archive and no member. Each read of a member inflates it; a
// complete read checks its CRC-32. The CRC-32 of a member that does not look like a tensor is
// checked before it is called unreadable, so damage is never reported as another kind of member.
//
// Errors: as LoadNpz; all name the file, and errors of a member name the member.
//
// Threads: const calls are thread-safe; one member is read at a time.
#ifndef LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPZ_READER_H_
#define LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPZ_READER_H_

#include <zip.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/tensor.h"
#include "leafstore/interop/numpy/internal/npy_header.h"
#include "leafstore/interop/numpy/internal/zip_source.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/io/file_system.h"

namespace leafstore::internal {

inline constexpr absl::string_view kArrayExtension = ".npy";

// Returns whether libzip rejects a name. Members with such names are neither written nor read.
bool HasControl(absl::string_view name);

class NpzReader {
 public:
  // Opens an archive, and checks its directory. O(members).
  static absl::StatusOr<std::unique_ptr<const NpzReader>> Open(const std::string& path,
                                                               const NumpyOptions& options);

  // Returns the count of members, without folders and members that macOS adds.
  size_t size() const { return members_.size(); }
  // Returns the name of a member; for an array, without `.npy`. In all calls, `i` must be less than
  // size().
  const std::string& name(size_t i) const { return members_[i].name; }
  // Returns the size of the file.
  int64_t file_size() const { return file_->size(); }

  // Reads the header of an array. O(header).
  absl::StatusOr<NpyHeader> ReadHeader(size_t i) const;
  // Reads a tensor of at most `max_bytes`. O(bytes).
  absl::StatusOr<Tensor> ReadTensor(size_t i, int64_t max_bytes) const;
  // Returns the member as an unreadable one if `error`, which reading it returned, says so and the
  // options skip such members. error: DataLoss if the member is damaged; otherwise `error`.
  // O(bytes).
  absl::StatusOr<UnreadableLeaf> AsUnreadable(size_t i, const absl::Status& error) const;

 private:
  struct Member {
    zip_uint64_t index;  // in the archive
    std::string name;
    bool is_array;
    int64_t size;
    absl::Status can_read;  // Unimplemented: encrypted, or compressed in another way
  };
  struct Close {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
  };
  using OpenMember = std::unique_ptr<zip_file_t, Close>;

  NpzReader(std::string path, std::unique_ptr<ReadableFile> file, const NumpyOptions& options)
      : path_(std::move(path)), file_(std::move(file)), options_(options), source_(file_.get()) {}

  absl::Status OpenArchive();
  // Reads the directory of the archive.
  absl::Status ReadMembers();
  absl::StatusOr<Member> ReadMember(zip_uint64_t index, uint64_t* stored) const;
  // Returns whether a member begins like an array.
  bool BeginsAsArray(zip_uint64_t index) const;
  // Returns the name of a member, which is valid while the archive is open.
  absl::StatusOr<absl::string_view> NameOf(zip_uint64_t index) const;
  // Checks that the archive can hold the bytes it declares, before memory is allocated for them.
  // `*stored` is the total of the members so far, as stored in the archive.
  absl::Status CheckSizes(const zip_stat_t& stat, uint64_t* stored) const;
  absl::StatusOr<OpenMember> OpenAt(size_t i) const;
  // Reads the last `left` bytes of a member, and compares its CRC-32.
  absl::Status CheckRest(size_t i, int64_t left, zip_file_t* file) const;
  // Returns the error of the file system if there was one, because it is more specific; otherwise
  // that of the member.
  absl::Status Named(size_t i, const absl::Status& status) const;

  const std::string path_;
  const std::unique_ptr<ReadableFile> file_;
  const NumpyOptions options_;
  mutable std::mutex mutex_;  // guards libzip's state
  mutable ZipFile source_;
  mutable ZipArchive archive_;
  std::vector<Member> members_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPZ_READER_H_
