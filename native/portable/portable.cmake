# Links the addon so that the binary runs on other Linux systems than the one it was built on: libstdc++ is linked in, and
# of glibc it asks for nothing that is not in every version that Node.js runs on. libgcc_s is used as the system has it:
# Node.js needs it too, what is asked of it is old, and linked in it would need a new glibc. native/prebuild.mjs checks
# the result.
#
# PIKE_PORTABLE: ON fails where that cannot be done, AUTO then links as usual. OFF, the default, is for builds with
# sanitizers and the like; `node native/build.mjs` says AUTO.
set(PIKE_PORTABLE OFF CACHE STRING "Link for other Linux systems too: AUTO (if possible), ON (fail if not), OFF")
set_property(CACHE PIKE_PORTABLE PROPERTY STRINGS AUTO ON OFF)

set(PIKE_PORTABLE_FOLDER ${CMAKE_CURRENT_LIST_DIR})

# Sets `result` to a reason why not, or to nothing.
function(pike_why_not_portable result)
  set(${result} "" PARENT_SCOPE)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT EXISTS ${PIKE_PORTABLE_FOLDER}/versions-${CMAKE_SYSTEM_PROCESSOR}.map)
    set(${result} "it is for Linux on x86_64 and aarch64 alone" PARENT_SCOPE)
    return()
  endif()
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_LINK_OPTIONS -static-libstdc++)
  check_cxx_source_compiles("
    #include <iostream>
    #if !defined(__GLIBC__)
    #error no glibc
    #endif
    int main() { std::cout << 1; }" PIKE_STATIC_LIBSTDCXX)
  if(NOT PIKE_STATIC_LIBSTDCXX)
    set(${result} "the C library is not glibc, or there is no static libstdc++" PARENT_SCOPE)
  endif()
endfunction()

function(pike_link_portably target)
  set(libraries "")
  foreach(name pthread=libpthread.so.0 dl=libdl.so.2 rt=librt.so.1)
    string(REGEX MATCH "^(.*)=(.*)$" _ ${name})
    set(short ${CMAKE_MATCH_1})
    set(soname ${CMAKE_MATCH_2})
    set(library pike_old_${short})
    set(file ${CMAKE_BINARY_DIR}/glibc/${soname})
    add_library(${library} SHARED ${PIKE_PORTABLE_FOLDER}/glibc_symbols.cpp)
    set_target_properties(${library} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/glibc
      PREFIX "" OUTPUT_NAME ${soname} SUFFIX "" NO_SONAME ON
      CXX_VISIBILITY_PRESET default)
    target_compile_definitions(${library} PRIVATE PIKE_STANDS_FOR_${short})
    target_compile_options(${library} PRIVATE -fno-builtin)
    target_link_options(${library} PRIVATE -nostdlib -Wl,-soname,${soname}
      -Wl,--version-script=${PIKE_PORTABLE_FOLDER}/versions-${CMAKE_SYSTEM_PROCESSOR}.map)
    # Not target_link_libraries, which would have the addon look for them in the build folder when it is loaded.
    add_dependencies(${target} ${library})
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${file})
    list(APPEND libraries "$<HOST_LINK:${file}>") # one argument each: the path may have spaces
  endforeach()
  target_sources(${target} PRIVATE ${PIKE_PORTABLE_FOLDER}/single_threaded.cpp)
  # The old libraries stand before everything that they are to answer for, even if no object needs one of them yet.
  target_link_options(${target} PRIVATE
    "$<HOST_LINK:-static-libstdc++>"
    "$<HOST_LINK:LINKER:--gc-sections>" # else parts of libstdc++ that nobody calls ask for newer functions
    "$<HOST_LINK:LINKER:--version-script=${PIKE_PORTABLE_FOLDER}/exports.map>"
    "$<HOST_LINK:LINKER:SHELL:--push-state --no-as-needed>" ${libraries} "$<HOST_LINK:LINKER:--pop-state>")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${PIKE_PORTABLE_FOLDER}/exports.map)
endfunction()

if(NOT PIKE_PORTABLE STREQUAL "OFF")
  pike_why_not_portable(why_not)
  if(why_not STREQUAL "")
    pike_link_portably(${PROJECT_NAME})
    message(STATUS "pike-mixer: linked for other Linux systems too")
  elseif(PIKE_PORTABLE STREQUAL "ON")
    message(FATAL_ERROR "PIKE_PORTABLE is ON, but ${why_not}.")
  else()
    message(STATUS "pike-mixer: linked for this system: ${why_not}")
  endif()
endif()
