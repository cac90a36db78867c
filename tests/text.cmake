# worker/text: tokenizers, templates, conversation files, samplers.
foreach(name tokenizer conversation chat_set sampler)
  acsweep_unit_test(${name} LIBS acsweep_text)
endforeach()
foreach(name tokenizer_json chat_set hf_tokens sentencepiece)
  acsweep_fuzz_target(${name} LIBS acsweep_text)
endforeach()
