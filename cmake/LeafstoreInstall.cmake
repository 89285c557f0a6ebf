# Installs the files that find_package(leafstore) and pkg-config read. The libraries and headers themselves are installed
# by cmake/LeafstoreTargets.cmake. The packages that each component needs are recorded one by one, so that a project that
# uses only leafstore::core does not need protobuf.

include(CMakePackageConfigHelpers)

set(LEAFSTORE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/leafstore)

# Sets `out` to the entry of LEAFSTORE_PACKAGES that defines a target, such as "Eigen3 3.4 NO_MODULE" for Eigen3::Eigen.
function(leafstore_package_of target out)
  string(REGEX REPLACE "::.*" "" wanted ${target})
  string(TOLOWER ${wanted} wanted)
  foreach(entry IN LISTS LEAFSTORE_PACKAGES)
    string(REGEX REPLACE " .*" "" name ${entry})
    string(TOLOWER ${name} name)
    if(name STREQUAL wanted)
      set(${out} ${entry} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "${target}: no package in cmake/LeafstoreDependencies.cmake defines this target")
endfunction()

# Sets `out` to the name of a target's library in pkg-config.
function(leafstore_pkg_config_name target out)
  string(REGEX REPLACE "^leafstore::" "leafstore-" name ${target})
  string(REGEX REPLACE "^absl::" "absl_" name ${name})
  set(names
    Eigen3::Eigen eigen3
    libzip::libzip libzip
    nlohmann_json::nlohmann_json nlohmann_json
    protobuf::libprotobuf protobuf
    re2::re2 re2
    simdjson::simdjson simdjson
    xxHash::xxhash libxxhash
    zstd::libzstd_shared libzstd)
  list(FIND names ${target} index)
  if(NOT index EQUAL -1)
    math(EXPR index "${index} + 1")
    list(GET names ${index} name)
  endif()
  if(name MATCHES "::" AND NOT name MATCHES "^Threads::")
    message(FATAL_ERROR "${target}: cmake/LeafstoreInstall.cmake has no pkg-config name for this target")
  endif()
  set(${out} ${name} PARENT_SCOPE)
endfunction()

# Writes <name>.pc. Its prefix is relative to the location of the file, so that an installation can be moved.
function(leafstore_write_pkg_config name library requires requires_private)
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up ${up})
  set(libs)
  if("Threads::Threads" IN_LIST requires)
    list(REMOVE_ITEM requires Threads::Threads)
    set(libs " -pthread")
  endif()
  list(JOIN requires " " requires)
  list(JOIN requires_private " " requires_private)
  if(library)
    set(libs " -L\${libdir} -l${library}${libs}")
  endif()
  set(file ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc)
  file(WRITE ${file}
    "prefix=\${pcfiledir}/${up}\n"
    "libdir=\${prefix}/${CMAKE_INSTALL_LIBDIR}\n"
    "includedir=\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}\n\n"
    "Name: ${name}\n"
    "Description: ${PROJECT_DESCRIPTION}\n"
    "Version: ${PROJECT_VERSION}\n"
    "Requires: ${requires}\n"
    "Requires.private: ${requires_private}\n"
    "Libs:${libs}\n"
    "Cflags: -I\${includedir}\n")
  install(FILES ${file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
endfunction()

# Removes from a list of pkg-config names those that another name of the list requires. pkg-config visits every path from
# a package to the packages that it requires, so redundant edges would cost it exponential time.
# `required_by_<name>` is all that leafstore's package <name> lists in Requires, directly or through others.
function(leafstore_remove_redundant list)
  set(out ${${list}})
  foreach(name IN LISTS ${list})
    list(REMOVE_ITEM out ${required_by_${name}})
  endforeach()
  set(${list} ${out} PARENT_SCOPE)
endfunction()

get_property(components GLOBAL PROPERTY LEAFSTORE_COMPONENTS)
set(LEAFSTORE_COMPONENT_PACKAGES)
set(all)
foreach(component IN LISTS components)
  get_property(deps GLOBAL PROPERTY LEAFSTORE_DEPS_${component})
  get_property(private_deps GLOBAL PROPERTY LEAFSTORE_PRIVATE_DEPS_${component})
  set(requires)
  set(requires_private)
  set(packages_${component})
  foreach(dep IN LISTS deps private_deps)
    leafstore_pkg_config_name(${dep} name)
    # A program that links a static library must also link the private dependencies of that library.
    if(dep IN_LIST deps OR NOT BUILD_SHARED_LIBS)
      list(APPEND requires ${name})
    else()
      list(APPEND requires_private ${name})
    endif()
    if(dep MATCHES "^leafstore::(.*)")
      list(APPEND packages_${component} ${packages_${CMAKE_MATCH_1}})
    elseif(dep IN_LIST deps OR NOT BUILD_SHARED_LIBS)
      leafstore_package_of(${dep} package)
      list(APPEND packages_${component} ${package})
    endif()
  endforeach()
  set(required_by_leafstore-${component} ${requires})
  foreach(name IN LISTS requires)
    list(APPEND required_by_leafstore-${component} ${required_by_${name}})
  endforeach()
  list(REMOVE_DUPLICATES required_by_leafstore-${component})
  leafstore_remove_redundant(requires)
  list(REMOVE_DUPLICATES packages_${component})
  list(APPEND all ${packages_${component}})
  string(APPEND LEAFSTORE_COMPONENT_PACKAGES "\n  set(packages_${component} \"${packages_${component}}\")")
  leafstore_write_pkg_config(leafstore-${component} leafstore_${component} "${requires}" "${requires_private}")
endforeach()
list(TRANSFORM components PREPEND leafstore- OUTPUT_VARIABLE requires)
leafstore_remove_redundant(requires)
leafstore_write_pkg_config(leafstore "" "${requires}" "")

set(LEAFSTORE_FIND_PACKAGES)
foreach(package IN LISTS LEAFSTORE_PACKAGES)
  if(package IN_LIST all)
    string(APPEND LEAFSTORE_FIND_PACKAGES
      "if(\"${package}\" IN_LIST leafstore_packages)\n  find_dependency(${package})\nendif()\n")
  endif()
endforeach()
set(LEAFSTORE_COMPONENTS ${components})

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/leafstoreConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/leafstoreConfig.cmake
  INSTALL_DESTINATION ${LEAFSTORE_CMAKE_DIR})
# Before version 1.0, a new minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/leafstoreConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)

install(EXPORT leafstoreTargets NAMESPACE leafstore:: DESTINATION ${LEAFSTORE_CMAKE_DIR} COMPONENT dev)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/leafstoreConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/leafstoreConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindRE2.cmake
  ${PROJECT_SOURCE_DIR}/cmake/Findlibzip.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindxxHash.cmake
  DESTINATION ${LEAFSTORE_CMAKE_DIR} COMPONENT dev)
