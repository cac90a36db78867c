# worker/data: pictures, image sets, key-point pairs.
foreach(name image resize preprocess json_items image_set spair decode_ahead content)
  acsweep_unit_test(${name} LIBS acsweep_data)
endforeach()
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib) # to make PNGs that lie
target_link_libraries(test_image PRIVATE PkgConfig::ZLIB)
foreach(name image preprocess image_set spair)
  acsweep_fuzz_target(${name} LIBS acsweep_data)
endforeach()
