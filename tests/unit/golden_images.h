/* Reading tests/golden/images: pictures and what Pillow and transformers make of them. */
#ifndef ACSWEEP_TESTS_GOLDEN_IMAGES_H
#define ACSWEEP_TESTS_GOLDEN_IMAGES_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/data/image.h"

#define GOLDEN SOURCE_DIR "/tests/golden/images/"

static inline UNUSED json_t *golden_manifest(void)
{
    json_error_t why;
    json_t *j = json_load_file(GOLDEN "manifest.json", 0, &why);
    if (!j)
        fail_msg("manifest.json: %s", why.text);
    return j;
}

static inline UNUSED void *golden_read(const char *name, size_t *len)
{
    char path[512];
    snprintf(path, sizeof path, GOLDEN "%s", name);
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) < 0)
        fail_msg("cannot read %s", path);
    long size = ftell(f);
    rewind(f);
    void *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, f), size);
    fclose(f);
    *len = (size_t)size;
    return bytes;
}

static inline UNUSED void golden_picture(const char *name, const struct image_options *o, struct image *out)
{
    char path[512];
    struct err e = { 0 };
    snprintf(path, sizeof path, GOLDEN "pictures/%s", name);
    if (image_load(path, o, out, &e) < 0)
        fail_msg("%s", e.text);
}

/* Binary PPM. */
static inline UNUSED void golden_ppm(const char *name, struct image *out)
{
    size_t len;
    char path[256];
    snprintf(path, sizeof path, "decoded/%s", name);
    char *bytes = golden_read(path, &len);
    int at = 0;
    assert_int_equal(sscanf(bytes, "P6 %u %u 255%n", &out->width, &out->height, &at), 2);
    size_t n = (size_t)out->width * out->height * 3;
    assert_int_equal(len, (size_t)at + 1 + n);
    out->pixels = malloc(n);
    assert_non_null(out->pixels);
    memcpy(out->pixels, bytes + at + 1, n);
    free(bytes);
}

static inline UNUSED const char *golden_text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    assert_non_null(s);
    return s;
}

static inline UNUSED size_t golden_number(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    assert_true(json_is_integer(v));
    return (size_t)json_integer_value(v);
}

#endif
