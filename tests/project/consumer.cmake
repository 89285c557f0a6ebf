# Installs leafstore below the build folder, then configures, builds and runs the project in consumer/ against it, as a
# user would: with find_package and nothing from the build tree.
#
#   cmake -D BUILD_DIR=... -D CONFIG=Release -D GENERATOR=Ninja -D CXX_COMPILER=c++ -D VERSION=... -P consumer.cmake

set(prefix ${BUILD_DIR}/consumer/prefix)
set(build ${BUILD_DIR}/consumer/build)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result)
    message(NOTICE "${output}")
    message(FATAL_ERROR "${what} failed (${result})")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# Installed anew, so that nothing old is found; file times are kept, so that the build below only does what is new.
file(REMOVE_RECURSE ${prefix})
run("cmake --install" ${CMAKE_COMMAND} --install ${BUILD_DIR} --config ${CONFIG} --prefix ${prefix})
run("configuring the consumer" ${CMAKE_COMMAND}
  -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${build} -G ${GENERATOR}
  -D CMAKE_BUILD_TYPE=${CONFIG} -D CMAKE_CXX_COMPILER=${CXX_COMPILER}
  -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
  -D LEAFSTORE_EXPECTED_VERSION=${VERSION})
run("building the consumer" ${CMAKE_COMMAND} --build ${build} --config ${CONFIG})
run("running the consumer" ${build}/consumer ${build}/model.leaf)
if(NOT output MATCHES "consumer: ok")
  message(FATAL_ERROR "the consumer did not print 'consumer: ok':\n${output}")
endif()

# The installed command reads what the consumer wrote.
if(EXISTS ${prefix}/bin/leafstore)
  run("the installed command" ${prefix}/bin/leafstore inspect ${build}/model.leaf)
  if(NOT output MATCHES "params")
    message(FATAL_ERROR "leafstore inspect did not name the item 'params':\n${output}")
  endif()
endif()
