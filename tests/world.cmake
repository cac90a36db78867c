# world/: the sprite world. It needs FreeType to be built, and the fonts to be drawn (skipped, loudly, without them).
if(TARGET acsweep_world)
  acsweep_unit_test(world LIBS acsweep_world acsweep_text m)
  acsweep_unit_test(ask_more LIBS acsweep_world)
  set_tests_properties(unit.world PROPERTIES SKIP_RETURN_CODE 77)
else()
  add_executable(test_world EXCLUDE_FROM_ALL unit/test_world.c) # known to tests/CMakeLists.txt, not built
  add_executable(test_ask_more EXCLUDE_FROM_ALL unit/test_ask_more.c)
endif()
