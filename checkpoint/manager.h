// CheckpointManager: the checkpoints of one run, a file a step, in a directory of their own.
//
//   CheckpointManager manager =
//       CheckpointManager::Open("run", {.retention = {.last = 3, .best = 1, .metric = "accuracy"},
//                                       .incremental = true}).value();
//   if (auto restored = manager.Restore(); restored.ok()) {           // the newest that is whole
//     step = restored->step;
//     params = restored->reader.Load("params").value();
//   }
//   for (...) {
//     ... train ...
//     manager.SaveAsync(step, {{"params", params}}, {.metrics = {{"accuracy", accuracy}}}).value();
//   }
//   absl::Status saved = manager.Wait();                              // the last one is there
//
// Files. Step 100 is `step-00000000000000000100.leaf`, whole or not there at all (writer.h). `LOCK`
// is there so that two managers cannot write to one directory: the second is refused (to look at a
// run that is being trained, open it with read_only). Temporary files that a process left when it
// ended are removed at Open. Other names are left alone.
//
// Save returns when the checkpoint is there. SaveAsync returns at once; a thread of the manager's
// own saves what the items held at the call: they are snapshots, so that training goes on and no
// later write reaches the file. A leaf that is written while its snapshot waits is copied once
// (copy-on-write); each is let go of as soon as it is in the file. One save runs at a time; what
// SaveAsync does when one is still running is ManagerOptions::when_busy.
//
// A save that failed in the background is never forgotten: its error is what the next call of Save,
// SaveAsync, Remove or Wait returns, and that call does nothing else; unless it is refused for a
// step below 0 or an item that cannot be saved, and then the call after it. The checkpoints that
// were there before are there still.
//
// Increments. With ManagerOptions::incremental, a save writes the leaves that were written since
// the save before and names the files that have the others (save_history.h). A file that a later
// one needs is kept. So a leaf that never changes is on the disk once, for all checkpoints that are
// kept: what damages it there damages all of them. The first save of a process is whole; so is the
// first after Restore found one damaged or Remove removed one, and with full_every more of them.
//
// Restore looks for the newest checkpoint that is whole, or the best, or a certain one; with every
// byte verified, those of its bases too. The newest may be damaged, or of a newer leafstore: then
// the one before is returned, and `skipped` says which were passed over and why. What keeps this
// process from reading (no permission, no descriptor, no memory) is an error, and passes over none.
// Training goes on from there and comes to the step that was damaged again: saving it puts the
// damaged file aside, as `<its name>.damaged`. Nothing is ever removed because it is damaged.
//
// To go on from an older one that is not the newest (Restore with `best` or `step`), remove what came
// after it first (Remove), or train into a directory of its own: a step is saved once.
//
// Retention. After each save, checkpoints that no rule keeps and that no kept one needs are
// removed; never the newest, nor the one just saved. Those that cannot be opened, or that Restore
// has found damaged, count for no rule and stay. While there is one of a newer leafstore, or this
// process may not read one, all are kept: it may need any of them.
//
// Errors. FailedPrecondition: the directory is another manager's; this one was opened to read only.
// AlreadyExists: there is a checkpoint of this step, not known to be damaged. InvalidArgument: a
// step below 0, or options that make no sense. NotFound: no such checkpoint, or none at all.
// DataLoss: all that were looked at are damaged; names each. Unimplemented: the same, but some are
// of a newer leafstore and may be sound. Others as CheckpointWriter's and
// CheckpointReader's.
//
// Threads: calls from one thread at a time. Stores may be written, and readers used, from any
// thread while a save runs.
#ifndef LEAFSTORE_CHECKPOINT_MANAGER_H_
#define LEAFSTORE_CHECKPOINT_MANAGER_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/retention.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/io/io_options.h"

namespace leafstore {

// What SaveAsync does when the save before is still running.
enum class WhenBusy : uint8_t {
  kWait,  // waits until it has ended
  kSkip,  // saves nothing and says so
  kFail,  // error ResourceExhausted
};

struct ManagerOptions {
  // How checkpoints are saved; `progress` is called from the thread that saves, during each save.
  // The file system is used for all files and must outlive the manager and its readers.
  IoOptions io = {};
  // Only Restore, Steps and the like: no lock is taken, nothing is made or removed.
  bool read_only = false;
  // Which are kept. By default all.
  Retention retention = {};
  bool incremental = false;
  // Writes a full checkpoint every N saves; 0: only when required. Only with `incremental`.
  size_t full_every = 0;
  WhenBusy when_busy = WhenBusy::kWait;
  // As in SaveOptions.
  Compression compression = Compression::kNone;
  int zstd_level = 3;
  // Memory that SaveAsync's snapshots drop is kept for the copies that the next one needs, up to
  // one snapshot's bytes, as long as the manager lives (core/internal/buffer_pool.h).
  bool keep_memory = true;
};

// What is saved with a checkpoint besides its items.
struct StepInfo {
  Metrics metrics = {};
  Metadata metadata = {};
};

// Which checkpoint Restore looks for. By default the newest.
struct RestoreQuery {
  // That of this step, and no other.
  std::optional<int64_t> step = {};
  // The best by Retention::metric.
  bool best = false;
  // Verifies every byte of a checkpoint before it is returned; otherwise it is only opened.
  bool verify = true;
  // How it is verified and, later, loaded. `read.io.progress` is called while one is verified. The
  // file system is the manager's.
  ReadOptions read = {};
};

// A checkpoint that Restore skipped.
struct SkippedCheckpoint {
  int64_t step = 0;
  absl::Status why;
};

struct RestoredCheckpoint {
  int64_t step = 0;
  CheckpointReader reader;
  std::vector<SkippedCheckpoint> skipped;  // newer, or better, but unreadable
};

class CheckpointManager {
 public:
  // Opens a directory, which is made if it is not there (its parent must be), and takes its lock.
  // O(files of the directory).
  static absl::StatusOr<CheckpointManager> Open(std::string directory, ManagerOptions options = {});

  CheckpointManager(CheckpointManager&&) noexcept;
  CheckpointManager& operator=(CheckpointManager&&) noexcept;
  // Waits for the save that is running; its error is lost then, so call Wait before.
  ~CheckpointManager();

  // The steps of which there is a checkpoint, growing. Not the one that is being saved. Files are
  // not opened.
  absl::StatusOr<std::vector<int64_t>> Steps() const;
  // The greatest of them. error NotFound: there is none.
  absl::StatusOr<int64_t> Latest() const;
  // The path of a step's file, whether it is there or not.
  std::string PathOf(int64_t step) const;

  // Saves a checkpoint, and waits for the save that is running first. O(bytes).
  absl::Status Save(int64_t step, std::vector<CheckpointItem> items, const StepInfo& info = {});
  absl::Status Save(int64_t step, std::initializer_list<CheckpointItem> items,
                    const StepInfo& info = {});
  // Begins to save one. False: another save is running, and when_busy is kSkip. O(items).
  absl::StatusOr<bool> SaveAsync(int64_t step, std::vector<CheckpointItem> items,
                                 const StepInfo& info = {});
  absl::StatusOr<bool> SaveAsync(int64_t step, std::initializer_list<CheckpointItem> items,
                                 const StepInfo& info = {});
  // Returns when no save is running.
  absl::Status Wait();

  // Returns the newest checkpoint that is intact, or the best, or that of a step.
  // error FailedPrecondition: the best was asked for, and ManagerOptions name no metric. error
  // NotFound: there is no checkpoint; none of this step (names those there are); or none has the
  // metric (suggests names). error DataLoss: all that were tried are damaged.
  absl::StatusOr<RestoredCheckpoint> Restore(const RestoreQuery& query = {}) const;

  // Removes the checkpoint of a step; waits for the save that is running first.
  // error FailedPrecondition: another one, not known to be damaged, needs it; names it.
  absl::Status Remove(int64_t step);

 private:
  class State;
  explicit CheckpointManager(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_MANAGER_H_
