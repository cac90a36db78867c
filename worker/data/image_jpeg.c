/* JPEG through libjpeg-turbo, with the settings that Pillow uses (its defaults: slow integer DCT, fancy upsampling). */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "worker/data/image_codec.h"

/* A progressive JPEG may repeat scans at the cost of a few bytes each, and each passes over the whole picture. */
#define MAX_SCANS 200

struct job {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr bytes;
    struct jpeg_progress_mgr progress;
    jmp_buf stop;
    const struct image_source *source;
    struct image *out;
    uint8_t *row; /* one line of CMYK */
};

/* ---- what libjpeg calls -------------------------------------------------------------------------------------------
 */

static _Noreturn void on_error(j_common_ptr jpeg)
{
    struct job *j = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    bool memory = jpeg->err->msg_code == JERR_OUT_OF_MEMORY;
    FAIL(j->source->e, memory ? ERR_ENV : ERR_INPUT, "%s: not a JPEG that can be read: %s%s", j->source->name, text,
         memory ? "" : "; replace the file or convert it");
    longjmp(j->stop, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level; /* damage within the data: Pillow goes on in silence too */
}

static void on_scan(j_common_ptr jpeg)
{
    struct job *j = jpeg->client_data;
    if (j->jpeg.input_scan_number <= MAX_SCANS)
        return;
    FAIL(j->source->e, ERR_INPUT, "%s: a JPEG of more than %d scans; it is made to cost time: replace it",
         j->source->name, MAX_SCANS);
    longjmp(j->stop, 1);
}

static void no_start(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

static boolean on_end_of_bytes(j_decompress_ptr jpeg)
{
    struct job *j = jpeg->client_data;
    image_truncated(j->source, "JPEG");
    longjmp(j->stop, 1);
}

static void on_skip(j_decompress_ptr jpeg, long n)
{
    if (n > 0 && (size_t)n > jpeg->src->bytes_in_buffer)
        on_end_of_bytes(jpeg);
    if (n > 0) {
        jpeg->src->next_input_byte += n;
        jpeg->src->bytes_in_buffer -= (size_t)n;
    }
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

/* Each 8 x 8 block of the largest component takes a bit at the very least; arithmetic coding has no such bound. */
static uint64_t least_bytes(const struct jpeg_decompress_struct *jpeg)
{
    uint64_t most = 0;
    for (int i = 0; i < jpeg->num_components && !jpeg->arith_code; i++) {
        uint64_t blocks = (uint64_t)jpeg->comp_info[i].width_in_blocks * jpeg->comp_info[i].height_in_blocks;
        most = blocks > most ? blocks : most;
    }
    return most / 8;
}

static void set_colours(struct job *j)
{
    struct jpeg_decompress_struct *jpeg = &j->jpeg;
    switch (jpeg->num_components) {
    case 1:
    case 3:
        jpeg->out_color_space = JCS_RGB;
        return;
    case 4:
        jpeg->out_color_space = JCS_CMYK;
        return;
    }
    FAIL(j->source->e, ERR_INPUT, "%s: a JPEG of %d colour components; convert it to grey, RGB or CMYK",
         j->source->name, jpeg->num_components);
    longjmp(j->stop, 1);
}

/* a * b / 255, rounded, as Pillow's MULDIV255 does it. */
static unsigned scaled(unsigned a, unsigned b)
{
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* Adobe's convention, which Pillow assumes for every CMYK JPEG: the file holds 255 - ink. */
static void cmyk_to_rgb(const uint8_t *in, uint8_t *out, size_t width)
{
    for (size_t i = 0; i < width; i++, in += 4, out += 3) {
        unsigned white = in[3];
        for (int c = 0; c < 3; c++)
            out[c] = (uint8_t)(white - scaled(255u - in[c], white));
    }
}

static void read_rows(struct job *j)
{
    size_t stride = (size_t)j->out->width * 3;
    bool cmyk = j->jpeg.out_color_space == JCS_CMYK;
    if (cmyk)
        j->row = (*j->jpeg.mem->alloc_large)((j_common_ptr)&j->jpeg, JPOOL_IMAGE, (size_t)j->out->width * 4);
    while (j->jpeg.output_scanline < j->jpeg.output_height) {
        uint8_t *to = j->out->pixels + j->jpeg.output_scanline * stride;
        JSAMPROW row = cmyk ? j->row : to;
        jpeg_read_scanlines(&j->jpeg, &row, 1);
        if (cmyk)
            cmyk_to_rgb(row, to, j->out->width);
    }
}

static void set_up(struct job *j)
{
    j->jpeg.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = on_error;
    j->errors.emit_message = on_message;
    j->jpeg.client_data = j;
    jpeg_create_decompress(&j->jpeg);
    j->progress.progress_monitor = on_scan;
    j->jpeg.progress = &j->progress;
    j->bytes = (struct jpeg_source_mgr){ .next_input_byte = j->source->bytes,
                                         .bytes_in_buffer = j->source->len,
                                         .init_source = no_start,
                                         .fill_input_buffer = on_end_of_bytes,
                                         .skip_input_data = on_skip,
                                         .resync_to_restart = jpeg_resync_to_restart,
                                         .term_source = no_start };
    j->jpeg.src = &j->bytes;
}

static int read_jpeg(struct job *j)
{
    if (setjmp(j->stop))
        return -1;
    set_up(j);
    jpeg_read_header(&j->jpeg, TRUE);
    set_colours(j);
    TRY(image_claim(j->source, j->jpeg.image_width, j->jpeg.image_height, least_bytes(&j->jpeg), j->out));
    jpeg_start_decompress(&j->jpeg);
    read_rows(j);
    jpeg_finish_decompress(&j->jpeg);
    return 0;
}

int image_read_jpeg(const struct image_source *s, struct image *out)
{
    struct job j = { .source = s, .out = out };
    int rc = read_jpeg(&j);
    jpeg_destroy_decompress(&j.jpeg);
    return rc;
}
