/* PNG through libpng, reading no more of it than pixels need: profiles, texts and unknown chunks are passed over. */
#include <setjmp.h>
#include <string.h>

#include <png.h>

#include "worker/data/image_codec.h"

#define DEFLATE_MOST 1032 /* bytes that one byte of a deflate stream can become */

struct job {
    png_structp png;
    png_infop info;
    const struct image_source *source;
    struct image *out;
    size_t at;     /* in the source */
    uint8_t *wide; /* 16-bit grey, before it is clipped */
    png_bytepp rows;
};

/* ---- what libpng calls --------------------------------------------------------------------------------------------
 */

static _Noreturn void on_error(png_structp png, png_const_charp text)
{
    struct job *j = png_get_error_ptr(png);
    FAIL(j->source->e, ERR_INPUT, "%s: not a PNG that can be read: %s; replace the file", j->source->name, text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    struct job *j = png_get_io_ptr(png);
    if (n > j->source->len - j->at) {
        image_truncated(j->source, "PNG");
        png_longjmp(png, 1);
    }
    memcpy(to, j->source->bytes + j->at, n);
    j->at += n;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

static int set_up(struct job *j)
{
    static const png_byte unused[] = "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0"
                                     "sRGB\0sTER\0tEXt\0tIME\0tRNS\0zTXt";
    j->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, j, on_error, on_warning);
    j->info = j->png ? png_create_info_struct(j->png) : NULL;
    if (!j->info)
        return FAIL_NOMEM(j->source->e);
    png_set_read_fn(j->png, j, on_read);
    png_set_user_limits(j->png, IMAGE_MAX_EDGE, IMAGE_MAX_EDGE);
    png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
    png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER, unused, (int)(sizeof unused / 5));
    return 0;
}

/* Have libpng deliver 8-bit RGB, or 16-bit grey as it is: Pillow clips that, no transformation of libpng's does. */
static bool set_colours(struct job *j)
{
    int colour = png_get_color_type(j->png, j->info), depth = png_get_bit_depth(j->png, j->info);
    if (colour == PNG_COLOR_TYPE_GRAY && depth == 16)
        return true;
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(j->png);
    if (colour == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(j->png);
    if (depth == 16)
        png_set_strip_16(j->png);
    if (colour & PNG_COLOR_MASK_ALPHA)
        png_set_strip_alpha(j->png);
    if (!(colour & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(j->png);
    return false;
}

static int claim(struct job *j)
{
    uint64_t width = png_get_image_width(j->png, j->info), height = png_get_image_height(j->png, j->info);
    uint64_t bits = (uint64_t)png_get_bit_depth(j->png, j->info) * png_get_channels(j->png, j->info);
    return image_claim(j->source, width, height, width * height / 8 * bits / DEFLATE_MOST, j->out);
}

static int make_rows(struct job *j, bool wide)
{
    size_t stride = (size_t)j->out->width * (wide ? 2 : 3);
    if (wide && !(j->wide = calloc(j->out->height, stride)))
        return FAIL_NOMEM(j->source->e);
    if (!(j->rows = calloc(j->out->height, sizeof *j->rows)))
        return FAIL_NOMEM(j->source->e);
    for (size_t y = 0; y < j->out->height; y++)
        j->rows[y] = (wide ? j->wide : j->out->pixels) + y * stride;
    return 0;
}

static void clip(struct job *j)
{
    uint8_t *to = j->out->pixels;
    size_t n = (size_t)j->out->width * j->out->height;
    for (size_t i = 0; i < n; i++, to += 3)
        memset(to, j->wide[2 * i] ? 255 : j->wide[2 * i + 1], 3);
}

static int read_png(struct job *j)
{
    if (setjmp(png_jmpbuf(j->png)))
        return -1;
    png_read_info(j->png, j->info);
    TRY(claim(j));
    bool wide = set_colours(j);
    png_set_interlace_handling(j->png);
    png_read_update_info(j->png, j->info);
    if (png_get_rowbytes(j->png, j->info) != (size_t)j->out->width * (wide ? 2 : 3))
        return FAIL(j->source->e, ERR_BUG, "%s: libpng gives rows of %zu bytes", j->source->name,
                    png_get_rowbytes(j->png, j->info));
    TRY(make_rows(j, wide));
    png_read_image(j->png, j->rows);
    if (wide)
        clip(j);
    return 0;
}

/* Before libpng looks, whose own words for a size it does not like are "Invalid IHDR data". */
static int check_header(const struct image_source *s)
{
    uint32_t edge[2] = { 0 };
    if (s->len < 8 + 8 + 13 || memcmp(s->bytes + 12, "IHDR", 4) != 0)
        return 0;
    for (int i = 0; i < 8; i++)
        edge[i / 4] = edge[i / 4] << 8 | s->bytes[16 + i];
    return image_check_size(s, edge[0], edge[1]);
}

int image_read_png(const struct image_source *s, struct image *out)
{
    TRY(check_header(s));
    struct job j = { .source = s, .out = out };
    int rc = set_up(&j) < 0 ? -1 : read_png(&j);
    png_destroy_read_struct(&j.png, &j.info, NULL);
    free(j.wide);
    free(j.rows);
    return rc;
}
