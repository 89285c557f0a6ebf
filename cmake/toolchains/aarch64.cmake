# Cross-compiles for 64-bit ARM on Debian, and runs the tests in an emulator. As root:
#
#   dpkg --add-architecture arm64 && apt-get update
#   apt-get install g++-aarch64-linux-gnu qemu-user-static protobuf-compiler libeigen3-dev nlohmann-json3-dev \
#     lib{absl,re2,xxhash,zstd,protobuf,simdjson,zip,gtest,gmock}-dev:arm64
#   cmake -B build/aarch64 -G Ninja --toolchain cmake/toolchains/aarch64.cmake -DLEAFSTORE_BUILD_TOOLS=OFF \
#     -DLEAFSTORE_BUILD_BENCH=OFF -DLEAFSTORE_BUILD_EXAMPLES=OFF
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
