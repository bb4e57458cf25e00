# embed_sql(TARGET store_postgres FUNCTION inventory::store::postgres::migrations DIRECTORY migrations)
#
# Compiles the numbered files NNNN_name.sql of a folder into the target, in order, as
#   std::span<const inventory::store::Migration> FUNCTION();
# so that the program needs no files beside it.
function(embed_sql)
  cmake_parse_arguments(EMBED "" "TARGET;FUNCTION;DIRECTORY" "" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${EMBED_DIRECTORY})
  file(GLOB files CONFIGURE_DEPENDS ${folder}/[0-9][0-9][0-9][0-9]_*.sql)
  list(SORT files)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${EMBED_TARGET}_migrations.cpp)
  set(entries "")
  set(expected 1)
  foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME_WE)
    string(REGEX MATCH "^([0-9]+)_(.*)$" _ ${name})
    math(EXPR version "${CMAKE_MATCH_1} + 0")
    if(NOT version EQUAL expected)
      message(FATAL_ERROR "${file}: the next migration's number is ${expected}")
    endif()
    math(EXPR expected "${expected} + 1")
    file(READ ${file} sql)
    # file(CONFIGURE) below would take @word@ in the SQL for a variable, and empty it.
    set(AT "@")
    string(REPLACE "@" "@AT@" sql "${sql}")
    string(APPEND entries "    {${version}, \"${CMAKE_MATCH_2}\", R\"migration(${sql})migration\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  string(REGEX REPLACE "::[^:]+$" "" namespace ${EMBED_FUNCTION})
  string(REGEX REPLACE "^.*::" "" function ${EMBED_FUNCTION})
  file(
    CONFIGURE
    OUTPUT ${output}
    CONTENT
      "#include \"store/migration.h\"

namespace ${namespace} {

std::span<const inventory::store::Migration> ${function}();

std::span<const inventory::store::Migration> ${function}() {
  static constexpr inventory::store::Migration kMigrations[] = {
${entries}  };
  return kMigrations;
}

}  // namespace ${namespace}
"
    @ONLY)
  target_sources(${EMBED_TARGET} PRIVATE ${output})
  set_source_files_properties(${output} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
