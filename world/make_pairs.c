/* Pictures in pairs with key points that correspond, in SPair-71k's layout:
 *   correspondence/warp   one drawing put down twice in different ways; the points are corners of it, exact
 *   correspondence/parts  two drawings of a kind (a fox and a bear); the points are parts that people named */
#include <string.h>

#include "world/canvas.h"
#include "world/making.h"
#include "world/points.h"
#include "world/scene.h"

#define SPLIT "test"
#define VIEWS 6 /* pictures of each annotated drawing */

/* A picture of a set: one sprite and its points. */
struct view {
    char name[32]; /* of its file, without .png */
    const char *category;
    struct box box;
    struct point points[POINTS_MOST]; /* in the picture, in 1/100 pixel; x = NO_POINT: none */
};

struct set {
    struct making *m;
    const char *dir; /* "correspondence/warp" */
    FILE *layout;
    size_t pairs;
};

/* ---- drawing --------------------------------------------------------------------------------------------------------
 */

/* How far a drawing may be moved. Much, because else the place in the picture would tell the point. */
struct freedom {
    int degrees; /* of turning, to each side */
    bool mirror;
};

static struct pose any_pose(struct random *r, const struct sprite *s, int edge, const struct freedom *far)
{
    int longer = s->width > s->height ? s->width : s->height, thousandths = random_between(r, 450, 860);
    int size = thousandths * edge * 16 / 1000, play = (1080 - thousandths) * edge * 8 / 1000;
    struct pose p = { .x = edge * 8 + random_between(r, -play, play),
                      .y = edge * 8 + random_between(r, -play, play),
                      .degrees = random_between(r, -far->degrees, far->degrees),
                      .shear = random_between(r, -20, 20),
                      .mirrored = random_chance(r, 50) && far->mirror };
    p.width = size * s->width / longer * random_between(r, 80, 120) / 100;
    p.height = size * s->height / longer * random_between(r, 80, 120) / 100;
    return p;
}

/* Points that left the picture are no points; the box holds all others. */
static void move_points(struct view *v, const struct affine *m, const struct point *points, size_t n, int edge)
{
    for (size_t i = 0; i < POINTS_MOST; i++)
        v->points[i] = (struct point){ NO_POINT, NO_POINT };
    for (size_t i = 0; i < n; i++) {
        int64_t x, y;
        if (points[i].x < 0)
            continue;
        affine_apply(m, (int64_t)points[i].x * FIX + FIX / 2, (int64_t)points[i].y * FIX + FIX / 2, &x, &y);
        if (x < 0 || y < 0 || x >= (int64_t)edge * FIX || y >= (int64_t)edge * FIX)
            continue;
        v->points[i] = (struct point){ (int)(x * 100 / FIX), (int)(y * 100 / FIX) };
        int px = (int)(x / FIX), py = (int)(y / FIX);
        v->box.left = px < v->box.left ? px : v->box.left;
        v->box.top = py < v->box.top ? py : v->box.top;
        v->box.right = px + 1 > v->box.right ? px + 1 : v->box.right;
        v->box.bottom = py + 1 > v->box.bottom ? py + 1 : v->box.bottom;
    }
}

static json_t *box_json(const struct box *b)
{
    return json_pack("[i, i, i, i]", b->left, b->top, b->right, b->bottom);
}

static json_t *point_json(const struct point *p)
{
    return p->x < 0 ? json_null() : json_pack("[f, f]", p->x / 100.0, p->y / 100.0);
}

static int write_annotation(const struct set *s, const struct view *v, int edge, struct err *e)
{
    char path[160], file[48], key[8];
    json_t *points = json_object();
    for (int i = 0; i < POINTS_MOST; i++) {
        snprintf(key, sizeof key, "%d", i);
        json_object_set_new(points, key, point_json(&v->points[i]));
    }
    snprintf(file, sizeof file, "%s.png", v->name);
    snprintf(path, sizeof path, "%s/ImageAnnotation/%s/%s.json", s->dir, v->category, v->name);
    AUTO(fclose) FILE *f = making_open(s->m, path, e);
    if (!f)
        return json_decref(points), -1;
    TRY(making_put(f,
                   json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:o}", "filename", file, "category", v->category,
                             "image_width", edge, "image_height", edge, "image_depth", 3, "bndbox", box_json(&v->box),
                             "kps", points),
                   "\n", e));
    return making_close(s->m, &f, path, e);
}

static int make_view(const struct set *s, const struct sprite *sprite, const struct point *points, size_t n,
                     const struct freedom *far, struct random *r, struct view *v, struct err *e)
{
    int edge = (int)s->m->sizes.pair_edge;
    char path[160];
    AUTO(image_free) struct image im = { 0 };
    struct pose p = any_pose(r, sprite, edge, far);
    struct affine m = affine_of_pose(&p, sprite);
    TRY(image_create((uint32_t)edge, (uint32_t)edge, &im, e));
    canvas_background(&im, background_at(random_below(r, BACKGROUNDS)), r);
    canvas_sprite(&im, sprite, &m, &v->box);
    move_points(v, &m, points, n, edge);
    snprintf(path, sizeof path, "%s/JPEGImages/%s", s->dir, v->category);
    TRY(making_dir(s->m, path, e));
    snprintf(path, sizeof path, "%s/ImageAnnotation/%s", s->dir, v->category);
    TRY(making_dir(s->m, path, e));
    snprintf(path, sizeof path, "%s/JPEGImages/%s/%s.png", s->dir, v->category, v->name);
    TRY(making_picture(s->m, path, &im, e));
    return write_annotation(s, v, edge, e);
}

/* ---- pairs ----------------------------------------------------------------------------------------------------------
 */

static bool in_common(const struct view *a, const struct view *b)
{
    for (int i = 0; i < POINTS_MOST; i++)
        if (a->points[i].x >= 0 && b->points[i].x >= 0)
            return true;
    return false;
}

static json_t *pair_json(const struct view *a, const struct view *b, const char *name, int edge)
{
    char source[48], target[48];
    json_t *ids = json_array(), *of_source = json_array(), *of_target = json_array();
    for (int i = 0; i < POINTS_MOST; i++)
        if (a->points[i].x >= 0 && b->points[i].x >= 0) {
            char key[8];
            snprintf(key, sizeof key, "%d", i);
            json_array_append_new(ids, json_string(key));
            json_array_append_new(of_source, point_json(&a->points[i]));
            json_array_append_new(of_target, point_json(&b->points[i]));
        }
    snprintf(source, sizeof source, "%s.png", a->name);
    snprintf(target, sizeof target, "%s.png", b->name);
    return json_pack("{s:s, s:s, s:s, s:s, s:[i, i, i], s:[i, i, i], s:o, s:o, s:o, s:o, s:o}", "filename", name,
                     "category", a->category, "src_imname", source, "trg_imname", target, "src_imsize", edge, edge, 3,
                     "trg_imsize", edge, edge, 3, "src_bndbox", box_json(&a->box), "trg_bndbox", box_json(&b->box),
                     "kps_ids", ids, "src_kps", of_source, "trg_kps", of_target);
}

static int write_pair(struct set *s, const struct view *a, const struct view *b, struct err *e)
{
    char path[256], name[128];
    snprintf(name, sizeof name, "%06zu-%s-%s:%s", s->pairs++, a->name, b->name, a->category);
    snprintf(path, sizeof path, "%s/PairAnnotation/" SPLIT "/%s.json", s->dir, name);
    AUTO(fclose) FILE *f = making_open(s->m, path, e);
    if (!f)
        return -1;
    TRY(making_put(f, pair_json(a, b, name, (int)s->m->sizes.pair_edge), "\n", e));
    fprintf(s->layout, "%s\n", name);
    return making_close(s->m, &f, path, e);
}

static int set_begin(struct set *s, struct err *e)
{
    char path[160];
    snprintf(path, sizeof path, "%s/PairAnnotation/" SPLIT, s->dir);
    TRY(making_dir(s->m, path, e));
    snprintf(path, sizeof path, "%s/Layout/large", s->dir);
    TRY(making_dir(s->m, path, e));
    snprintf(path, sizeof path, "%s/Layout/large/" SPLIT ".txt", s->dir);
    s->layout = making_open(s->m, path, e);
    return s->layout ? 0 : -1;
}

static int set_end(struct set *s, struct err *e)
{
    return making_close(s->m, &s->layout, s->dir, e);
}

/* ---- warp -----------------------------------------------------------------------------------------------------------
 */

/* A category's name is a directory's: without blanks. */
static const char *directory_name(enum group g, char out[32])
{
    snprintf(out, 32, "%s", group_facts(g)->name);
    for (char *p = out; *p; p++)
        *p = *p == ' ' ? '_' : *p;
    return out;
}

/* Two pictures of a concept, and the pairs both ways. */
static int warp_concept(struct set *s, size_t i, struct err *e)
{
    const struct concept *c = concept_at(i % concept_count());
    struct random r = random_for(s->m->sizes.seed, "warp", i);
    struct point corners[CORNERS_MOST];
    struct view views[2];
    char category[32];
    const struct sprite *sprite = art_sprite(s->m->art, c->code, e);
    if (!sprite)
        return -1;
    size_t n = points_corners(sprite, corners);
    for (size_t k = 0; k < 2; k++) {
        views[k].category = directory_name(c->group, category);
        snprintf(views[k].name, sizeof views[k].name, "%05zu_%zu", i, k);
        TRY(make_view(s, sprite, corners, n, &(struct freedom){ 15, false }, &r, &views[k], e));
    }
    for (size_t k = 0; k < 2 && s->pairs < s->m->sizes.pairs && in_common(&views[0], &views[1]); k++)
        TRY(write_pair(s, &views[k], &views[!k], e));
    return 0;
}

int make_warps(struct making *m, struct err *e)
{
    struct set s = { .m = m, .dir = "correspondence/warp" };
    TRY(set_begin(&s, e));
    int rc = 0;
    for (size_t i = 0; rc == 0 && s.pairs < m->sizes.pairs; i++)
        rc = warp_concept(&s, i, e);
    return set_end(&s, rc == 0 ? e : NULL) < 0 ? -1 : rc;
}

/* ---- parts ----------------------------------------------------------------------------------------------------------
 */

/* The annotated points in the pixels of the sprite, which lacks the bitmap's border. */
static void points_of(const struct annotated *d, const struct sprite *s, struct point out[POINTS_MOST])
{
    for (size_t i = 0; i < POINTS_MOST; i++)
        out[i] = d->at[i].x > 0 ? (struct point){ d->at[i].x - s->left, d->at[i].y - s->top }
                                : (struct point){ NO_POINT, NO_POINT };
}

/* The drawing as it was annotated; *sprite is NULL where the font has another one. */
static int find_annotated(struct making *m, const struct annotated *d, const struct sprite **sprite, struct err *e)
{
    *sprite = art_sprite(m->art, d->code, e);
    if (!*sprite)
        return -1;
    if (strcmp((*sprite)->hash, d->hash) == 0)
        return 0;
    fprintf(stderr,
            "U+%04X: this version of the font draws it in another way, so it is left out of correspondence/parts\n",
            d->code);
    *sprite = NULL;
    return 0;
}

/* VIEWS pictures of each drawing, one drawing's after the other's; how many drawings, or -1. */
static int make_part_views(struct set *s, const struct part_category *c, struct view *views, struct err *e)
{
    int n = 0;
    for (size_t i = 0; i < c->n; i++) {
        const struct annotated *d = &c->drawings[i];
        const struct sprite *sprite;
        struct point points[POINTS_MOST];
        TRY(find_annotated(s->m, d, &sprite, e));
        for (size_t k = 0; sprite && k < VIEWS; k++) {
            struct random r = random_for(s->m->sizes.seed, c->name, i * VIEWS + k);
            struct view *v = &views[(size_t)n * VIEWS + k];
            points_of(d, sprite, points);
            v->category = c->name;
            snprintf(v->name, sizeof v->name, "%04x_%zu", d->code, k);
            TRY(make_view(s, sprite, points, POINTS_MOST, &(struct freedom){ 12, c->mirror }, &r, v, e));
        }
        n += sprite != NULL;
    }
    return n;
}

/* Pairs of different drawings; each is the source as often as any other. */
static int make_category(struct set *s, const struct part_category *c, size_t n_pairs, struct err *e)
{
    struct random r = random_for(s->m->sizes.seed, "pairs", n_pairs);
    AUTO(free) struct view *views = calloc(c->n * VIEWS, sizeof *views);
    if (!views)
        return FAIL_NOMEM(e);
    int drawings = make_part_views(s, c, views, e);
    if (drawings < 2)
        return drawings < 0 ? -1
                            : FAIL(e, ERR_ENV,
                                   "the font has hardly a drawing of those whose parts are known; Debian "
                                   "12's fonts-noto-color-emoji has them all");
    for (size_t i = 0, done = 0; done < n_pairs; i++) {
        size_t n = (size_t)drawings, one = i % n, other = (one + 1 + random_below(&r, (uint32_t)n - 1)) % n;
        const struct view *a = &views[one * VIEWS + random_below(&r, VIEWS)];
        const struct view *b = &views[other * VIEWS + random_below(&r, VIEWS)];
        if (!in_common(a, b))
            continue;
        TRY(write_pair(s, a, b, e));
        done++;
    }
    return 0;
}

int make_parts(struct making *m, struct err *e)
{
    struct set s = { .m = m, .dir = "correspondence/parts" };
    size_t n = part_category_count();
    TRY(set_begin(&s, e));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = make_category(&s, part_category_at(i), m->sizes.pairs * (i + 1) / n - m->sizes.pairs * i / n, e);
    return set_end(&s, rc == 0 ? e : NULL) < 0 ? -1 : rc;
}
