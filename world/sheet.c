/* A picture for people: every concept once, then scenes of every kind. */
#include <string.h>

#include "worker/data/png_write.h"
#include "world/ask.h"
#include "world/making.h"

#define TILE 66 /* 64 and a border */
#define COLUMNS 20
#define SCENES_EACH 10 /* of the eight families and of captions: two rows of families each line */

static void put_tile(struct image *sheet, const struct image *tile, size_t k)
{
    size_t left = k % COLUMNS * TILE + 1, top = k / COLUMNS * TILE + 1;
    for (size_t y = 0; y < tile->height; y++)
        memcpy(sheet->pixels + ((top + y) * sheet->width + left) * 3, tile->pixels + y * tile->width * 3,
               tile->width * 3);
}

static int put_scene(struct image *sheet, struct art *a, const struct scene *s, struct random *r, size_t k, struct err *e)
{
    AUTO(image_free) struct image tile = { 0 };
    TRY(scene_draw(s, a, TILE - 2, r, &tile, e));
    put_tile(sheet, &tile, k);
    return 0;
}

int make_contact_sheet(struct art *a, uint64_t seed, const char *path, struct err *e)
{
    AUTO(image_free) struct image sheet = { 0 };
    size_t n = concept_count(), k = (n + COLUMNS - 1) / COLUMNS * COLUMNS;
    size_t scenes = (BENCHMARK_FAMILIES + 2) * SCENES_EACH;
    struct random r = random_for(seed, "sheet", 0);
    TRY(image_create(COLUMNS * TILE, (uint32_t)((k + scenes + COLUMNS - 1) / COLUMNS * TILE), &sheet, e));
    for (size_t i = 0; i < n; i++) {
        struct scene s;
        scene_begin(&s, &r);
        scene_add(&s, concept_at(i));
        scene_lay_out(&s, &r, ALONE, NULL);
        s.things[0].size = 860;
        TRY(put_scene(&sheet, a, &s, &r, i, e));
    }
    for (size_t i = 0; i < scenes; i++) {
        struct item it;
        if (i / SCENES_EACH < BENCHMARK_FAMILIES)
            ask((enum benchmark_kind)(i / SCENES_EACH), &r, i % SCENES_EACH, &it);
        else
            scene_common(&it.scene, &r);
        TRY(put_scene(&sheet, a, &it.scene, &r, k + i, e));
    }
    return png_write(path, &sheet, e);
}
