# Compiler and linker flags for leafstore's own code. No flag is global: leafstore's targets link the interface library
# leafstore_flags privately, so a project that adds leafstore keeps its own flags.

find_program(LEAFSTORE_CCACHE ccache)
find_program(LEAFSTORE_LINKER NAMES mold ld.lld)
mark_as_advanced(LEAFSTORE_CCACHE LEAFSTORE_LINKER)

add_library(leafstore_flags INTERFACE)
# Some warnings of GCC 12 are off, because they have false positives: overflow in std::string and std::vector (GCC bug
# 105329 and similar ones). The sanitizers find real overflows.
target_compile_options(leafstore_flags INTERFACE
  -Wall -Wextra -Wshadow -Wcast-qual -Wextra-semi -Wformat=2 -Wmissing-declarations -Wnon-virtual-dtor
  -Woverloaded-virtual -Wundef -Wvla -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wsuggest-override -Wduplicated-cond -Wlogical-op
    -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread>
  $<$<CXX_COMPILER_ID:Clang>:-Winconsistent-missing-override -Wthread-safety>
  $<$<BOOL:${LEAFSTORE_DEVELOPER}>:-Werror>)

if(LEAFSTORE_SANITIZE)
  target_compile_options(leafstore_flags INTERFACE
    -fsanitize=${LEAFSTORE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # With sanitizers, this warning of GCC has false positives. Builds without sanitizers keep it.
  target_compile_options(leafstore_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  # With these checks, GCC cannot compare a function with null in a constant expression (bug 71962). The Abseil of the
  # systems that have GCC 14 does so.
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    target_compile_options(leafstore_flags INTERFACE -fno-sanitize=null,nonnull-attribute,returns-nonnull-attribute)
  endif()
  target_link_options(leafstore_flags INTERFACE -fsanitize=${LEAFSTORE_SANITIZE})
  # NDEBUG_SANITIZER: newer versions of Abseil change the layout of hash tables under AddressSanitizer, which does not fit
  # their installed libraries.
  target_compile_definitions(leafstore_flags INTERFACE _GLIBCXX_ASSERTIONS NDEBUG_SANITIZER)
endif()

if(LEAFSTORE_CCACHE)
  target_compile_options(leafstore_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

if(LEAFSTORE_LIBFUZZER)
  target_compile_options(leafstore_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(leafstore_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Flags for the tests and benchmarks only. They come after leafstore_flags and override it. GCC's warning about
# uninitialized memory is off: tests need not avoid its false positives (such as GCC bug 80635), as the libraries and
# programs do. Tests are linked with the fastest linker that is available; the libraries and programs that users install
# are linked with the system's default linker.
add_library(leafstore_test_flags INTERFACE)
separate_arguments(test_flags UNIX_COMMAND "${LEAFSTORE_TEST_FLAGS}")
target_compile_options(leafstore_test_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> ${test_flags})
if(LEAFSTORE_LINKER MATCHES "mold$")
  target_link_options(leafstore_test_flags INTERFACE -fuse-ld=mold)
elseif(LEAFSTORE_LINKER)
  target_link_options(leafstore_test_flags INTERFACE -fuse-ld=lld)
endif()

# The precompiled headers of LEAFSTORE_PCH. Builds without them find missing #includes.
if(LEAFSTORE_PCH)
  file(WRITE ${PROJECT_BINARY_DIR}/leafstore_pch.cc "")
  add_library(leafstore_pch OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/leafstore_pch.cc)
  set_target_properties(leafstore_pch PROPERTIES UNITY_BUILD OFF)
endif()

# Compiles a target with leafstore's own flags, and with the precompiled headers and ccache if they are enabled.
function(leafstore_private_flags target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:leafstore_flags>)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
  if(LEAFSTORE_PCH AND NOT target STREQUAL leafstore_pch)
    get_target_property(type ${target} TYPE)
    if(type MATCHES "_LIBRARY$")
      target_precompile_headers(${target} REUSE_FROM leafstore_pch)
    endif()
  endif()
  if(LEAFSTORE_CCACHE)
    # Without these settings, ccache does not cache sources that use a precompiled header.
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${LEAFSTORE_CCACHE}")
  endif()
endfunction()

if(LEAFSTORE_PCH)
  leafstore_private_flags(leafstore_pch)
  target_compile_features(leafstore_pch PRIVATE cxx_std_20)
  target_link_libraries(leafstore_pch PRIVATE absl::statusor absl::strings absl::span absl::flat_hash_map
    absl::flat_hash_set absl::inlined_vector absl::function_ref)
  target_precompile_headers(leafstore_pch PRIVATE
    <algorithm> <cstdint> <functional> <map> <memory> <optional> <string> <utility> <variant> <vector>
    <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h> <absl/container/inlined_vector.h>
    <absl/functional/function_ref.h> <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/strings/str_join.h>
    <absl/types/span.h>)
endif()
