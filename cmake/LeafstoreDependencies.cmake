# Finds everything leafstore is built from, as packaged by Debian 12 and later.

# The packages that the libraries need, each with what find_package takes. An installed leafstore finds them again by the
# same words (cmake/LeafstoreInstall.cmake). A package's targets are called <package>::..., whatever the case of letters.
set(LEAFSTORE_PACKAGES
  "Threads"
  "absl"
  "Eigen3 3.4 NO_MODULE"
  "RE2"
  "xxHash 0.8"
  "zstd"
  "Protobuf"
  "simdjson"
  "libzip 1.7 MODULE"
  "nlohmann_json")

foreach(package IN LISTS LEAFSTORE_PACKAGES)
  separate_arguments(arguments UNIX_COMMAND "${package}")
  find_package(${arguments} REQUIRED)
endforeach()

if(LEAFSTORE_BUILD_TOOLS OR LEAFSTORE_BUILD_EXAMPLES)
  find_package(CLI11 REQUIRED)
endif()
if(LEAFSTORE_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(LEAFSTORE_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
