#include "leafstore/core/fine.h"
#include "leafstore/store/param_store.h"
#include "leafstore/checkpoint/writer.h"
