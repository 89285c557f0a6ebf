# Configures the Debian packages that cpack builds (preset `package`): libleafstore0.2 with the shared libraries,
# libleafstore-dev with the headers and the CMake and pkg-config files, and leafstore with the command. A build of static
# libraries has only the last two.

set(abi ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(CPACK_PACKAGE_NAME leafstore)
set(CPACK_PACKAGE_VENDOR "leafstore")
set(CPACK_PACKAGE_CONTACT "leafstore <leafstore@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)

# SHLIBDEPS: cpack runs dpkg-shlibdeps (from dpkg-dev) to find the dependencies of the libraries and the command.
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libleafstore${abi})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "The shared libraries of leafstore.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libleafstore-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libabsl-dev, libeigen3-dev")
set(CPACK_COMPONENT_DEV_DESCRIPTION "The headers of leafstore, and its CMake and pkg-config files.")

set(CPACK_DEBIAN_TOOL_PACKAGE_NAME leafstore)
set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_TOOL_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_TOOL_DESCRIPTION "The command leafstore, its manual page and its shell completions.")

set(CPACK_COMPONENTS_ALL dev)
if(LEAFSTORE_BUILD_TOOLS)
  list(APPEND CPACK_COMPONENTS_ALL tool)
endif()
if(BUILD_SHARED_LIBS)
  list(APPEND CPACK_COMPONENTS_ALL library)
  set(CPACK_COMPONENT_DEV_DEPENDS library)
  set(CPACK_COMPONENT_TOOL_DEPENDS library)
else()
  # A program that links static libraries also needs their dependencies.
  string(APPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    ", libre2-dev, libxxhash-dev, libzstd-dev, libprotobuf-dev, libsimdjson-dev, libzip-dev, nlohmann-json3-dev")
endif()

include(CPack)
