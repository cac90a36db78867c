/* Numbers and cells for people: missing is an en dash, decimals fit the size, durations have units. */
#ifndef ACSWEEP_REPORT_REPORT_TEXT_H
#define ACSWEEP_REPORT_REPORT_TEXT_H

#include "common/buf.h"

#define REPORT_DASH "\xe2\x80\x93"

enum { REPORT_NUMBER_SIZE = 48 };
/* Fixed notation with the given decimals; the dash when missing. Returns `text`. */
const char *report_fixed(double value, int decimals, char text[REPORT_NUMBER_SIZE]);
/* Decimals that give values of this magnitude about four digits. */
int report_decimals(double magnitude);
/* About four significant digits. */
const char *report_number(double value, char text[REPORT_NUMBER_SIZE]);
/* "12 ms", "3.4 s", "5 min 20 s", "2 h 05 min", "3 d 4 h". */
const char *report_duration(double seconds, char text[REPORT_NUMBER_SIZE]);
const char *report_energy(double joules, char text[REPORT_NUMBER_SIZE]);
/* "circular_accuracy" with blanks, so that it may break between its words; escaped. */
void report_metric(struct buf *out, const char *metric);

#endif
