# Finds libzip without its CMake package, which in Debian requires command-line programs from another Debian package.
# Defines libzip::libzip.

find_path(libzip_INCLUDE_DIR zip.h)
find_library(libzip_LIBRARY zip)
mark_as_advanced(libzip_INCLUDE_DIR libzip_LIBRARY)

find_path(libzip_CONF_DIR zipconf.h)
mark_as_advanced(libzip_CONF_DIR)
if(libzip_CONF_DIR)
  file(STRINGS ${libzip_CONF_DIR}/zipconf.h line REGEX "^#define LIBZIP_VERSION ")
  string(REGEX MATCH "[0-9]+\\.[0-9.]+" libzip_VERSION "${line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(libzip
  REQUIRED_VARS libzip_LIBRARY libzip_INCLUDE_DIR libzip_CONF_DIR VERSION_VAR libzip_VERSION)

if(libzip_FOUND AND NOT TARGET libzip::libzip)
  add_library(libzip::libzip UNKNOWN IMPORTED)
  set_target_properties(libzip::libzip PROPERTIES
    IMPORTED_LOCATION ${libzip_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES "${libzip_INCLUDE_DIR};${libzip_CONF_DIR}")
endif()
