#include "world/art.h"

#include <limits.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H

#include "world/clipart.h"
#include "world/world_options.h"

#define SPRITES_MOST 1024
#define OTHER_EDGE 128 /* pixels to the em of a font without bitmaps, about as large as the emoji */

_Static_assert(ART_FONTS == WORLD_FONTS, "the emoji, then a font for each typeface");

struct art {
    FT_Library library;
    FT_Face faces[ART_FONTS];
    char digests[ART_FONTS][DIGEST_HEX_SIZE];
    FT_Face other; /* NULL: none */
    char other_digest[DIGEST_HEX_SIZE];
    struct clipart *clipart; /* NULL until it is wanted */
    struct sprite *sprites[SPRITES_MOST];
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

const char *art_other_digest(const struct art *a)
{
    return a->other ? a->other_digest : NULL;
}

const char *artist_name(enum artist by)
{
    static const char *const names[ARTISTS] = { "emoji", "clipart", "font" };
    return names[by];
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

static int open_other(struct art *a, const char *path, struct err *e)
{
    uint64_t bytes;
    TRY(digest_file(path, a->other_digest, &bytes, e));
    if (FT_New_Face(a->library, path, 0, &a->other) != 0)
        return FAIL(e, ERR_INPUT, "%s: FreeType cannot read it; give a font, such as Symbola's .ttf", path);
    bool bitmaps = FT_HAS_COLOR(a->other) && a->other->num_fixed_sizes > 0;
    if ((bitmaps ? FT_Select_Size(a->other, 0) : FT_Set_Pixel_Sizes(a->other, 0, OTHER_EDGE)) != 0)
        return FAIL(e, ERR_INPUT, "%s: FreeType cannot draw it in a size that is wanted; give another font", path);
    return 0;
}

struct art *art_open(const char *dir, const char *other, struct err *e)
{
    AUTO(art_close) struct art *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (open_all(a, dir, e) < 0 || (other && open_other(a, other, e) < 0))
        return NULL;
    return TAKE(a);
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
    if (a->other)
        FT_Done_Face(a->other);
    clipart_close(a->clipart);
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

/* The sprite is what has ink in a bitmap of (.., .., 4) bytes; `order` says where its red, green, blue and alpha are.
 * 1: there is no ink. */
static int copy_ink(const FT_Bitmap *b, const int order[4], struct sprite *s, struct err *e)
{
    struct bounds k = ink_of(b, 4);
    if (k.left >= k.right)
        return 1;
    *s = (struct sprite){ s->by, s->code, k.right - k.left, k.bottom - k.top, k.left, k.top, NULL, "" };
    s->rgba = malloc((size_t)s->width * (size_t)s->height * 4);
    if (!s->rgba)
        return FAIL_NOMEM(e);
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++) {
            const uint8_t *from = b->buffer + (y + k.top) * b->pitch + (x + k.left) * 4;
            uint8_t *to = s->rgba + ((size_t)y * (size_t)s->width + (size_t)x) * 4;
            for (int i = 0; i < 4; i++)
                to[i] = from[order[i]];
        }
    char hex[DIGEST_HEX_SIZE];
    digest_bytes(s->rgba, (size_t)s->width * (size_t)s->height * 4, hex);
    memcpy(s->hash, hex, sizeof s->hash - 1);
    return 0;
}

static const int freetype_order[4] = { 2, 1, 0, 3 }, png_order[4] = { 0, 1, 2, 3 };

static int load_emoji(struct art *a, struct sprite *s, struct err *e)
{
    FT_Face face = a->faces[0];
    FT_UInt glyph = FT_Get_Char_Index(face, s->code);
    bool drawn = glyph && FT_Load_Glyph(face, glyph, FT_LOAD_COLOR) == 0 &&
                 face->glyph->bitmap.pixel_mode == FT_PIXEL_MODE_BGRA;
    int rc = drawn ? copy_ink(&face->glyph->bitmap, freetype_order, s, e) : 1;
    return rc <= 0 ? rc
                   : FAIL(e, ERR_ENV, "%s has no drawing of U+%04X; Debian 12's %s has", world_fonts[0].file, s->code,
                          world_fonts[0].package);
}

static FT_Bitmap bitmap_of(uint8_t *rgba, int width, int height)
{
    return (FT_Bitmap){ .rows = (unsigned)height, .width = (unsigned)width, .pitch = 4 * width, .buffer = rgba };
}

static int load_clipart(struct art *a, struct sprite *s, struct err *e)
{
    AUTO(free) uint8_t *rgba = NULL;
    int width, height;
    if (!a->clipart && !(a->clipart = clipart_open(e)))
        return -1;
    TRY(clipart_tile(a->clipart, s->code, &rgba, &width, &height, e));
    FT_Bitmap b = bitmap_of(rgba, width, height);
    int rc = copy_ink(&b, png_order, s, e);
    return rc <= 0 ? rc : FAIL(e, ERR_BUG, "the clip art of U+%04X is empty", s->code);
}

/* Lines without a colour of their own are drawn in dark ink. */
static int copy_lines(const FT_Bitmap *lines, struct sprite *s, struct err *e)
{
    static const int ink[3] = { 24, 20, 28 };
    int width = (int)lines->width, height = (int)lines->rows;
    AUTO(free) uint8_t *rgba = calloc((size_t)width * (size_t)height + 1, 4);
    if (!rgba)
        return FAIL_NOMEM(e);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t cover = lines->buffer[y * lines->pitch + x];
            uint8_t *to = rgba + ((size_t)y * (size_t)width + (size_t)x) * 4;
            for (int i = 0; i < 3; i++)
                to[i] = (uint8_t)(ink[i] * cover / 255);
            to[3] = cover;
        }
    FT_Bitmap b = bitmap_of(rgba, width, height);
    return copy_ink(&b, png_order, s, e);
}

/* Unhinted, as text is: hinting differs between versions of FreeType. */
static bool draw_other(FT_Face face, uint32_t code)
{
    int load = FT_LOAD_NO_HINTING | (FT_HAS_COLOR(face) ? FT_LOAD_COLOR : FT_LOAD_NO_BITMAP);
    FT_UInt glyph = FT_Get_Char_Index(face, code);
    if (!glyph || FT_Load_Glyph(face, glyph, load) != 0)
        return false;
    return face->glyph->format == FT_GLYPH_FORMAT_BITMAP || FT_Render_Glyph(face->glyph, FT_RENDER_MODE_NORMAL) == 0;
}

static int load_other(struct art *a, struct sprite *s, struct err *e)
{
    if (!a->other)
        return FAIL(e, ERR_BUG, "there is no held-out font");
    const FT_Bitmap *b = &a->other->glyph->bitmap; /* what was drawn last, also where nothing is drawn now */
    bool drawn = draw_other(a->other, s->code);
    int rc = 1;
    if (drawn && b->pixel_mode == FT_PIXEL_MODE_BGRA)
        rc = copy_ink(b, freetype_order, s, e);
    else if (drawn && b->pixel_mode == FT_PIXEL_MODE_GRAY)
        rc = copy_lines(b, s, e);
    return rc <= 0 ? rc
                   : FAIL(e, ERR_INPUT, "the held-out font, %s, has no drawing of U+%04X; give another font",
                          a->other->family_name ? a->other->family_name : "?", s->code);
}

static int load_sprite(struct art *a, struct sprite *s, struct err *e)
{
    switch (s->by) {
    case EMOJI:
        return load_emoji(a, s, e);
    case CLIPART:
        return load_clipart(a, s, e);
    case OTHER_FONT:
        return load_other(a, s, e);
    case ARTISTS:
        break;
    }
    return FAIL(e, ERR_BUG, "there is no artist %d", (int)s->by);
}

const struct sprite *art_drawing(struct art *a, enum artist by, uint32_t code, struct err *e)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->sprites[i]->code == code && a->sprites[i]->by == by)
            return a->sprites[i];
    struct sprite *s = a->n < SPRITES_MOST ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    s->by = by;
    s->code = code;
    if (load_sprite(a, s, e) < 0) {
        free(s);
        return NULL;
    }
    return a->sprites[a->n++] = s;
}

const struct sprite *art_sprite(struct art *a, uint32_t code, struct err *e)
{
    return art_drawing(a, EMOJI, code, e);
}

bool art_has(struct art *a, enum artist by, uint32_t code)
{
    struct err why = { 0 };
    if (by == OTHER_FONT) /* it may have a glyph, and that be empty */
        return a->other && art_drawing(a, by, code, &why);
    if (by == CLIPART)
        return clipart_has(code);
    return by == EMOJI && FT_Get_Char_Index(a->faces[0], code) != 0;
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
