#include "world/art.h"

#include <limits.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H

#include "world/world_options.h"

#define CODES_MOST 1024

_Static_assert(ART_FONTS == WORLD_FONTS, "the emoji, then a font for each typeface");

struct art {
    FT_Library library;
    FT_Face faces[ART_FONTS];
    char digests[ART_FONTS][DIGEST_HEX_SIZE];
    struct sprite *sprites[CODES_MOST];
    size_t n;
};

const char *art_font_name(size_t i)
{
    return world_fonts[i].file;
}

const char *art_font_digest(const struct art *a, size_t i)
{
    return a->digests[i];
}

void mask_free(struct mask *m)
{
    free(m->alpha);
    *m = (struct mask){ 0 };
}

/* ---- opening --------------------------------------------------------------------------------------------------------
 */

static bool font_find(const char *dir, size_t i, char path[PATH_MAX])
{
    if (dir)
        return snprintf(path, PATH_MAX, "%s/%s", dir, world_fonts[i].file) < PATH_MAX && access(path, R_OK) == 0;
    snprintf(path, PATH_MAX, WORLD_FONTS_DIR "/%s/%s", world_fonts[i].dir, world_fonts[i].file);
    return access(path, R_OK) == 0;
}

static int font_open(struct art *a, const char *dir, size_t i, struct err *e)
{
    char path[PATH_MAX];
    uint64_t bytes;
    if (!font_find(dir, i, path))
        return FAIL(e, ERR_ENV, "the font %s is not in %s; install it: apt-get install %s", world_fonts[i].file,
                    dir ? dir : "/usr/share/fonts", world_fonts[i].package);
    TRY(digest_file(path, a->digests[i], &bytes, e));
    if (FT_New_Face(a->library, path, 0, &a->faces[i]) != 0)
        return FAIL(e, ERR_ENV, "%s: FreeType cannot read the font; install it again: apt-get install --reinstall %s",
                    path, world_fonts[i].package);
    return 0;
}

static int open_all(struct art *a, const char *dir, struct err *e)
{
    if (FT_Init_FreeType(&a->library) != 0)
        return FAIL(e, ERR_ENV, "FreeType cannot be started");
    for (size_t i = 0; i < ART_FONTS; i++)
        TRY(font_open(a, dir, i, e));
    if (!FT_HAS_COLOR(a->faces[0]) || a->faces[0]->num_fixed_sizes < 1 || FT_Select_Size(a->faces[0], 0) != 0)
        return FAIL(e, ERR_ENV, "%s has no bitmaps in colour; Debian's %s has", world_fonts[0].file,
                    world_fonts[0].package);
    return 0;
}

struct art *art_open(const char *dir, struct err *e)
{
    AUTO(art_close) struct art *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return open_all(a, dir, e) < 0 ? NULL : TAKE(a);
}

void art_close(struct art *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++) {
        free(a->sprites[i]->rgba);
        free(a->sprites[i]);
    }
    for (size_t i = 0; i < ART_FONTS; i++)
        if (a->faces[i])
            FT_Done_Face(a->faces[i]);
    if (a->library)
        FT_Done_FreeType(a->library);
    free(a);
}

/* ---- sprites --------------------------------------------------------------------------------------------------------
 */

struct bounds {
    int left, top, right, bottom; /* right and bottom are outside */
};

/* Where the bitmap has ink; no ink at all is an empty rectangle. */
static struct bounds ink_of(const FT_Bitmap *b, int bytes_per_pixel)
{
    struct bounds k = { (int)b->width, (int)b->rows, 0, 0 };
    for (int y = 0; y < (int)b->rows; y++)
        for (int x = 0; x < (int)b->width; x++) {
            if (!b->buffer[y * b->pitch + (x + 1) * bytes_per_pixel - 1])
                continue;
            k.left = x < k.left ? x : k.left;
            k.top = y < k.top ? y : k.top;
            k.right = x >= k.right ? x + 1 : k.right;
            k.bottom = y + 1;
        }
    return k;
}

/* FreeType gives blue, green, red, alpha. */
static int copy_ink(const FT_Bitmap *b, struct sprite *s)
{
    struct bounds k = ink_of(b, 4);
    if (k.left >= k.right)
        return -1;
    *s = (struct sprite){ s->code, k.right - k.left, k.bottom - k.top, k.left, k.top, NULL, "" };
    s->rgba = malloc((size_t)s->width * (size_t)s->height * 4);
    if (!s->rgba)
        return -1;
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++) {
            const uint8_t *from = b->buffer + (y + k.top) * b->pitch + (x + k.left) * 4;
            uint8_t *to = s->rgba + ((size_t)y * (size_t)s->width + (size_t)x) * 4;
            to[0] = from[2], to[1] = from[1], to[2] = from[0], to[3] = from[3];
        }
    char hex[DIGEST_HEX_SIZE];
    digest_bytes(s->rgba, (size_t)s->width * (size_t)s->height * 4, hex);
    memcpy(s->hash, hex, sizeof s->hash - 1);
    return 0;
}

static int load_sprite(struct art *a, uint32_t code, struct sprite *s, struct err *e)
{
    FT_Face face = a->faces[0];
    FT_UInt glyph = FT_Get_Char_Index(face, code);
    s->code = code;
    if (!glyph || FT_Load_Glyph(face, glyph, FT_LOAD_COLOR) != 0 ||
        face->glyph->bitmap.pixel_mode != FT_PIXEL_MODE_BGRA || copy_ink(&face->glyph->bitmap, s) < 0)
        return FAIL(e, ERR_ENV, "%s has no drawing of U+%04X; Debian 12's %s has", world_fonts[0].file, code,
                    world_fonts[0].package);
    return 0;
}

const struct sprite *art_sprite(struct art *a, uint32_t code, struct err *e)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->sprites[i]->code == code)
            return a->sprites[i];
    struct sprite *s = a->n < CODES_MOST ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (load_sprite(a, code, s, e) < 0) {
        free(s);
        return NULL;
    }
    return a->sprites[a->n++] = s;
}

/* ---- text -----------------------------------------------------------------------------------------------------------
 */

/* Put a glyph's coverage on the line; what overlaps is as opaque as the more opaque of the two. */
static void put_glyph(const FT_GlyphSlot g, struct mask *line, int pen, int baseline)
{
    for (int y = 0; y < (int)g->bitmap.rows; y++)
        for (int x = 0; x < (int)g->bitmap.width; x++) {
            int at_x = pen + g->bitmap_left + x, at_y = baseline - g->bitmap_top + y;
            if (at_x < 0 || at_y < 0 || at_x >= line->width || at_y >= line->height)
                continue;
            uint8_t *to = &line->alpha[at_y * line->width + at_x], from = g->bitmap.buffer[y * g->bitmap.pitch + x];
            *to = from > *to ? from : *to;
        }
}

static int crop(const struct mask *line, struct mask *out)
{
    FT_Bitmap whole = {
        .rows = (unsigned)line->height, .width = (unsigned)line->width, .pitch = line->width, .buffer = line->alpha
    };
    struct bounds k = ink_of(&whole, 1);
    if (k.left >= k.right)
        return -1;
    out->width = k.right - k.left;
    out->height = k.bottom - k.top;
    out->alpha = malloc((size_t)out->width * (size_t)out->height);
    for (int y = 0; out->alpha && y < out->height; y++)
        memcpy(out->alpha + y * out->width, line->alpha + (y + k.top) * line->width + k.left, (size_t)out->width);
    return out->alpha ? 0 : -1;
}

int art_text(struct art *a, enum typeface typeface, const char *text, int size, struct mask *out, struct err *e)
{
    FT_Face face = a->faces[1 + typeface];
    int pen = size, baseline = 2 * size; /* room on all sides */
    AUTO(mask_free) struct mask line = { ((int)strlen(text) + 2) * size, 3 * size, NULL };
    line.alpha = calloc((size_t)line.width, (size_t)line.height);
    if (!line.alpha)
        return FAIL_NOMEM(e);
    if (FT_Set_Pixel_Sizes(face, 0, (FT_UInt)size) != 0)
        return FAIL(e, ERR_ENV, "%s has no size of %d pixels", world_fonts[1 + typeface].file, size);
    for (const char *p = text; *p; p++) {
        /* Unhinted: hinting differs between versions of FreeType. */
        if (FT_Load_Char(face, (unsigned char)*p, FT_LOAD_RENDER | FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP) != 0)
            return FAIL(e, ERR_ENV, "%s has no letter '%c'", world_fonts[1 + typeface].file, *p);
        put_glyph(face->glyph, &line, pen, baseline);
        pen += (int)((face->glyph->advance.x + 32) >> 6);
    }
    return crop(&line, out) < 0 ? FAIL(e, ERR_ENV, "%s: '%s' has no ink", world_fonts[1 + typeface].file, text) : 0;
}
