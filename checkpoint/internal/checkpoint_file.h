// CheckpointFile: an open checkpoint with a checked manifest. The implementation of
// CheckpointReader.
//
// Threads: const calls are thread-safe.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_FILE_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/internal/file_bytes.h"
#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/internal/segments.h"
#include "leafstore/checkpoint/internal/stored_leaves.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/core/internal/lazy.h"
#include "leafstore/io/io_options.h"
#include "leafstore/proto/internal/manifest_head.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

// Returns whether an error concerns this process or machine, and not the file: another process may
// read it, or this one later.
bool IsOfProcess(const absl::Status& status);

// The bytes of a checkpoint file whose preamble and footer are valid.
struct OpenFile {
  std::unique_ptr<FileBytes> bytes;
  Footer footer;
};
// Opens the file of a base, in the directory of `path`. error: the file system's, DecodePreamble's
// and DecodeFooter's, after "base" and the path. error DataLoss: the file of this name is another
// checkpoint.
absl::StatusOr<OpenFile> OpenBase(absl::string_view path, const FileIdentity& base,
                                  const IoOptions& io);

// Like OpenBase, but also finds a base that was set aside and so has another name now
// (run_files.h).
absl::StatusOr<OpenFile> FindBase(absl::string_view path, const FileIdentity& base,
                                  const IoOptions& io);

// Reads and checks the preamble and the footer. With `tail`, for a file that is not mapped, reads
// more bytes from its end and leaves them in `*tail`. They mostly contain the manifest, which saves
// another read from a slow disk or a network.
absl::StatusOr<Footer> ReadFooter(const FileBytes& bytes, Buffer* tail = nullptr);

// Reads the head of a checkpoint, but not its items, and opens no bases. If the footer is intact,
// sets `*identity`, even if the manifest is damaged. Errors as CheckpointReader::Open.
absl::StatusOr<ManifestHead> ReadHead(const std::string& path, const IoOptions& io,
                                      FileIdentity* identity);

class CheckpointFile {
 public:
  static absl::StatusOr<std::shared_ptr<const CheckpointFile>> Open(const std::string& path,
                                                                    const ReadOptions& options);

  const std::string& path() const { return own_.bytes->path(); }
  const ReadOptions& options() const { return options_; }
  const Manifest& manifest() const { return manifest_; }
  const Footer& footer() const { return own_.footer; }
  // Returns what identifies this file among those of its directory.
  FileIdentity identity() const {
    return {FileNameOf(path()), footer().file_size, footer().manifest_checksum};
  }

  // Returns the file of an EntryInfo::base. Open opens bases too, but a missing or damaged one
  // affects only its tensors. error: as FindBase; the next call tries again.
  absl::StatusOr<const FileBytes*> FileOf(uint32_t base) const;
  // Opens the bases that are not open. error: the first of FileOf.
  absl::Status OpenBases() const;
  // Prefixes an error with the path of the file; WithItem also with the name of the item.
  absl::Status WithPath(const absl::Status& status) const { return own_.bytes->WithPath(status); }
  absl::Status WithItem(const ManifestItem& item, const absl::Status& status) const;

  // Returns the item of this name. error NotFound, with suggestions: no such item. O(log items).
  absl::StatusOr<const ManifestItem*> GetItem(absl::string_view name) const;

 private:
  CheckpointFile() = default;

  // `tail` is ReadFooter's.
  absl::Status ReadManifest(const Buffer& tail);

  ReadOptions options_;
  OpenFile own_;
  Manifest manifest_;
  std::vector<uint32_t> by_name_;              // the indices of its items, ascending by name
  mutable std::vector<Lazy<OpenFile>> bases_;  // parallel to manifest_.bases
};

// The leaves of an item.
class ItemLeaves : public StoredLeaves {
 public:
  ItemLeaves(const CheckpointFile& file, const ManifestItem& item)
      : StoredLeaves(item.layout, item.slots, file.options().io, file.options().verify),
        file_(file),
        item_(item) {}

  EntryInfo entry(uint32_t place) const override { return EntryOf(item_, place); }
  LeafSpec spec(uint32_t place) const override { return item_.leaves.spec(place); }
  absl::StatusOr<const FileBytes*> FileOf(uint32_t base) const override {
    return file_.FileOf(base);
  }
  absl::Status Named(uint32_t place, const FileBytes* file,
                     const absl::Status& status) const override;
  absl::Status Named(const absl::Status& status) const override {
    return file_.WithItem(item_, status);
  }

 private:
  const CheckpointFile& file_;
  const ManifestItem& item_;
};

// See CheckpointReader::Verify.
absl::Status Verify(const CheckpointFile& file);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_FILE_H_
