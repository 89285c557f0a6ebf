#include <cstdio>
#  include <iostream>
