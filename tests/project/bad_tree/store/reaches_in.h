#include "leafstore/core/internal/hidden.h"
