# Installs leafstore below the build folder and moves the installation. Then configures, builds and runs the projects in
# consumer/ like a user: with find_package or pkg-config, and nothing from the build tree.
#
#   cmake -D BUILD_DIR=... -D CONFIG=Release -D GENERATOR=Ninja -D CXX_COMPILER=c++ -D VERSION=... [-D CXX_FLAGS=...]
#         -P consumer.cmake
#
# CONFIG is empty if the build has no build type.

set(installed ${BUILD_DIR}/consumer/installed)
set(prefix ${BUILD_DIR}/consumer/prefix)
set(build ${BUILD_DIR}/consumer/build)
set(config)
if(CONFIG)
  set(config --config ${CONFIG})
endif()

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result)
    message(NOTICE "${output}")
    message(FATAL_ERROR "${what} failed (${result})")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# Configures the project in `source`, in the build directory `folder`. Further arguments are passed to CMake.
function(configure source folder)
  run("configuring ${source}" ${CMAKE_COMMAND}
    -S ${CMAKE_CURRENT_LIST_DIR}/${source} -B ${folder} -G ${GENERATOR}
    -D CMAKE_BUILD_TYPE=${CONFIG} -D CMAKE_CXX_COMPILER=${CXX_COMPILER} -D CMAKE_CXX_FLAGS=${CXX_FLAGS}
    -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF ${ARGN})
endfunction()

# Runs a program and checks that it prints "<name>: ok".
function(expect_ok name)
  run("running ${ARGV1}" ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${libdir} ${ARGN})
  if(NOT output MATCHES "${name}: ok")
    message(FATAL_ERROR "${ARGV1} did not print '${name}: ok':\n${output}")
  endif()
endfunction()

# Remove the previous installation. Files keep their times, so the builds below compile only what has changed.
file(REMOVE_RECURSE ${installed} ${prefix})
run("cmake --install" ${CMAKE_COMMAND} --install ${BUILD_DIR} ${config} --prefix ${installed})
file(RENAME ${installed} ${prefix})
file(GLOB_RECURSE pkg_config_files ${prefix}/leafstore.pc)
cmake_path(GET pkg_config_files PARENT_PATH pkgconfig)
cmake_path(GET pkgconfig PARENT_PATH libdir)

set(found_there -D CMAKE_PREFIX_PATH=${prefix} -D LEAFSTORE_EXPECTED_VERSION=${VERSION})
configure(consumer ${build} ${found_there})
run("building the consumer" ${CMAKE_COMMAND} --build ${build} ${config})
expect_ok(consumer ${build}/consumer ${build}/model.leaf)
expect_ok(consumer ${build}/consumer_of_the_next_language ${build}/next.leaf)

configure(consumer/core ${build}-core ${found_there})
run("building the consumer of core" ${CMAKE_COMMAND} --build ${build}-core ${config})
expect_ok(core_consumer ${build}-core/core_consumer)

# Only configure a project that adds this checkout as a subdirectory. scripts/compilers builds it.
configure(consumer/core ${build}-subdirectory -D LEAFSTORE_SUBDIRECTORY=${CMAKE_CURRENT_LIST_DIR}/../..)

find_program(pkg_config pkg-config)
if(pkg_config)
  run("pkg-config" ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pkgconfig} ${pkg_config} --cflags --libs leafstore-core)
  separate_arguments(flags UNIX_COMMAND "${output}")
  separate_arguments(more_flags UNIX_COMMAND "${CXX_FLAGS}")
  run("compiling with pkg-config" ${CXX_COMPILER} -std=c++20 ${more_flags}
    ${CMAKE_CURRENT_LIST_DIR}/consumer/core/main.cc -o ${build}-core/with_pkg_config ${flags})
  expect_ok(core_consumer ${build}-core/with_pkg_config)
  run("pkg-config" ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pkgconfig} ${pkg_config} --print-errors --exists leafstore)
endif()

# Check that the installed command can read the file that the consumer wrote.
if(EXISTS ${prefix}/bin/leafstore)
  run("the installed command" ${prefix}/bin/leafstore inspect ${build}/model.leaf)
  if(NOT output MATCHES "params")
    message(FATAL_ERROR "leafstore inspect did not name the item 'params':\n${output}")
  endif()
endif()
