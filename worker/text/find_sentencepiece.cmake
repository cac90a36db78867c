# Included at the top. SentencePiece models are read by worker/text itself (sentencepiece_model.c, sentencepiece_bpe.c);
# ACSWEEP_SENTENCEPIECE=ON takes libsentencepiece instead, to compare with. Not for use: Debian's brings another version of
# libprotobuf than libtorch loads, and a process with both takes the functions of one for those of the other, and crashes.
option(ACSWEEP_SENTENCEPIECE "Read tokenizer.model with libsentencepiece, to compare with" OFF)
set(ACSWEEP_WITH_SENTENCEPIECE ${ACSWEEP_SENTENCEPIECE})
if(ACSWEEP_WITH_SENTENCEPIECE)
  pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
  enable_language(CXX)
endif()
