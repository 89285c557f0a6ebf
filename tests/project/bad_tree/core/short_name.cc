#include "fine.h"
