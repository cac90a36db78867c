# worker/text: tokenizers, templates, conversation files, samplers.
foreach(name tokenizer)
  acsweep_unit_test(${name} LIBS acsweep_text)
  if(ACSWEEP_WITH_SENTENCEPIECE)
    target_compile_definitions(test_${name} PRIVATE ACSWEEP_WITH_SENTENCEPIECE)
  endif()
endforeach()
