# Included at the top: decides whether this build has libtorch (ACSWEEP_WITH_TORCH) and, only then, switches C++ on.
# Another libtorch than the system's, e.g. a PyTorch with CUDA:
#   cmake -DCMAKE_PREFIX_PATH=$(python3 -c 'import torch; print(torch.utils.cmake_prefix_path)') ...
set(ACSWEEP_WITH_TORCH OFF)
string(TOUPPER "${ACSWEEP_TORCH}" wanted)
if(wanted STREQUAL "AUTO" OR wanted)
  include(CheckLanguage)
  check_language(CXX)
  if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
    if(wanted STREQUAL "AUTO")
      find_package(Torch QUIET)
    else()
      find_package(Torch REQUIRED)
    endif()
    set(ACSWEEP_WITH_TORCH ${Torch_FOUND})
  elseif(NOT wanted STREQUAL "AUTO")
    message(FATAL_ERROR "ACSWEEP_TORCH=${ACSWEEP_TORCH} needs a C++ compiler (Debian: g++)")
  endif()
endif()

if(ACSWEEP_WITH_TORCH)
  file(STRINGS "${TORCH_INSTALL_PREFIX}/include/torch/csrc/api/include/torch/version.h" numbers
       REGEX "^#define TORCH_VERSION_(MAJOR|MINOR) ")
  string(REGEX MATCHALL "[0-9]+" numbers "${numbers}")
  list(JOIN numbers "." numbers)
  message(STATUS "libtorch ${numbers} in ${TORCH_INSTALL_PREFIX}: the native executors compute with it")
else()
  message(STATUS "Building without libtorch (ACSWEEP_TORCH=${ACSWEEP_TORCH}): the native executors will refuse their tasks. "
                 "Debian: apt-get install libtorch-dev libopenblas0-openmp g++; or set CMAKE_PREFIX_PATH")
endif()
