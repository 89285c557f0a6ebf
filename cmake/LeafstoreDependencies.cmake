# Finds the dependencies of leafstore, as packaged by Debian 12 and later.

# The packages that the libraries need. Each entry is the arguments of find_package; the installed leafstoreConfig.cmake
# passes the same arguments to find_dependency (see cmake/LeafstoreInstall.cmake). The targets of a package must be named
# <package>::..., ignoring case.
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
