# How a folder of src/ becomes a target, and a file of tests/ a test.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

find_program(PLM_CCACHE ccache)
if(PLM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PLM_CCACHE})
endif()

if(PLM_SANITIZE)
  # -g1: files and lines, which is what a report names; with variables and types the programs are ten times as large.
  add_compile_options(-fsanitize=${PLM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1)
  add_link_options(-fsanitize=${PLM_SANITIZE})
endif()

# At -O3 g++ 12 sees overflows inside its own std::vector and std::string that are not there; the
# sanitizers and clang look for real ones. clang sees what libstdc++ 12 uses of its own deprecated
# functions (std::stable_sort); g++ refuses our own uses.
function(plm_set_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wcast-align
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow -Wno-restrict>
                         $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
                         $<$<BOOL:${PLM_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()

# plm_add_folder(NAME gguf DEPS base SOURCES reader.cpp ...)
# One static library plm_<NAME> for one folder of src/; DEPS are the folders it may include.
function(plm_add_folder)
  cmake_parse_arguments(ARG "" "NAME" "DEPS;SOURCES" ${ARGN})
  set(target plm_${ARG_NAME})
  add_library(${target} STATIC ${ARG_SOURCES})
  plm_set_warnings(${target})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                             $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(${target} PUBLIC plm_${dep})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY PLM_LIBRARIES ${target})
endfunction()

# plm_add_test(FOLDER gguf NAME reader_test DEPS gguf [LABELS unit threads] [LIBS ...])
# tests/<FOLDER>/<NAME>.cpp becomes the program <FOLDER>_<NAME>, found case by case by ctest.
function(plm_add_test)
  cmake_parse_arguments(ARG "" "FOLDER;NAME" "DEPS;LABELS;LIBS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  # gtest_discover_tests cannot pass a list on; `ctest -L` takes a pattern, so "unit-threads" is both.
  list(JOIN ARG_LABELS "-" labels)
  set(target ${ARG_FOLDER}_${ARG_NAME})
  add_executable(${target} ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_NAME}.cpp)
  plm_set_warnings(${target})
  if(labels MATCHES "threads|model")
    if(NOT TARGET threaded_tests)
      add_custom_target(threaded_tests)  # what the thread sanitizer is for
    endif()
    add_dependencies(threaded_tests ${target})
  endif()
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(${target} PRIVATE plm_${dep})
  endforeach()
  target_link_libraries(${target} PRIVATE GTest::gtest GTest::gmock GTest::gtest_main ${ARG_LIBS})
  target_compile_definitions(${target} PRIVATE PLM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             PLM_BINARY_DIR="${PROJECT_BINARY_DIR}")
  gtest_discover_tests(${target} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS "${labels}" TIMEOUT 300)
endfunction()
