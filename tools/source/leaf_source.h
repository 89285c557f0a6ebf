// LeafSource: a checkpoint as a Source.
#ifndef LEAFSTORE_TOOLS_SOURCE_LEAF_SOURCE_H_
#define LEAFSTORE_TOOLS_SOURCE_LEAF_SOURCE_H_

#include <memory>
#include <utility>

#include "leafstore/checkpoint/reader.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

ReadOptions ReadOptionsOf(const SourceOptions& options);

class LeafSource : public Source {
 public:
  explicit LeafSource(CheckpointReader reader);

  absl::Status Verify() const override { return reader_.Verify(); }
  const CheckpointReader& reader() const { return reader_; }

 private:
  CheckpointReader reader_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_LEAF_SOURCE_H_
