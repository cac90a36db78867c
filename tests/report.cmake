acsweep_unit_test(svg LIBS acsweep_report)
target_sources(test_svg PRIVATE lib/wellformed.c)
acsweep_unit_test(report LIBS acsweep_report acsweep_pgtest)
target_sources(test_report PRIVATE lib/wellformed.c lib/report_sweep.c)
acsweep_unit_test(gallery LIBS acsweep_report acsweep_data)
target_sources(test_gallery PRIVATE lib/wellformed.c)

acsweep_fuzz_target(pictures LIBS acsweep_report)
target_sources(fuzz_pictures PRIVATE lib/wellformed.c)
