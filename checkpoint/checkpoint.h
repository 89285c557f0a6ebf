// Includes the writer and the reader of checkpoints, with SaveCheckpoint and LoadCheckpoint, which
// save and load a complete file with one call.
#ifndef LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
#define LEAFSTORE_CHECKPOINT_CHECKPOINT_H_

#include "leafstore/checkpoint/reader.h"  // IWYU pragma: export
#include "leafstore/checkpoint/writer.h"  // IWYU pragma: export

#endif  // LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
