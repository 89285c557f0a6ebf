# Everything leafstore is built from, as packaged by Debian 12. What the libraries themselves need must also be named in
# cmake/leafstoreConfig.cmake.in, which finds it again for those who use an installed leafstore.

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(RE2 REQUIRED)
find_package(xxHash 0.8 REQUIRED)
find_package(zstd REQUIRED)
find_package(Protobuf REQUIRED)
find_package(simdjson REQUIRED)
find_package(libzip 1.7 MODULE REQUIRED)
find_package(nlohmann_json REQUIRED)

if(LEAFSTORE_BUILD_TOOLS)
  find_package(CLI11 REQUIRED)
endif()
if(LEAFSTORE_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(LEAFSTORE_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
