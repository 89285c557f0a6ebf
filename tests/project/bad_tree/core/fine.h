#include <string>

#include "absl/strings/string_view.h"
