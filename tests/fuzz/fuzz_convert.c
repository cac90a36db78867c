/* Any bytes as a published file of each family: refused with its name, or records whose questions' pictures stay below
 * their directory. No picture is written: where they would go is no directory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/benchmark/convert_map.h"
#include "worker/benchmark/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const json_t *v)
{
    const char *path = json_string_value(v);
    if (!path || strncmp(path, "images/", 7) != 0 || strstr(path, "/../") || strcmp(path + strlen(path) - 1, "/") == 0)
        abort();
}

static void check_question(const json_t *q)
{
    const json_t *image = json_object_get(q, "image");
    for (size_t i = 0; i < json_array_size(image); i++)
        check_path(json_array_get(image, i));
    if (image && !json_is_array(image))
        check_path(image);
}

static int convert_all(struct conversion *c, struct records *r, struct err *e)
{
    json_t *record;
    int rc;
    while ((rc = records_next(r, &record, e)) > 0) {
        AUTO(json_decref) json_t *question = json_object();
        rc = convert_record(c, record, question, e);
        json_decref(record);
        if (rc < 0)
            return err_wrap(e, "%s", records_place(r));
        check_question(question);
    }
    return rc;
}

static void convert_as(enum benchmark_kind kind, const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct convert_options o = { .family = benchmark_family_at(kind) };
    struct conversion c = { .o = &o, .pictures = { .beside = "/dev/null", .below = "images" } };
    AUTO(records_close) struct records *r = records_from((const char *)data, size, "fuzz", &e);
    if (!r || convert_all(&c, r, &e) < 0)
        if ((e.kind != ERR_INPUT && e.kind != ERR_ENV) || strncmp(e.text, "fuzz", 4) != 0)
            abort();
    convert_pictures_free(&c.pictures);
    map_free(&c.seen);
    arena_free(&c.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int kind = 0; kind < BENCHMARK_FAMILIES; kind++)
        convert_as((enum benchmark_kind)kind, data, size);
    return 0;
}
