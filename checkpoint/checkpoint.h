// SaveCheckpoint and LoadCheckpoint save and load a complete checkpoint. This header includes the
// writer and the reader.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveCheckpoint("step-1.leaf", {{"params", params}}));
//   ParamStore params = LoadCheckpoint("step-1.leaf", "params").value();
#ifndef LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
#define LEAFSTORE_CHECKPOINT_CHECKPOINT_H_

#include "leafstore/checkpoint/reader.h"  // IWYU pragma: export
#include "leafstore/checkpoint/writer.h"  // IWYU pragma: export

#endif  // LEAFSTORE_CHECKPOINT_CHECKPOINT_H_
