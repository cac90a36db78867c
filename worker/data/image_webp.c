/* WebP through libwebp: the first frame of an animation, without its alpha. */
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "worker/data/image_codec.h"

static int explain(const struct image_source *s, VP8StatusCode status)
{
    switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return FAIL_NOMEM(s->e);
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
        return image_truncated(s, "WebP");
    default:
        return FAIL(s->e, ERR_INPUT, "%s: not a WebP that can be read (libwebp says %d); replace the file", s->name,
                    (int)status);
    }
}

/* Decode one still picture to x, y of `out`, where its width x height pixels must fit. */
static int read_still(const struct image_source *s, const uint8_t *bytes, size_t len, size_t x, size_t y,
                      struct image *out)
{
    WebPDecoderConfig c;
    if (!WebPInitDecoderConfig(&c))
        return FAIL(s->e, ERR_ENV, "libwebp is of another version than the one this program was built with");
    VP8StatusCode status = WebPGetFeatures(bytes, len, &c.input);
    if (status != VP8_STATUS_OK)
        return explain(s, status);
    if ((size_t)c.input.width > out->width - x || (size_t)c.input.height > out->height - y)
        return FAIL(s->e, ERR_INPUT, "%s: a frame that does not fit on its canvas; replace the file", s->name);
    size_t stride = (size_t)out->width * 3;
    c.output.colorspace = MODE_RGB;
    c.output.is_external_memory = 1;
    c.output.u.RGBA.rgba = out->pixels + y * stride + x * 3;
    c.output.u.RGBA.stride = (int)stride;
    c.output.u.RGBA.size = out->height * stride - (y * stride + x * 3);
    status = WebPDecode(bytes, len, &c);
    return status == VP8_STATUS_OK ? 0 : explain(s, status);
}

/* The canvas around the first frame is black, as Pillow has it; the file's background colour is not used. */
static int read_first_frame(const struct image_source *s, struct image *out)
{
    WebPData data = { s->bytes, s->len };
    WebPDemuxState state;
    WebPDemuxer *demux = WebPDemuxPartial(&data, &state);
    WebPIterator frame;
    int rc = -1;
    if (state == WEBP_DEMUX_PARSE_ERROR || !demux)
        FAIL(s->e, ERR_INPUT, "%s: the frames of the WebP animation cannot be found; replace the file", s->name);
    else if (state != WEBP_DEMUX_DONE || !WebPDemuxGetFrame(demux, 1, &frame))
        image_truncated(s, "WebP");
    else {
        if (frame.x_offset >= (int)out->width || frame.y_offset >= (int)out->height)
            FAIL(s->e, ERR_INPUT, "%s: a frame that does not lie on its canvas; replace the file", s->name);
        else
            rc = read_still(s, frame.fragment.bytes, frame.fragment.size, (size_t)frame.x_offset,
                            (size_t)frame.y_offset, out);
        WebPDemuxReleaseIterator(&frame);
    }
    WebPDemuxDelete(demux);
    return rc;
}

int image_read_webp(const struct image_source *s, struct image *out)
{
    WebPBitstreamFeatures f;
    VP8StatusCode status = WebPGetFeatures(s->bytes, s->len, &f);
    if (status != VP8_STATUS_OK)
        return explain(s, status);
    TRY(image_claim(s, (uint64_t)f.width, (uint64_t)f.height, 0, out));
    return f.has_animation ? read_first_frame(s, out) : read_still(s, s->bytes, s->len, 0, 0, out);
}
