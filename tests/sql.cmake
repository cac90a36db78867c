# Tests of the room sql/, each against a PostgreSQL of its own (tests/lib/pgtest.h).
add_library(acsweep_pgtest STATIC lib/pgtest.c)
target_link_libraries(acsweep_pgtest PUBLIC acsweep_sql)

foreach(module db migrate cluster sql_views sql_plans)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/unit/test_${module}.c)
    acsweep_unit_test(${module} LIBS acsweep_sql acsweep_pgtest)
  endif()
endforeach()
