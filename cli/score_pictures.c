#include "cli/score_pictures.h"

#include <string.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/file.h"
#include "report/gallery.h"
#include "worker/score/c_album.h"

#define PAGE_MOST ((size_t)64 << 20)
#define NAMES_MOST ((size_t)1 << 16)

bool score_pictures_is_page(const char *path)
{
    size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".html") == 0;
}

/* ---- which representations --------------------------------------------------------------------------------------- */

static uint32_t mask_of(const struct c_options *o, const json_t *members)
{
    uint32_t mask = 0;
    size_t i;
    json_t *name;
    json_array_foreach(members, i, name)
    {
        for (size_t k = 0; k < o->n_members; k++)
            if (strcmp(o->members[k].name, json_string_value(name)) == 0)
                mask |= UINT32_C(1) << k;
    }
    return mask;
}

/* PCK at the alpha that counts: the first. */
static double pck_of(const struct c_options *o, const json_t *entry)
{
    char name[16];
    return json_number_value(json_object_get(json_object_get(entry, "pck"), c_alpha_name(o->setting.alphas[0], name)));
}

static bool has(const uint32_t *masks, size_t n, uint32_t mask)
{
    for (size_t i = 0; i < n; i++)
        if (masks[i] == mask)
            return true;
    return false;
}

/* The best that is not there yet; 0 when all are. */
static uint32_t next_best(const struct c_options *o, const json_t *scores, const uint32_t *masks, size_t n)
{
    double best = -1;
    uint32_t found = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(scores, i, entry)
    {
        uint32_t mask = mask_of(o, json_object_get(entry, "members"));
        if (pck_of(o, entry) > best && !has(masks, n, mask)) {
            best = pck_of(o, entry);
            found = mask;
        }
    }
    return found;
}

static size_t choose(const struct c_options *o, const json_t *scores, uint32_t masks[GALLERY_COLUMNS_MAX])
{
    size_t n = 0, smallest = json_array_size(json_object_get(json_array_get(scores, 0), "members")), i;
    json_t *entry;
    json_array_foreach(scores, i, entry)
    {
        const json_t *members = json_object_get(entry, "members");
        if (json_array_size(members) == smallest && n < GALLERY_SMALL_MAX)
            masks[n++] = mask_of(o, members);
    }
    for (size_t k = 0; k < GALLERY_BEST_MAX && (masks[n] = next_best(o, scores, masks, n)); k++)
        n++;
    return n;
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

/* "features/clip" and "features/dino" are clip + dino. */
static void join_members(const json_t *album, struct buf *out)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(album, "members"), i, name)
    {
        const char *text = json_string_value(name), *slash = strrchr(text, '/');
        buf_printf(out, "%s%s", i ? " + " : "", slash && slash[1] ? slash + 1 : text);
    }
}

struct page {
    struct gallery gallery;
    struct pictures *pictures[GALLERY_COLUMNS_MAX];
    struct thumbnails *thumbnails;
    struct buf names[GALLERY_COLUMNS_MAX];
};

static void page_free_cleanup(struct page *p)
{
    for (size_t i = 0; i < GALLERY_COLUMNS_MAX; i++) {
        pictures_free(p->pictures[i]);
        buf_free(&p->names[i]);
    }
    thumbnails_free(p->thumbnails);
}

static int add_column(struct page *p, const json_t *album, struct err *e)
{
    size_t k = p->gallery.n;
    AUTO(free) char *text = json_dumps(album, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (!text)
        return FAIL_NOMEM(e);
    p->names[k] = BUF_INIT(NAMES_MOST);
    join_members(album, &p->names[k]);
    TRY(buf_check(&p->names[k], "the names", e));
    p->pictures[k] = pictures_parse(text, strlen(text), "pictures", e);
    if (!p->pictures[k])
        return -1;
    p->gallery.names[k] = buf_text(&p->names[k]);
    p->gallery.pictures[k] = p->pictures[k];
    p->gallery.n++;
    return 0;
}

static int fill_page(struct page *p, const json_t *albums, struct err *e)
{
    size_t i;
    json_t *album;
    json_array_foreach(json_object_get(albums, "albums"), i, album)
    {
        TRY(add_column(p, album, e));
    }
    AUTO(free) char *text = json_dumps(json_object_get(albums, "thumbnails"), JSON_COMPACT);
    if (!text)
        return FAIL_NOMEM(e);
    p->thumbnails = thumbnails_parse(text, strlen(text), "thumbnails", e);
    p->gallery.thumbnails = (const struct thumbnails *const *)&p->thumbnails;
    p->gallery.n_thumbnails = 1;
    return p->thumbnails ? 0 : -1;
}

static int write_page(const struct c_options *o, const json_t *scores, const char *path, const char *const *pairs,
                      size_t n_pairs, struct err *e)
{
    uint32_t masks[GALLERY_COLUMNS_MAX + 1] = { 0 };
    struct c_options own = *o;
    AUTO(page_free) struct page p = { 0 };
    AUTO(buf_free) struct buf out = BUF_INIT(PAGE_MOST);
    own.all = false;
    own.subsets = masks;
    own.n_subsets = choose(o, scores, masks);
    AUTO(json_decref) json_t *albums = c_album_of(&own, n_pairs ? pairs : NULL, n_pairs ? n_pairs : C_ALBUM_PAIRS, e);
    if (!albums)
        return -1;
    TRY(fill_page(&p, albums, e));
    gallery_page(&p.gallery, "Correspondence pictures", &out);
    TRY(buf_check(&out, path, e));
    return file_replace(path, buf_text(&out), out.len, e);
}

static int write_json(const struct c_options *o, const char *path, const char *const *pairs, size_t n_pairs,
                      struct err *e)
{
    AUTO(json_decref) json_t *pictures = c_score_pictures(o, pairs, n_pairs, e);
    AUTO(free) char *text = pictures ? json_dumps(pictures, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (!text)
        return FAIL_NOMEM(e);
    return file_replace(path, text, strlen(text), e);
}

int score_pictures_write(const struct c_options *o, const json_t *scores, const char *path, const char *const *pairs,
                         size_t n_pairs, struct err *e)
{
    return score_pictures_is_page(path) ? write_page(o, scores, path, pairs, n_pairs, e)
                                        : write_json(o, path, pairs, n_pairs, e);
}
