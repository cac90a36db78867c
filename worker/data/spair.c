#include "worker/data/spair.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/map.h"
#include "worker/data/json_text.h"
#include "worker/data/spair_file.h"

#define FILE_MOST ((size_t)1 << 20)
#define PAIRS_MOST ((size_t)10000000)

struct loader {
    struct spair *s;
    const char *dir, *split;
    char **files; /* of the split, sorted */
    size_t n_files;
    struct spair_pair *pairs;
    struct map images;     /* path -> struct spair_image */
    struct map categories; /* name -> its one copy */
    struct err *e;
};

void spair_destroy(struct spair *s)
{
    if (!s)
        return;
    arena_free(&s->memory);
    free(s);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- the list of pairs --------------------------------------------------------------------------------------------
 */

static bool is_json(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".json") == 0;
}

static int list_files(struct loader *l)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/PairAnnotation/%s", l->dir, l->split) >= (int)sizeof path)
        return FAIL(l->e, ERR_INPUT, "%.200s...: the path is too long", l->dir);
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, NULL);
    if (n < 0)
        return FAIL(
            l->e, ERR_INPUT,
            "%s: cannot open: %s; an SPair-71k directory has PairAnnotation/{trn,val,test}, ImageAnnotation and "
            "JPEGImages",
            path, strerror(errno));
    l->files = arena_array(&l->s->memory, (size_t)n + 1, sizeof *l->files);
    bool full = !l->files;
    for (int i = 0; i < n; free(entries[i++]))
        if (!full && is_json(entries[i]->d_name)) {
            l->files[l->n_files] = arena_text(&l->s->memory, entries[i]->d_name);
            full = !l->files[l->n_files++];
        }
    free(entries);
    if (full)
        return FAIL_NOMEM(l->e);
    if (l->n_files == 0 || l->n_files > PAIRS_MOST)
        return FAIL(l->e, ERR_INPUT, "%s: %zu pairs; a .json file for each is wanted here, at most %zu", path,
                    l->n_files, PAIRS_MOST);
    qsort(l->files, l->n_files, sizeof *l->files, by_text);
    return 0;
}

/* ---- one pair -----------------------------------------------------------------------------------------------------
 */

static int read_annotation(struct loader *l, const char *category, const char *file, struct spair_image *im)
{
    char path[PATH_MAX];
    const char *dot = strrchr(file, '.');
    int stem = dot ? (int)(dot - file) : (int)strlen(file);
    if (snprintf(path, sizeof path, "%s/ImageAnnotation/%s/%.*s.json", l->dir, category, stem, file) >=
        (int)sizeof path)
        return FAIL(l->e, ERR_INPUT, "%.200s...: the path is too long", l->dir);
    AUTO(free) char *text = NULL;
    size_t len;
    TRY(json_text_read(path, FILE_MOST, &text, &len, l->e));
    return spair_parse_image(text, len, path, im, l->e);
}

static int check_picture(struct loader *l, const char *relative)
{
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/%s", l->dir, relative) >= (int)sizeof path)
        return FAIL(l->e, ERR_INPUT, "%.200s...: the path is too long", l->dir);
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return FAIL(l->e, ERR_INPUT, "%s: no such picture", path);
    return 0;
}

static int find_image(struct loader *l, const char *category, const char *file, const struct spair_image **out)
{
    char path[sizeof "JPEGImages//" + 2 * NAME_MAX];
    snprintf(path, sizeof path, "JPEGImages/%s/%s", category, file);
    struct spair_image *im = map_get(&l->images, path, strlen(path));
    *out = im;
    if (im)
        return 0;
    TRY(check_picture(l, path));
    im = arena_alloc(&l->s->memory, sizeof *im);
    if (!im || !(im->path = arena_text(&l->s->memory, path)))
        return FAIL_NOMEM(l->e);
    im->category = category;
    TRY(read_annotation(l, category, file, im));
    *out = im;
    return map_put(&l->images, im->path, strlen(im->path), im, l->e);
}

static int find_category(struct loader *l, const char *name, const char **out)
{
    char *known = map_get(&l->categories, name, strlen(name));
    *out = known;
    if (known)
        return 0;
    if (!(known = arena_text(&l->s->memory, name)))
        return FAIL_NOMEM(l->e);
    *out = known;
    return map_put(&l->categories, known, strlen(known), known, l->e);
}

/* "<id>-<a>-<b>:<category>.json" must say the same category as its content. */
static int check_name(struct loader *l, const char *file, const char *category)
{
    const char *colon = strrchr(file, ':');
    size_t n = strlen(category);
    if (!colon || strncmp(colon + 1, category, n) != 0 || strcmp(colon + 1 + n, ".json") != 0)
        return FAIL(l->e, ERR_INPUT, "its name must end in ':%s.json', as its 'category' says", category);
    return 0;
}

static int read_pair(struct loader *l, const char *file, const char *path, struct spair_pair *p)
{
    struct spair_pair_file f = { 0 };
    AUTO(free) char *text = NULL;
    size_t len;
    TRY(json_text_read(path, FILE_MOST, &text, &len, l->e));
    TRY(spair_parse_pair(text, len, path, &f, l->e));
    if (check_name(l, file, f.category) < 0)
        return err_wrap(l->e, "%s", path);
    TRY(find_category(l, f.category, &p->category));
    p->name = arena_text_n(&l->s->memory, file, strlen(file) - strlen(".json"));
    if (!p->name)
        return FAIL_NOMEM(l->e);
    p->source = f.source;
    p->target = f.target;
    TRY(find_image(l, p->category, f.source_name, &p->source.image));
    TRY(find_image(l, p->category, f.target_name, &p->target.image));
    p->points = p->source.image->points & p->target.image->points;
    if (!p->points)
        return FAIL(l->e, ERR_INPUT, "%s: the two pictures have no key point in common; remove the pair", path);
    return 0;
}

static int read_pairs(struct loader *l)
{
    char path[PATH_MAX];
    l->pairs = arena_array(&l->s->memory, l->n_files, sizeof *l->pairs);
    if (!l->pairs)
        return FAIL_NOMEM(l->e);
    for (size_t i = 0; i < l->n_files; i++) {
        if (snprintf(path, sizeof path, "%s/PairAnnotation/%s/%s", l->dir, l->split, l->files[i]) >= (int)sizeof path)
            return FAIL(l->e, ERR_INPUT, "%.200s...: the path is too long", l->dir);
        TRY(read_pair(l, l->files[i], path, &l->pairs[i]));
    }
    return 0;
}

/* ---- order --------------------------------------------------------------------------------------------------------
 */

static int by_category(const void *a, const void *b)
{
    const struct spair_pair *x = a, *y = b;
    int c = strcmp(x->category, y->category);
    return c ? c : strcmp(x->name, y->name);
}

static int by_path(const void *a, const void *b)
{
    const struct spair_image *const *x = a, *const *y = b;
    return strcmp((*x)->path, (*y)->path);
}

static int finish(struct loader *l)
{
    struct spair *s = l->s;
    const struct spair_image **images = arena_array(&s->memory, l->images.n, sizeof *images), *im;
    struct spair_category *c = arena_array(&s->memory, l->categories.n, sizeof *c);
    if (!images || !c)
        return FAIL_NOMEM(l->e);
    for (size_t i = 0; (im = map_next(&l->images, &i));)
        images[s->n_images++] = im;
    qsort(images, s->n_images, sizeof *images, by_path);
    qsort(l->pairs, l->n_files, sizeof *l->pairs, by_category);
    for (size_t i = 0; i < l->n_files; i++) {
        if (i == 0 || l->pairs[i].category != l->pairs[i - 1].category)
            c[s->n_categories++] = (struct spair_category){ .name = l->pairs[i].category, .first = i };
        c[s->n_categories - 1].count++;
    }
    s->pairs = l->pairs;
    s->n_pairs = l->n_files;
    s->images = images;
    s->categories = c;
    return 0;
}

struct spair *spair_load(const char *dir, const char *split, struct err *e)
{
    AUTO(spair_destroy) struct spair *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (!split[0] || split[0] == '.' || strchr(split, '/'))
        return FAIL_NULL(e, ERR_INPUT, "the split '%.80s' must be a directory's name: trn, val or test", split);
    struct err why = { 0 };
    struct loader l = { .s = s, .dir = dir, .split = split, .e = &why };
    int rc = list_files(&l) < 0 || read_pairs(&l) < 0 || finish(&l) < 0 ? -1 : 0;
    map_free(&l.images);
    map_free(&l.categories);
    if (rc < 0)
        return FAIL_NULL(e, why.kind, "%s", why.text);
    return TAKE(s);
}
