# Embeds text files in a program:
#
#   leafstore_embed(<target> OUTPUT page_parts.cc INCLUDE leafstore/tools/report/report_page.h NAMESPACE leafstore::tools
#                   TEXTS kPageHtml=page.html kPageScript=format.js+page.js)
#
# Each text is NAME=FILE, or NAME=FILE+FILE+... to concatenate several files. The generated source defines each NAME as an
# absl::string_view; the header INCLUDE must declare it. The source is generated again when one of the files changes. This
# needs no tool but CMake.
#
# The build runs this file as a script, too: cmake -D OUTPUT=... -D INCLUDE=... -D NAMESPACE=... -D TEXTS=... -P.

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  set(source "// Generated from files by cmake/LeafstoreEmbed.cmake.\n#include \"${INCLUDE}\"\n\nnamespace ${NAMESPACE} {\n\n")
  string(REPLACE "|" ";" texts "${TEXTS}")
  foreach(text IN LISTS texts)
    string(REGEX MATCH "^([A-Za-z]+)=(.*)$" matched "${text}")
    string(APPEND source "const absl::string_view ${CMAKE_MATCH_1} =\n")
    string(REPLACE "+" ";" files "${CMAKE_MATCH_2}")
    foreach(file IN LISTS files)
      file(READ "${file}" content)
      # This sequence would end the raw string literal early.
      string(FIND "${content}" ")leafstore\"" end)
      if(NOT end EQUAL -1)
        message(FATAL_ERROR "${file}: an embedded text must not contain ')leafstore\"'")
      endif()
      string(APPEND source "R\"leafstore(${content})leafstore\"\n")
    endforeach()
    string(APPEND source "    ;\n\n")
  endforeach()
  string(APPEND source "}  // namespace ${NAMESPACE}\n")
  file(WRITE "${OUTPUT}" "${source}")
  return()
endif()

set(LEAFSTORE_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(leafstore_embed target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT;INCLUDE;NAMESPACE" "TEXTS")
  set(texts)
  set(depends ${LEAFSTORE_EMBED_SCRIPT})
  foreach(text IN LISTS arg_TEXTS)
    string(REGEX MATCH "^([A-Za-z]+)=(.*)$" matched "${text}")
    set(name ${CMAKE_MATCH_1})
    string(REPLACE "+" ";" files "${CMAKE_MATCH_2}")
    list(TRANSFORM files PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    list(APPEND depends ${files})
    string(REPLACE ";" "+" files "${files}")
    list(APPEND texts "${name}=${files}")
  endforeach()
  string(REPLACE ";" "|" texts "${texts}")
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${arg_OUTPUT})
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D INCLUDE=${arg_INCLUDE} -D NAMESPACE=${arg_NAMESPACE} -D TEXTS=${texts}
            -P ${LEAFSTORE_EMBED_SCRIPT}
    DEPENDS ${depends}
    COMMENT "Generating ${arg_OUTPUT}"
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
