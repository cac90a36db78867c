/* A picture for people: every concept once, the clip art, scenes of every kind, the drawings whose parts are named. */
#include <string.h>

#include "worker/data/png_write.h"
#include "world/ask.h"
#include "world/clipart.h"
#include "world/making.h"
#include "world/points.h"

#define TILE 66 /* 64 and a border */
#define COLUMNS 20
#define SCENES_EACH 10 /* of each of the eight families, and twice as many of captions */

static size_t in_rows(size_t tiles)
{
    return (tiles + COLUMNS - 1) / COLUMNS;
}

static void put_tile(struct image *sheet, const struct image *tile, size_t k)
{
    size_t left = k % COLUMNS * TILE + 1, top = k / COLUMNS * TILE + 1;
    for (size_t y = 0; y < tile->height; y++)
        memcpy(sheet->pixels + ((top + y) * sheet->width + left) * 3, tile->pixels + y * tile->width * 3,
               tile->width * 3);
}

static int put_scene(struct image *sheet, struct art *a, const struct scene *s, struct random *r, size_t k,
                     struct err *e)
{
    AUTO(image_free) struct image tile = { 0 };
    TRY(scene_draw(s, a, TILE - 2, r, &tile, e));
    put_tile(sheet, &tile, k);
    return 0;
}

/* A drawing with its parts, for whoever checks the table. */
static int put_parts(struct image *sheet, struct art *a, const struct annotated *d, size_t top, size_t k, struct err *e)
{
    AUTO(image_free) struct image tile = { 0 };
    const struct sprite *s = art_sprite(a, d->code, e);
    const int edge = 2 * TILE - 2, bitmap = 136;
    if (!s || image_create((uint32_t)edge, (uint32_t)edge, &tile, e) < 0)
        return -1;
    memset(tile.pixels, 235, (size_t)edge * (size_t)edge * 3);
    struct affine m = { .a = (int64_t)FIX * edge / bitmap, .d = (int64_t)FIX * edge / bitmap };
    m.tx = m.a * s->left, m.ty = m.d * s->top;
    canvas_sprite(&tile, s, &m, NULL);
    for (int i = 0; i < POINTS_MOST; i++)
        if (d->at[i].x > 0) {
            int x = d->at[i].x * edge / bitmap, y = d->at[i].y * edge / bitmap;
            canvas_dot(&tile, x, y, 2, (struct rgb){ 255, 255, 255 });
            canvas_dot(&tile, x, y, 1, colour_rgb((enum colour)(RED + i)));
        }
    size_t columns = COLUMNS / 2, left = k % columns * 2 * TILE + 1;
    top += k / columns * 2 * TILE + 1;
    for (int y = 0; y < edge; y++)
        memcpy(sheet->pixels + ((top + (size_t)y) * sheet->width + left) * 3,
               tile.pixels + (size_t)y * (size_t)edge * 3, (size_t)edge * 3);
    return 0;
}

static size_t count_annotated(void)
{
    size_t n = 0;
    for (size_t i = 0; i < part_category_count(); i++)
        n += part_category_at(i)->n;
    return n;
}

static int put_all_parts(struct image *sheet, struct art *a, size_t top, struct err *e)
{
    size_t k = 0;
    for (size_t i = 0; i < part_category_count(); i++)
        for (size_t j = 0; j < part_category_at(i)->n; j++)
            TRY(put_parts(sheet, a, &part_category_at(i)->drawings[j], top, k++, e));
    return 0;
}

/* One thing, upright. */
static int put_alone(struct image *sheet, struct art *a, enum artist by, const struct concept *c, struct random *r,
                     size_t k, struct err *e)
{
    struct scene s;
    scene_begin(&s, r);
    s.by = by;
    scene_add(&s, c);
    scene_lay_out(&s, r, ALONE, NULL);
    s.things[0].size = 860;
    return put_scene(sheet, a, &s, r, k, e);
}

/* *k: the next free tile; afterwards the first of a new row. */
static int put_concepts(struct image *sheet, struct art *a, enum artist by, struct random *r, size_t *k, struct err *e)
{
    for (size_t i = 0; i < concept_count(); i++)
        if (by == EMOJI || art_has(a, by, concept_at(i)->code))
            TRY(put_alone(sheet, a, by, concept_at(i), r, (*k)++, e));
    *k = in_rows(*k) * COLUMNS;
    return 0;
}

int make_contact_sheet(struct art *a, uint64_t seed, const char *path, struct err *e)
{
    AUTO(image_free) struct image sheet = { 0 };
    size_t scenes = (BENCHMARK_FAMILIES + 2) * SCENES_EACH, k = 0;
    struct random r = random_for(seed, "sheet", 0);
    size_t parts = in_rows(concept_count()) + in_rows(clipart_count()) + in_rows(scenes);
    size_t rows = parts + 2 * ((count_annotated() + COLUMNS / 2 - 1) / (COLUMNS / 2));
    TRY(image_create(COLUMNS * TILE, (uint32_t)(rows * TILE), &sheet, e));
    TRY(put_concepts(&sheet, a, EMOJI, &r, &k, e));
    TRY(put_concepts(&sheet, a, CLIPART, &r, &k, e));
    for (size_t i = 0; i < scenes; i++) {
        struct item it;
        if (i / SCENES_EACH < BENCHMARK_FAMILIES)
            ask((enum benchmark_kind)(i / SCENES_EACH), &r, i % SCENES_EACH, &it);
        else
            scene_common(&it.scene, &r);
        TRY(put_scene(&sheet, a, &it.scene, &r, k + i, e));
    }
    TRY(put_all_parts(&sheet, a, parts * TILE, e));
    return png_write(path, &sheet, e);
}
