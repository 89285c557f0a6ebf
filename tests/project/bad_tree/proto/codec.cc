#include "leafstore/proto/manifest.pb.h"
