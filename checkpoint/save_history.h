// SaveHistory: the locations of the last checkpoint's bytes, so that the next save writes only the
// leaves that have changed.
//
//   SaveHistory history;
//   LEAFSTORE_RETURN_IF_ERROR(
//       SaveCheckpoint("1.leaf", {{"params", params}}, {.history = &history}));
//   ... a few leaves are written ...
//   LEAFSTORE_RETURN_IF_ERROR(
//       SaveCheckpoint("2.leaf", {{"params", params}}, {.history = &history}));
//
// The second file has the leaves that changed, and names the earlier file (a base) of each other
// leaf. Changes are detected by generation, without comparing bytes. A leaf that moves to another
// group or path is unchanged.
//
// Bases. The base of a tensor is the file that has its bytes, never a file that refers to another,
// so a reader opens at most kMaxBases of them. When a save would need more, it writes again the
// leaves of the base with the fewest bytes still in use. So leaves that never change stay where
// they are, and leaves that change occasionally are collected in newer files.
//
// Rules. All files of a history are in one directory: a save to another is error InvalidArgument.
// A base must be kept as long as a checkpoint that needs it (CheckpointReader::bases;
// CheckpointManager ensures this). A save does not build on a base that is missing or was replaced
// by another file when the save begins, nor on a file that it replaces; and a durable save builds
// only on durable files. A history is valid in one process only, as generations start again in the
// next; the first save of a process is full.
//
// Threads: one save at a time; no other call is allowed meanwhile.
#ifndef LEAFSTORE_CHECKPOINT_SAVE_HISTORY_H_
#define LEAFSTORE_CHECKPOINT_SAVE_HISTORY_H_

#include <cstddef>
#include <memory>

namespace leafstore {

namespace internal {
class Increment;
}  // namespace internal

class SaveHistory {
 public:
  static constexpr size_t kMaxBases = 8;

  SaveHistory();
  SaveHistory(SaveHistory&&) noexcept;
  SaveHistory& operator=(SaveHistory&&) noexcept;
  ~SaveHistory();

  // Forgets all files, so that the next save is full.
  void Clear();

 private:
  friend class internal::Increment;
  struct State;  // increment.h

  std::unique_ptr<State> state_;  // null before the first save
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_SAVE_HISTORY_H_
