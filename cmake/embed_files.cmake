# embed_files(TARGET server HEADER server/console_files.h TYPE inventory::server::ConsoleFile
#             FUNCTION inventory::server::console_files FILES a.html b.js chart.js=/usr/share/…/chart.min.js)
#
# Compiles text files into the target, by their names without folders or by those before "=", as
#   std::span<const TYPE> FUNCTION();
# which HEADER declares; TYPE is made of name and content. So the program needs no files beside it.
function(embed_files)
  cmake_parse_arguments(EMBED "" "TARGET;HEADER;TYPE;FUNCTION" "FILES" ${ARGN})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${EMBED_TARGET}_files.cpp)
  set(entries "")
  foreach(file IN LISTS EMBED_FILES)
    get_filename_component(name ${file} NAME)
    if(file MATCHES "^([^=]+)=(.+)$")
      set(name ${CMAKE_MATCH_1})
      set(file ${CMAKE_MATCH_2})
    endif()
    file(READ ${file} content)
    # file(CONFIGURE) below would take @word@ for a variable, and empty it.
    set(AT "@")
    string(REPLACE "@" "@AT@" content "${content}")
    string(APPEND entries "    {\"${name}\", R\"embedded(${content})embedded\"sv},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  string(REGEX REPLACE "::[^:]+$" "" namespace ${EMBED_FUNCTION})
  string(REGEX REPLACE "^.*::" "" function ${EMBED_FUNCTION})
  file(
    CONFIGURE
    OUTPUT ${output}
    CONTENT
      "#include \"${EMBED_HEADER}\"

namespace ${namespace} {

using namespace std::string_view_literals;

std::span<const ${EMBED_TYPE}> ${function}() {
  static constexpr ${EMBED_TYPE} kFiles[] = {
${entries}  };
  return kFiles;
}

}  // namespace ${namespace}
"
    @ONLY)
  target_sources(${EMBED_TARGET} PRIVATE ${output})
  # Standard C++ promises no strings of more than 65,536 bytes; the compilers take them.
  set_source_files_properties(
    ${output} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON COMPILE_OPTIONS -Wno-overlength-strings)
endfunction()
