#include "worker/data/png_write.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

#define FILE_MOST ((size_t)1 << 30)

struct job {
    png_structp png;
    png_infop info;
    struct buf *to;
    struct err *e;
};

static _Noreturn void on_error(png_structp png, png_const_charp text)
{
    struct job *j = png_get_error_ptr(png);
    FAIL(j->e, ERR_ENV, "the PNG cannot be written: %s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_write(png_structp png, png_bytep bytes, size_t n)
{
    struct job *j = png_get_io_ptr(png);
    buf_add(j->to, bytes, n);
}

static void on_flush(png_structp png)
{
    (void)png;
}

static int write_all(struct job *j, const struct image *im, int level)
{
    if (setjmp(png_jmpbuf(j->png)))
        return -1;
    png_set_write_fn(j->png, j, on_write, on_flush);
    png_set_compression_level(j->png, level);
    png_set_user_limits(j->png, IMAGE_MAX_EDGE, IMAGE_MAX_EDGE);
    png_set_IHDR(j->png, j->info, im->width, im->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(j->png, j->info);
    for (size_t y = 0; y < im->height; y++)
        png_write_row(j->png, im->pixels + y * im->width * 3);
    png_write_end(j->png, NULL);
    return buf_check(j->to, "a PNG", j->e);
}

int png_encode(const struct image *im, int level, struct buf *to, struct err *e)
{
    struct err why = { 0 };
    struct job j = { .to = to, .e = e ? e : &why };
    j.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
    j.info = j.png ? png_create_info_struct(j.png) : NULL;
    int rc = j.info ? write_all(&j, im, level) : FAIL_NOMEM(e);
    png_destroy_write_struct(&j.png, &j.info);
    return rc;
}

static int write_file(const char *path, const struct buf *b, struct err *e)
{
    FILE *f = fopen(path, "wbe");
    if (!f)
        return FAIL(e, ERR_ENV, "%s: cannot create: %s", path, strerror(errno));
    bool written = fwrite(b->data, 1, b->len, f) == b->len;
    if (fclose(f) != 0 || !written)
        return FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    return 0;
}

int png_write(const char *path, const struct image *im, struct err *e)
{
    char aside[PATH_MAX];
    AUTO(buf_free) struct buf b = BUF_INIT(FILE_MOST);
    if (snprintf(aside, sizeof aside, "%s.%d.part", path, (int)getpid()) >= (int)sizeof aside)
        return FAIL(e, ERR_ENV, "the path is too long: %.80s...", path);
    TRY(png_encode(im, PNG_SMALL, &b, e));
    int rc = write_file(aside, &b, e);
    if (rc == 0 && rename(aside, path) < 0)
        rc = FAIL(e, ERR_ENV, "%s: cannot create: %s", path, strerror(errno));
    if (rc < 0)
        unlink(aside);
    return rc;
}
