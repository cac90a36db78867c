# Included at the top: decides whether this build has libtorch (ACSWEEP_WITH_TORCH) and, only then, switches C++ on and makes
# the target acsweep_libtorch. Another libtorch than the system's, e.g. a PyTorch with CUDA from a virtual environment:
#   cmake -DCMAKE_PREFIX_PATH=$(python3 -c 'import torch; print(torch.utils.cmake_prefix_path)') ...

# acsweep_torch_with_cuda(<variable>): the directory of a libtorch with CUDA that Torch_DIR or CMAKE_PREFIX_PATH name, or "".
function(acsweep_torch_with_cuda out)
  set(${out} "" PARENT_SCOPE)
  set(prefixes ${CMAKE_PREFIX_PATH})
  if(DEFINED ENV{CMAKE_PREFIX_PATH})
    string(REPLACE ":" ";" more "$ENV{CMAKE_PREFIX_PATH}")
    list(APPEND prefixes ${more})
  endif()
  foreach(prefix ${Torch_DIR} ${prefixes})
    foreach(up ../../.. ../.. .)
      get_filename_component(root "${prefix}/${up}" ABSOLUTE)
      if(EXISTS "${root}/lib/libtorch_cuda.so" AND EXISTS "${root}/share/cmake/Torch/TorchConfig.cmake")
        set(${out} "${root}" PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
endfunction()

# A PyTorch with CUDA brings every library that it needs, but its own CMake package insists on a CUDA toolkit with nvcc, of
# the right version, which a node that only runs programs does not have. All that we need of one is a header.
function(acsweep_use_torch_with_cuda root)
  get_filename_component(packages "${root}" DIRECTORY)
  file(GLOB bundled "${packages}/nvidia/cuda_runtime/include" "${packages}/nvidia/cu*/include")
  find_path(ACSWEEP_CUDA_INCLUDE cuda_runtime_api.h HINTS ${bundled} $ENV{CUDA_HOME}/include /usr/local/cuda/include)
  if(NOT ACSWEEP_CUDA_INCLUDE)
    message(FATAL_ERROR "The libtorch in ${root} is one with CUDA, and cuda_runtime_api.h is not found beside it: install the "
                        "Python package nvidia-cuda-runtime of its CUDA version, or set ACSWEEP_CUDA_INCLUDE to a toolkit's")
  endif()
  file(STRINGS "${root}/share/cmake/Torch/TorchConfig.cmake" abi REGEX "_GLIBCXX_USE_CXX11_ABI=[01]")
  string(REGEX MATCH "_GLIBCXX_USE_CXX11_ABI=[01]" abi "${abi}")
  add_library(acsweep_libtorch INTERFACE IMPORTED GLOBAL)
  target_include_directories(acsweep_libtorch INTERFACE "${root}/include" "${root}/include/torch/csrc/api/include"
                             "${ACSWEEP_CUDA_INCLUDE}")
  target_compile_definitions(acsweep_libtorch INTERFACE ${abi} ACSWEEP_TORCH_CUDA)
  # libtorch_cuda registers its kernels as it is loaded; nothing refers to it.
  target_link_libraries(acsweep_libtorch INTERFACE -Wl,--no-as-needed "${root}/lib/libtorch.so" "${root}/lib/libtorch_cpu.so"
                        "${root}/lib/libtorch_cuda.so" "${root}/lib/libc10_cuda.so" "${root}/lib/libc10.so" -Wl,--as-needed
                        -Wl,--allow-shlib-undefined)
  set(ACSWEEP_TORCH_ROOT "${root}" PARENT_SCOPE)
endfunction()

function(acsweep_use_torch_package)
  separate_arguments(flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  add_library(acsweep_libtorch INTERFACE IMPORTED GLOBAL)
  target_link_libraries(acsweep_libtorch INTERFACE ${TORCH_LIBRARIES})
  target_compile_options(acsweep_libtorch INTERFACE ${flags})
  set(ACSWEEP_TORCH_ROOT "${TORCH_INSTALL_PREFIX}" PARENT_SCOPE)
endfunction()

set(ACSWEEP_WITH_TORCH OFF)
string(TOUPPER "${ACSWEEP_TORCH}" wanted)
if(wanted STREQUAL "AUTO" OR wanted)
  include(CheckLanguage)
  check_language(CXX)
  if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
    acsweep_torch_with_cuda(cuda_root)
    if(cuda_root)
      acsweep_use_torch_with_cuda("${cuda_root}")
      set(ACSWEEP_WITH_TORCH ON)
    else()
      if(wanted STREQUAL "AUTO")
        find_package(Torch QUIET)
      else()
        find_package(Torch REQUIRED)
      endif()
      if(Torch_FOUND)
        acsweep_use_torch_package()
        set(ACSWEEP_WITH_TORCH ON)
      endif()
    endif()
  elseif(NOT wanted STREQUAL "AUTO")
    message(FATAL_ERROR "ACSWEEP_TORCH=${ACSWEEP_TORCH} needs a C++ compiler (Debian: g++)")
  endif()
endif()

if(ACSWEEP_WITH_TORCH)
  # Installed programs find a libtorch outside of the system's directories.
  set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
  file(STRINGS "${ACSWEEP_TORCH_ROOT}/include/torch/csrc/api/include/torch/version.h" numbers
       REGEX "^#define TORCH_VERSION_(MAJOR|MINOR) ")
  string(REGEX MATCHALL "[0-9]+" numbers "${numbers}")
  list(JOIN numbers "." numbers)
  message(STATUS "libtorch ${numbers} in ${ACSWEEP_TORCH_ROOT}: the native executors compute with it")
else()
  message(STATUS "Building without libtorch (ACSWEEP_TORCH=${ACSWEEP_TORCH}): the native executors will refuse their tasks. "
                 "Debian: apt-get install libtorch-dev libopenblas0-openmp g++; or set CMAKE_PREFIX_PATH")
endif()
