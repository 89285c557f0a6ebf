# Installs what find_package(leafstore) reads. The libraries and headers are installed where they are declared.

include(CMakePackageConfigHelpers)

set(LEAFSTORE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/leafstore)

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/leafstoreConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/leafstoreConfig.cmake
  INSTALL_DESTINATION ${LEAFSTORE_CMAKE_DIR})
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/leafstoreConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)

install(EXPORT leafstoreTargets NAMESPACE leafstore:: DESTINATION ${LEAFSTORE_CMAKE_DIR})
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/leafstoreConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/leafstoreConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindRE2.cmake
  ${PROJECT_SOURCE_DIR}/cmake/Findlibzip.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindxxHash.cmake
  DESTINATION ${LEAFSTORE_CMAKE_DIR})
