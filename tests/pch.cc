// A source for the precompiled header to be built with (see CMakeLists.txt).
int main() { return 0; }
