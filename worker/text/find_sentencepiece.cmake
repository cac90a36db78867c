# Included at the top: whether this build can read SentencePiece models (ACSWEEP_WITH_SENTENCEPIECE). The library is C++, and
# so is the shim before it.
set(ACSWEEP_SENTENCEPIECE AUTO CACHE STRING "Build with libsentencepiece: AUTO (where it is found), ON (it must be), OFF")
set_property(CACHE ACSWEEP_SENTENCEPIECE PROPERTY STRINGS AUTO ON OFF)
set(ACSWEEP_WITH_SENTENCEPIECE OFF)
string(TOUPPER "${ACSWEEP_SENTENCEPIECE}" wanted)
if(wanted STREQUAL "AUTO" OR wanted)
  pkg_check_modules(SENTENCEPIECE QUIET IMPORTED_TARGET sentencepiece)
  include(CheckLanguage)
  check_language(CXX)
  if(SENTENCEPIECE_FOUND AND CMAKE_CXX_COMPILER)
    enable_language(CXX)
    set(ACSWEEP_WITH_SENTENCEPIECE ON)
  elseif(NOT wanted STREQUAL "AUTO")
    message(FATAL_ERROR "ACSWEEP_SENTENCEPIECE=${ACSWEEP_SENTENCEPIECE} needs libsentencepiece and a C++ compiler "
                        "(Debian: libsentencepiece-dev, g++)")
  endif()
endif()
if(NOT ACSWEEP_WITH_SENTENCEPIECE)
  message(STATUS "Building without libsentencepiece: tokenizer.model files will be refused, tokenizer.json files are read. "
                 "Debian: apt-get install libsentencepiece-dev g++")
endif()
