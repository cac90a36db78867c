/* Is a text well-formed XML? Tags nested and closed, attributes quoted and unique, entities known, no stray markup. */
#ifndef ACSWEEP_TESTS_LIB_WELLFORMED_H
#define ACSWEEP_TESTS_LIB_WELLFORMED_H

/* NULL when it is; otherwise what is wrong and where (static text, valid until the next call). */
const char *wellformed(const char *text);

#endif
