# Functions with which the folders declare their targets. Each folder lists its files by name, without globs.
#
#   leafstore_library(NAME core SOURCES a.cc HEADERS a.h [PROTOS a.proto] [DEPS ...] [PRIVATE_DEPS ...])
#   leafstore_test(FOLDER core SOURCES a_test.cc [DEPS ...] [FULL] [LABEL browser])
#   leafstore_program(NAME digits SOURCES main.cc [OUTPUT_NAME name] [DEPS ...])
#   leafstore_fuzzer(NAME path_fuzz SOURCES path_fuzz.cc [CORPUS dir] [DEPS ...])

include(LeafstoreFlags)

# Headers are included as `leafstore/<folder>/<file>.h`, in the build tree as in an installation. In the build tree,
# leafstore/<folder> is a symbolic link to the source folder, so no header is copied and editors open the original.
set(LEAFSTORE_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include)
# Generated protobuf headers have a directory of their own, which only the target that generates them includes from.
set(LEAFSTORE_PROTO_DIR ${PROJECT_BINARY_DIR}/proto_gen)

# Creates the link ${LEAFSTORE_INCLUDE_DIR}/leafstore/<folder> to the current source folder.
function(leafstore_link_folder folder)
  file(MAKE_DIRECTORY ${LEAFSTORE_INCLUDE_DIR}/leafstore)
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${LEAFSTORE_INCLUDE_DIR}/leafstore/${folder} SYMBOLIC)
endfunction()

# Generates C++ code for the given .proto files of this folder and adds it to a target. Other targets cannot include the
# generated headers, except for tests that forge messages, which link `leafstore_<folder>_messages`.
function(leafstore_generate_proto target folder)
  foreach(proto IN LISTS ARGN)
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(base ${LEAFSTORE_PROTO_DIR}/leafstore/${folder}/${stem}.pb)
    add_custom_command(
      OUTPUT ${base}.cc ${base}.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${LEAFSTORE_PROTO_DIR}
      COMMAND protobuf::protoc --proto_path=${LEAFSTORE_INCLUDE_DIR} --cpp_out=${LEAFSTORE_PROTO_DIR}
              ${LEAFSTORE_INCLUDE_DIR}/leafstore/${folder}/${proto}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto} protobuf::protoc
      COMMENT "Generating leafstore/${folder}/${stem}.pb.h"
      VERBATIM)
    target_sources(${target} PRIVATE ${base}.cc ${base}.h)
    # Turn warnings off for generated code.
    set_source_files_properties(${base}.cc PROPERTIES COMPILE_OPTIONS "-w")
  endforeach()
  target_include_directories(${target} SYSTEM PRIVATE ${LEAFSTORE_PROTO_DIR})
  target_link_libraries(${target} PRIVATE protobuf::libprotobuf)

  add_library(leafstore_${folder}_messages INTERFACE)
  target_include_directories(leafstore_${folder}_messages SYSTEM INTERFACE ${LEAFSTORE_PROTO_DIR})
  target_link_libraries(leafstore_${folder}_messages INTERFACE ${target} protobuf::libprotobuf)
endfunction()

# Declares the public headers of a folder. They are installed, and the preset `release` can verify that each of them
# compiles on its own (target all_verify_interface_header_sets).
function(leafstore_headers target folder scope)
  set(headers ${ARGN})
  list(TRANSFORM headers PREPEND ${LEAFSTORE_INCLUDE_DIR}/leafstore/${folder}/)
  target_sources(${target} ${scope}
    FILE_SET HEADERS BASE_DIRS ${LEAFSTORE_INCLUDE_DIR} FILES ${headers})
endfunction()

# Installs the library of one folder, and records its dependencies for cmake/LeafstoreInstall.cmake. The COMPONENTs here
# are the packages of cmake/LeafstorePackage.cmake: `library`, `dev` and `tool`.
function(leafstore_install name deps private_deps)
  if(NOT LEAFSTORE_INSTALL)
    return()
  endif()
  install(TARGETS leafstore_${name} EXPORT leafstoreTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT dev
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
  set_property(GLOBAL APPEND PROPERTY LEAFSTORE_COMPONENTS ${name})
  set_property(GLOBAL PROPERTY LEAFSTORE_DEPS_${name} ${deps})
  set_property(GLOBAL PROPERTY LEAFSTORE_PRIVATE_DEPS_${name} ${private_deps})
endfunction()

# Declares the library of one folder: `leafstore_<name>` with the alias `leafstore::<name>`. A folder without sources
# becomes an interface library. DEPS are used by its headers, PRIVATE_DEPS only by its sources. To compile a source with
# additional flags, call set_source_files_properties(... COMPILE_OPTIONS -mavx2) in the same CMakeLists.txt.
function(leafstore_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;HEADERS;PROTOS;DEPS;PRIVATE_DEPS")
  if(NOT arg_NAME OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "leafstore_library: needs NAME; unknown arguments: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  set(target leafstore_${arg_NAME})
  leafstore_link_folder(${arg_NAME})

  if(arg_SOURCES OR arg_PROTOS)
    add_library(${target} ${arg_SOURCES})
    set(scope PUBLIC)
    leafstore_private_flags(${target})
    # DEFINE_SYMBOL: compile the same objects for static and shared libraries. OPTIMIZE_DEPENDENCIES: do not wait for the
    # libraries in DEPS before compiling. INSTALL_RPATH: the libraries find each other in any directory.
    set_target_properties(${target} PROPERTIES
      INSTALL_RPATH $ORIGIN VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
      DEFINE_SYMBOL "" OPTIMIZE_DEPENDENCIES ON)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(leafstore::${arg_NAME} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${arg_NAME})

  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${LEAFSTORE_INCLUDE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} ${scope} ${arg_DEPS})
  if(arg_PRIVATE_DEPS AND scope STREQUAL PUBLIC)
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE_DEPS})
  endif()
  if(arg_PROTOS)
    leafstore_generate_proto(${target} ${arg_NAME} ${arg_PROTOS})
    list(APPEND arg_PRIVATE_DEPS protobuf::libprotobuf)
  endif()
  leafstore_headers(${target} ${arg_NAME} ${scope} ${arg_HEADERS})
  leafstore_install(${arg_NAME} "${arg_DEPS}" "${arg_PRIVATE_DEPS}")
endfunction()

# Declares the target leafstore::leafstore, which links all libraries.
function(leafstore_umbrella)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FOLDERS")
  add_library(leafstore INTERFACE)
  add_library(leafstore::leafstore ALIAS leafstore)
  foreach(folder IN LISTS arg_FOLDERS)
    target_link_libraries(leafstore INTERFACE leafstore::${folder})
  endforeach()
  if(LEAFSTORE_INSTALL)
    install(TARGETS leafstore EXPORT leafstoreTargets COMPONENT dev)
  endif()
endfunction()

# Sets the properties that programs and tests have in common.
function(leafstore_executable target)
  leafstore_private_flags(${target})
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
  get_target_property(type ${target} TYPE)
  if(LEAFSTORE_SANITIZE AND type STREQUAL EXECUTABLE)
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/sanitizer_options.cc)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/sanitizer_options.cc PROPERTIES
      SKIP_UNITY_BUILD_INCLUSION ON SKIP_PRECOMPILE_HEADERS ON)
    target_link_libraries(${target} PRIVATE absl::config)
  endif()
endfunction()

# Declares an executable in build/<preset>/bin. Without SOURCES, does nothing.
function(leafstore_program)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;OUTPUT_NAME" "SOURCES;DEPS")
  if(NOT arg_NAME OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "leafstore_program: needs NAME; unknown arguments: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_SOURCES)
    return()
  endif()
  add_executable(${arg_NAME} ${arg_SOURCES})
  leafstore_executable(${arg_NAME})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_DEPS})
  if(arg_OUTPUT_NAME)
    set_target_properties(${arg_NAME} PROPERTIES OUTPUT_NAME ${arg_OUTPUT_NAME})
  endif()
endfunction()

# Sets the include directories, libraries and precompiled headers that test sources need.
function(leafstore_test_settings target)
  leafstore_executable(${target})
  # Tests include common headers as "tests/<folder>/<file>.h", and find their data with SourcePath (tests/source_dir.h).
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE leafstore_test_flags leafstore_test_source_dir GTest::gtest GTest::gmock)
  if(LEAFSTORE_PCH AND NOT target STREQUAL leafstore_test_pch)
    target_precompile_headers(${target} REUSE_FROM leafstore_test_pch)
  endif()
endfunction()

# Sets `out` to the timeout of a test that needs at most this many seconds without sanitizers, which make tests slower, in
# particular those of deep trees.
function(leafstore_timeout out seconds)
  if(LEAFSTORE_SANITIZE)
    math(EXPR seconds "5 * ${seconds}")
  endif()
  set(${out} ${seconds} PARENT_SCOPE)
endfunction()

# Declares the tests of one folder: one executable `<folder>_test`. Each TEST in it is a ctest test of its own, with the
# folder as its label.
#
#   FULL          the long tests: `<folder>_full_test`, label `full`; scripts/test builds and runs them only with --full
#   LABEL label   `<folder>_<label>_test` with this label: `browser` or `network` for tests that need one; scripts/test
#                 --quick leaves them out
function(leafstore_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "FULL" "FOLDER;LABEL" "SOURCES;DEPS")
  if(NOT arg_FOLDER OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "leafstore_test: needs FOLDER; unknown arguments: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_SOURCES OR (arg_FULL AND NOT LEAFSTORE_BUILD_FULL_TESTS))
    return()
  endif()
  set(target ${arg_FOLDER}_test)
  set(label ${arg_FOLDER})
  set(timeout 120)
  if(arg_LABEL)
    set(target ${arg_FOLDER}_${arg_LABEL}_test)
    set(label ${arg_LABEL})
  endif()
  if(arg_FULL)
    set(target ${arg_FOLDER}_full_test)
    set(label full)
    set(timeout 1800)
  endif()
  leafstore_timeout(timeout ${timeout})
  add_executable(${target} ${arg_SOURCES})
  leafstore_test_settings(${target})
  target_link_libraries(${target} PRIVATE ${arg_DEPS} GTest::gtest_main)
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${timeout} LABELS ${label})
endfunction()

# Declares a fuzz target, whose SOURCES define LLVMFuzzerTestOneInput (tests/fuzz/fuzz.h). In normal builds it is a test
# that replays the files in CORPUS and mutations of them; with LEAFSTORE_LIBFUZZER it is a libFuzzer program.
function(leafstore_fuzzer)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;CORPUS" "SOURCES;DEPS")
  if(NOT arg_NAME OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "leafstore_fuzzer: needs NAME; unknown arguments: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_SOURCES)
    return()
  endif()
  add_executable(${arg_NAME} ${arg_SOURCES})
  if(NOT TARGET leafstore_fuzzers)
    add_custom_target(leafstore_fuzzers COMMENT "Building all fuzz targets")
  endif()
  add_dependencies(leafstore_fuzzers ${arg_NAME})
  leafstore_executable(${arg_NAME})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_DEPS} leafstore_test_flags)
  target_include_directories(${arg_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  set(corpus)
  if(arg_CORPUS)
    cmake_path(ABSOLUTE_PATH arg_CORPUS BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE corpus)
  endif()
  if(LEAFSTORE_LIBFUZZER)
    target_link_options(${arg_NAME} PRIVATE -fsanitize=fuzzer)
    # libFuzzer writes new inputs to the first directory.
    set(found ${PROJECT_BINARY_DIR}/corpus/${arg_NAME})
    file(MAKE_DIRECTORY ${found})
    add_test(NAME Fuzz.${arg_NAME} COMMAND ${arg_NAME} -max_total_time=10 -print_final_stats=1 ${found} ${corpus})
  else()
    target_sources(${arg_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME Fuzz.${arg_NAME} COMMAND ${arg_NAME} ${corpus})
  endif()
  leafstore_timeout(timeout 120)
  set_tests_properties(Fuzz.${arg_NAME} PROPERTIES LABELS fuzz COST 100 TIMEOUT ${timeout})
endfunction()
