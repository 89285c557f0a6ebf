// CheckpointManager: manages the checkpoints of one run, one file per step, in their own directory.
//
//   CheckpointManager manager =
//       CheckpointManager::Open("run", {.retention = {.last = 3, .best = 1, .metric = "accuracy"},
//                                       .incremental = true}).value();
//   if (auto restored = manager.Restore(); restored.ok()) {           // the newest intact one
//     step = restored->step;
//     params = restored->reader.Load("params").value();
//   } else if (ReasonOf(restored.status()) != ErrorReason::kNoCheckpoint) {
//     return restored.status();                                     // all are damaged, for example
//   }
//   for (...) {
//     ... train ...
//     manager.SaveAsync(step, {{"params", params}}, {{"accuracy", accuracy}}).value();
//   }
//   absl::Status saved = manager.Wait();                              // the last save is complete
//
// Files. Step 100 is saved as `step-00000000000000000100.leaf`, which is complete if it exists
// (writer.h). The file `LOCK` keeps two managers from writing to one directory: the second is
// refused (to inspect a run during training, open it with read_only). Open removes temporary files
// that unfinished saves of ended processes left behind. Files with other names are ignored. If the
// directory has no checkpoint, but files that look like checkpoints under other names, Restore says
// so.
//
// Save returns when the checkpoint is complete. SaveAsync returns at once; a thread of the manager
// saves the contents that the items had at the call. Items are snapshots, so training continues and
// no later write reaches the file. A leaf that is written while its snapshot waits is copied once
// (copy-on-write); each leaf is released as soon as it is in the file. One save runs at a time: the
// next SaveAsync waits for it, or does nothing (ManagerOptions::skip_if_busy).
//
// The error of a failed background save is never lost: the next call of Save, SaveAsync, Remove,
// RemoveAbandoned, Wait or Restore with and_continue returns it and does nothing else. If that call
// is itself refused, for a step below 0 or an item that cannot be saved, the call after it returns
// the error. Earlier checkpoints remain. The step of a save that failed can be saved again, even if
// its file exists already (because only the sync of the directory failed, for example): the file is
// replaced.
//
// Increments. With ManagerOptions::incremental, a save writes the leaves that changed since the
// previous save, and names the files that have the others (save_history.h). A file that a later one
// needs is kept. So a leaf that never changes is stored once for all kept checkpoints, and damage
// to it damages all of them. The first save of a process is full; so is the first after Restore
// found a damaged checkpoint or Remove removed one. full_every adds more full saves.
//
// Restore finds the newest intact checkpoint, the best, or the one of a step, and verifies every
// byte, including those of its bases. If the newest is damaged, or from a newer leafstore, Restore
// returns the one before it, and `skipped` lists the skipped checkpoints and why. A file that the
// disk cannot read in full counts as damaged, and so does a directory or a pipe with the name of a
// checkpoint. If this process cannot read a file (no permission, no descriptor, no memory), Restore
// returns an error and skips nothing. No file is ever removed because it is damaged: if Restore has
// skipped damaged files, saving a step that is not above theirs sets them aside, as described
// below.
//
// Branches. Steps ascend: saving a step that is not above the newest is an error, before anything
// is written or removed. (Checkpoints that Restore has found damaged do not count.) It is also an
// error if the first save of a manager would continue a restored checkpoint although a later one
// exists that Restore has not skipped. To continue from an earlier checkpoint, restore it with
// `and_continue`:
//
//   manager.Restore({.step = 200, .and_continue = true})          // or {.best = true, ...}
//
// This sets aside all later checkpoints, the newest first: they are renamed to `abandoned-<name>`
// (or `abandoned-2-<name>`, if that exists), and are never restored. No rule counts them or removes
// them or the files that they need, and any reader can still read them. Remove them only with
// RemoveAbandoned, because another checkpoint may need one. Restore with and_continue once, not at
// every start: each call sets aside everything that was saved after that step. After a crash within
// the call, Restore() returns the newest checkpoint that was not yet set aside; call it with
// and_continue again before training continues.
//
// Each checkpoint records its run and its parent (CheckpointReader::run). For the first save of a
// manager, the parent is the checkpoint that the manager restored last, if any; for later saves, it
// is the previous save, or the checkpoint restored with and_continue since. `leafstore inspect run`
// shows the branches.
//
// Retention. After each save, a checkpoint is removed if no rule keeps it and no kept checkpoint
// needs it. The newest, the one just saved, and one restored during the save are always kept.
// Damaged ones are ignored by the rules and kept, with the files that they need as far as these are
// still known, because their other leaves may be intact. While a file cannot be read for any other
// reason, or is from a newer leafstore, it is kept with all checkpoints of lower steps, because it
// may need any of them. If a file cannot be read, Save does the rest of its work and then returns an
// error: each time if the cause is this process (no permission, for example), otherwise once.
// Something that has the name of a checkpoint but is not a file, such as a directory, is ignored and
// reported once.
//
// Processes. A manager belongs to the process that opened it: in a child made by fork, calls that
// save, restore, remove or wait return FailedPrecondition, except those of a read_only manager;
// calls that only list work. Destroying the manager there releases nothing. The lock is released
// when the manager is destroyed; if the process ends without destroying it, when its children have
// ended, too.
//
// Errors. FailedPrecondition: another manager has locked the directory; this manager is read-only,
// or another process opened it; or the step is not above the newest, or the save would continue an
// earlier checkpoint (reason kBehindNewest). AlreadyExists: the step has a checkpoint already
// (kExists). InvalidArgument: a step below 0, or inconsistent options. NotFound: no such
// checkpoint. DataLoss: all that were tried are damaged; names each. Unimplemented: like DataLoss,
// but some are from a newer leafstore and may be intact. Other errors: see CheckpointWriter and
// CheckpointReader.
//
// Threads: call from one thread at a time. Stores may be written, and readers used, from any thread
// while a save runs.
#ifndef LEAFSTORE_CHECKPOINT_MANAGER_H_
#define LEAFSTORE_CHECKPOINT_MANAGER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/core/metadata.h"
#include "leafstore/io/io_options.h"

namespace leafstore {

// A checkpoint is kept if any rule keeps it. The newest is always kept. Without rules, all are
// kept.
struct Retention {
  // Keeps this many of the newest checkpoints; 0 disables the rule.
  size_t last = 0;
  // Keeps checkpoints whose step is a multiple of this; 0 disables the rule.
  int64_t every = 0;
  // Keeps this many of the best by `metric`; 0 disables the rule. A metric that is missing, NaN or
  // -inf is worse than any other, even if lower is better. While no checkpoint has the metric, all
  // are kept, as its name may be misspelled.
  size_t best = 0;
  std::string metric = {};       // the name of the metric for `best`
  bool higher_is_better = true;  // true for an accuracy, false for a loss
};

struct ManagerOptions {
  // How checkpoints are saved. `progress` is called from the saving thread during each save. The
  // file system is used for all files and must outlive the manager and its readers.
  IoOptions io = {};
  // Allows only calls that read, such as Restore and Steps: no lock is taken, and nothing is
  // created or removed.
  bool read_only = false;
  // Which checkpoints are kept. By default all.
  Retention retention = {};
  // Writes only the leaves that changed since the previous save ("Increments" above).
  bool incremental = false;
  // Writes a full checkpoint every N saves; 0: only when required. Only with `incremental`.
  size_t full_every = 0;
  // While a save is running, SaveAsync saves nothing and returns false, instead of waiting.
  bool skip_if_busy = false;
  // As in SaveOptions.
  std::optional<int> zstd_level = {};
  // Keeps the memory that SaveAsync's snapshots release, up to the size of one snapshot, and reuses
  // it for the copies of the next one (core/internal/buffer_pool.h). Freed when the manager is
  // destroyed.
  bool keep_memory = true;
};

// The checkpoint that Restore looks for. By default the newest.
struct RestoreQuery {
  // Restores only the checkpoint of this step.
  std::optional<int64_t> step = {};
  // Restores the best checkpoint by Retention::metric.
  bool best = false;
  // Sets aside all later checkpoints ("Branches" above), so that training can continue from this
  // one. Waits for the running save first; if that failed, returns its error, once, and sets aside
  // nothing. After any other error, some checkpoints may have been set aside.
  bool and_continue = false;
  // Verifies every byte of a checkpoint before it is returned. If false, the checkpoint and the
  // files that it needs are only opened.
  bool verify = true;
  // How it is verified and, later, loaded. `read.io.progress` is called during verification. The
  // manager's file system is used instead of that in `read`.
  ReadOptions read = {};
};

struct RestoredCheckpoint {
  // Steps whose checkpoints could not be restored, and why.
  using Skipped = std::vector<std::pair<int64_t, absl::Status>>;

  int64_t step = 0;
  CheckpointReader reader;
  Skipped skipped;  // newer or better ones
};

// A checkpoint in a run's directory.
struct RunCheckpoint {
  int64_t step = 0;
  std::string file_name;   // without the directory
  bool abandoned = false;  // was set aside
  absl::Status status;     // if not OK, why it cannot be opened; the rest is then unknown
  Metrics metrics = {};
  // 16 bytes, the same in all checkpoints of one run; empty if none was recorded.
  std::string run_id = {};
  // The name that the checkpoint it continues had when this one was saved; empty if it continues
  // none.
  std::string parent_name = {};
  // The index of that checkpoint in the list, if it still exists, even if it was set aside.
  std::optional<size_t> parent = {};
};

class CheckpointManager {
 public:
  // Opens a directory and takes its lock. Creates it if necessary; its parent must exist.
  // O(files in the directory).
  static absl::StatusOr<CheckpointManager> Open(std::string directory, ManagerOptions options = {});

  CheckpointManager(CheckpointManager&&) noexcept;
  CheckpointManager& operator=(CheckpointManager&&) noexcept;
  // Waits for the running save. Its error is lost, so call Wait first.
  ~CheckpointManager();

  // Returns the steps that have a checkpoint, ascending, excluding the one that is being saved.
  // Opens no files.
  absl::StatusOr<std::vector<int64_t>> Steps() const;
  // Returns the greatest of Steps(). error NotFound: no checkpoint exists (kNoCheckpoint).
  absl::StatusOr<int64_t> Latest() const;
  // Returns all checkpoints, including those that were set aside, ascending by step, without
  // verifying them. Opens each file, but not the files that it needs. O(bytes of the manifests).
  absl::StatusOr<std::vector<RunCheckpoint>> ListRun() const;
  // Returns the path of a step's file, which need not exist.
  std::string PathOf(int64_t step) const;

  // Waits for the running save, then saves a checkpoint with metrics and metadata. O(bytes). Errors
  // of the step and of the items are returned before anything is written or removed: see above.
  absl::Status Save(int64_t step, std::vector<CheckpointItem> items, Metrics metrics = {},
                    Metadata metadata = {});
  // Starts saving a checkpoint. Returns false if another save is running and skip_if_busy is set.
  // Errors as Save; AlreadyExists: two items have the same name. O(items).
  absl::StatusOr<bool> SaveAsync(int64_t step, std::vector<CheckpointItem> items,
                                 Metrics metrics = {}, Metadata metadata = {});
  // Waits until no save is running.
  absl::Status Wait();

  // Returns the newest intact checkpoint, the best, or the one of a step. The first save of this
  // manager continues it; with and_continue, the next save does. error FailedPrecondition: the best
  // was requested, but ManagerOptions has no metric. error NotFound: no checkpoint exists (reason
  // kNoCheckpoint), or only files with other names; none of this step exists (names those that
  // exist); or none has the metric (suggests names). If files vanish because another process saves
  // to the directory meanwhile, it is listed again.
  absl::StatusOr<RestoredCheckpoint> Restore(const RestoreQuery& query = {});

  // Waits for the running save, then removes the checkpoint of a step. error FailedPrecondition:
  // another checkpoint, not known to be damaged, needs it, or may need it, as it cannot be read now;
  // names that one. NotFound: no such checkpoint. Other errors: the file system's; if only syncing
  // the directory failed, the file was removed.
  absl::Status Remove(int64_t step);
  // Waits for the running save, then removes the checkpoints that were set aside, except those that
  // another one needs. error: a checkpoint cannot be read now, or is from a newer leafstore, so it
  // may need any of them; nothing was removed. Other errors: those of the file system; some may then
  // have been removed.
  absl::Status RemoveAbandoned();

 private:
  class State;
  struct Close {
    void operator()(State* state) const;
  };
  using StatePtr = std::unique_ptr<State, Close>;
  explicit CheckpointManager(StatePtr state);

  StatePtr state_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_MANAGER_H_
