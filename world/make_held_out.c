/* The same scenes drawn by several artists, to ask of each what is in the picture: held-out/emoji, drawn as everything
 * that was learned from; held-out/clipart; held-out/font, where a font was given. The difference between them is what a
 * name owes to the drawing. */
#include <string.h>

#include "world/ask.h"
#include "world/clipart.h"
#include "world/making.h"

/* Number `i`: each concept that there is clip art of comes round in its turn, each letter as often as another. */
static int ask_held_out(const struct making *m, size_t i, struct random *r, struct item *it, struct err *e)
{
    const struct concept *c = concept_of_code(clipart_at(i % clipart_count())->code);
    if (!c)
        return FAIL(e, ERR_BUG, "there is clip art of what is no concept");
    *it = (struct item){ .pictured = true, .n = 1 };
    *r = random_for(m->sizes.seed, "held-out", i);
    scene_begin(&it->scene, r);
    ask_name(it, c, r, i % ASKED_OPTIONS);
    it->asked[0].category = "held-out name";
    return 0;
}

static int make_by(struct making *m, enum artist by, struct err *e)
{
    char path[80], dir[64];
    snprintf(dir, sizeof dir, "held-out/%s/images", artist_name(by));
    snprintf(path, sizeof path, "held-out/%s/questions.jsonl", artist_name(by));
    TRY(making_dir(m, dir, e));
    AUTO(fclose) FILE *f = making_open(m, path, e);
    for (size_t i = 0; f && i < m->sizes.questions; i++) {
        char file[96], id[24];
        struct item it;
        struct random r;
        AUTO(image_free) struct image im = { 0 };
        TRY(ask_held_out(m, i, &r, &it, e));
        if (by == OTHER_FONT && !art_has(m->art, by, it.scene.things[0].code))
            continue; /* it may lack some */
        it.scene.by = by;
        snprintf(id, sizeof id, "%zu", i);
        snprintf(file, sizeof file, "%s/%05zu.png", dir, i);
        TRY(scene_draw(&it.scene, m->art, m->sizes.edge, &r, &im, e));
        TRY(making_picture(m, file, &im, e));
        TRY(making_question(f, benchmark_family_at(SEED), id, NULL, strstr(file, "images/"), &it.asked[0], e));
    }
    return f ? making_close(m, &f, path, e) : -1;
}

int make_held_out(struct making *m, struct err *e)
{
    TRY(make_by(m, EMOJI, e));
    TRY(make_by(m, CLIPART, e));
    return art_other_digest(m->art) ? make_by(m, OTHER_FONT, e) : 0;
}
