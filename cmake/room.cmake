# A room is a folder of src/: one static library, its sources listed, its tests beside them.
#
#   room(NAME domain SOURCES a.cpp b.cpp TESTS a_test.cpp DEPENDS other_room Some::Library)
#
# Under the sanitizers and for a release the files of a target are compiled as one, which takes a third
# of the time: so what they declare in unnamed namespaces must have different names.
#
# TESTS become the program <name>_test, one CTest entry per test case.

add_library(inventory_warnings INTERFACE)
target_compile_options(
  inventory_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)

add_library(inventory_settings INTERFACE)
target_include_directories(inventory_settings INTERFACE ${PROJECT_SOURCE_DIR}/src)
# Asio is compiled once, in src/asio.cpp, instead of in every file that uses it.
target_compile_definitions(
  inventory_settings INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
                               SPDLOG_ACTIVE_LEVEL=SPDLOG_LEVEL_DEBUG)
if(INVENTORY_SANITIZE)
  target_compile_options(inventory_settings INTERFACE -fsanitize=${INVENTORY_SANITIZE}
                                                      -fno-omit-frame-pointer
                                                      -fno-sanitize-recover=all)
  target_link_options(inventory_settings INTERFACE -fsanitize=${INVENTORY_SANITIZE})
endif()
if(INVENTORY_FUZZ)
  target_compile_options(inventory_settings INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(inventory_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(room)
  cmake_parse_arguments(ROOM "" "NAME" "SOURCES;TESTS;DEPENDS;TEST_DEPENDS" ${ARGN})
  add_library(${ROOM_NAME} STATIC ${ROOM_SOURCES})
  target_link_libraries(${ROOM_NAME} PRIVATE inventory_warnings)
  target_link_libraries(${ROOM_NAME} PUBLIC inventory_settings ${ROOM_DEPENDS})
  if(INVENTORY_TESTS AND ROOM_TESTS)
    add_executable(${ROOM_NAME}_test ${ROOM_TESTS})
    target_link_libraries(
      ${ROOM_NAME}_test PRIVATE inventory_warnings ${ROOM_NAME} ${ROOM_TEST_DEPENDS}
                                GTest::gtest_main)
    gtest_discover_tests(${ROOM_NAME}_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 600)
  endif()
endfunction()
