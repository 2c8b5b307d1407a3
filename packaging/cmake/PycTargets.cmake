# One CMake target per folder: pyc_library(NAME DEPS...) makes a static library of the folder's *.cc files.

find_program(PYC_CCACHE ccache)
if(PYC_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${PYC_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PYC_CCACHE})
endif()
find_program(PYC_MOLD mold)
if(PYC_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(pyc_options INTERFACE)
target_include_directories(pyc_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(pyc_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wconversion -Wold-style-cast>
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(PYC_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(PYC_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
endif()

function(pyc_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC pyc_options ${ARGN})
endfunction()

# pyc_registry(TARGET DIRECTORY TEMPLATE): makes a table of the files of DIRECTORY that follow the registry's naming.
# For each file NAME.cc that defines `Status PREFIX_NAME(`, the generated source lists {"NAME", PREFIX_NAME}.
function(pyc_registry target prefix signature table_type table_name header)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(declarations "")
  set(entries "")
  set(count 0)
  foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME_WE)
    file(STRINGS ${file} hits REGEX "^Status ${prefix}_${name}\\(")
    if(hits)
      string(APPEND declarations "Status ${prefix}_${name}(${signature});\n")
      string(APPEND entries "    {\"${name}\", ${prefix}_${name}},\n")
      math(EXPR count "${count} + 1")
    endif()
  endforeach()
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${prefix}_registry.cc)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT
"// Generated from the file names of this folder.
#include \"@header@\"

namespace pycroscope {
@declarations@
namespace {
constexpr @table_type@ kEntries[] = {
@entries@};
}  // namespace
std::span<const @table_type@> @table_name@() { return kEntries; }
}  // namespace pycroscope
")
  target_sources(${target} PRIVATE ${generated})
endfunction()
