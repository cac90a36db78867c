/* Reading tests/golden/text, for the tests of worker/text. */
#ifndef ACSWEEP_TESTS_UNIT_TEXT_GOLDEN_H
#define ACSWEEP_TESTS_UNIT_TEXT_GOLDEN_H

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/digest.h"
#include "worker/text/ids.h"

#define GOLDEN SOURCE_DIR "/tests/golden/text"

static inline UNUSED json_t *golden_load(const char *file)
{
    char path[400];
    json_error_t why;
    snprintf(path, sizeof path, "%s/%s", GOLDEN, file);
    json_t *j = json_load_file(path, 0, &why);
    if (!j)
        fail_msg("%s: %s", path, why.text);
    return j;
}

static inline UNUSED int golden_int(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    return json_is_integer(v) ? (int)json_integer_value(v) : -1;
}

/* Hex digits to bytes. */
static inline UNUSED void golden_bytes(const json_t *hex, struct buf *out)
{
    const char *s = json_string_value(hex);
    unsigned byte;
    assert_non_null(s);
    for (; s[0]; s += 2) {
        assert_int_equal(sscanf(s, "%2x", &byte), 1);
        buf_add(out, &(char){ (char)byte }, 1);
    }
}

static inline UNUSED void golden_ids(const json_t *list, struct ids *out)
{
    const json_t *v;
    size_t i;
    struct err e = { 0 };
    assert_true(json_is_array(list));
    json_array_foreach(list, i, v) assert_int_equal(ids_add(out, (int32_t)json_integer_value(v), &e), 0);
}

static inline UNUSED bool golden_same_ids(const struct ids *got, const json_t *list)
{
    AUTO(ids_free) struct ids want = { 0 };
    golden_ids(list, &want);
    return got->n == want.n && (!want.n || memcmp(got->v, want.v, want.n * sizeof *want.v) == 0);
}

static inline UNUSED void golden_print(const char *label, const struct ids *ids)
{
    print_error("%s[", label);
    for (size_t i = 0; i < ids->n; i++)
        print_error("%s%d", i ? "," : "", (int)ids->v[i]);
    print_error("]\n");
}

/* For messages of a test that fails anyway: not freed. */
static inline UNUSED char *golden_dump(const json_t *j)
{
    return json_dumps(j, JSON_COMPACT);
}

static inline UNUSED void golden_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

#endif
