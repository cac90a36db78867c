/* Texts that leave a process are UTF-8: messages, rows and JSON take nothing else. What programs and file systems say
 * may be anything, or may have been cut in the middle of a character. */
#ifndef ACSWEEP_COMMON_UTF8_H
#define ACSWEEP_COMMON_UTF8_H

#include <stdbool.h>

bool utf8_is_valid(const char *s);
/* The first byte that belongs to no character (surrogates, overlong forms and what is above U+10FFFF are none), or NULL. */
const char *utf8_find_invalid(const char *s);
/* Make it so, in place: a '?' for each byte that belongs to no character; one that was cut off at the end goes. */
void utf8_mend(char *s);

#endif
