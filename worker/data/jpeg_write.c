#include "worker/data/jpeg_write.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

struct job {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf stop;
    unsigned char *bytes; /* libjpeg's, malloc'ed */
    unsigned long n;
    struct err *e;
};

static _Noreturn void on_error(j_common_ptr jpeg)
{
    struct job *j = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    FAIL(j->e, ERR_ENV, "the JPEG cannot be written: %s", text);
    longjmp(j->stop, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level;
}

static int write_all(struct job *j, const struct image *im, int quality)
{
    if (setjmp(j->stop))
        return -1;
    jpeg_create_compress(&j->jpeg);
    jpeg_mem_dest(&j->jpeg, &j->bytes, &j->n);
    j->jpeg.image_width = im->width;
    j->jpeg.image_height = im->height;
    j->jpeg.input_components = 3;
    j->jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&j->jpeg);
    jpeg_set_quality(&j->jpeg, quality, TRUE);
    j->jpeg.optimize_coding = TRUE;
    jpeg_start_compress(&j->jpeg, TRUE);
    while (j->jpeg.next_scanline < im->height) {
        JSAMPROW row = im->pixels + (size_t)j->jpeg.next_scanline * im->width * 3;
        jpeg_write_scanlines(&j->jpeg, &row, 1);
    }
    jpeg_finish_compress(&j->jpeg);
    return 0;
}

int jpeg_encode(const struct image *im, int quality, struct buf *to, struct err *e)
{
    struct job j = { .e = e };
    j.jpeg.err = jpeg_std_error(&j.errors);
    j.errors.error_exit = on_error;
    j.errors.emit_message = on_message;
    j.jpeg.client_data = &j;
    int rc = write_all(&j, im, quality);
    jpeg_destroy_compress(&j.jpeg);
    if (rc == 0)
        buf_add(to, j.bytes, j.n);
    free(j.bytes);
    return rc < 0 ? rc : buf_check(to, "a JPEG", e);
}
