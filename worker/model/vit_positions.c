/* Learned positions for another grid than the trained one, as the reference implementations stretch them. */
#include "worker/model/vit_impl.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {
    [VIT_POS_OWN] = "own",
    [VIT_POS_OFFSET] = "offset0.1",
    [VIT_POS_SIZE] = "size",
    [VIT_POS_ANTIALIAS] = "antialias",
};

const char *vit_positions_name(enum vit_positions p)
{
    return names[p];
}

int vit_positions_parse(const char *name, enum vit_positions *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum vit_positions)i;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "'%.40s' is no way to stretch positions; there are own, offset0.1, size and antialias",
                name);
}

static enum vit_positions own(const struct vit_config *c)
{
    return c->family == VIT_DINOV2             ? VIT_POS_OFFSET
           : c->family == VIT_DINOV2_REGISTERS ? VIT_POS_ANTIALIAS
                                               : VIT_POS_SIZE;
}

static struct th_resize_to target(enum vit_positions how, int64_t trained, int64_t h, int64_t w)
{
    struct th_resize_to to = { .mode = TH_BICUBIC, .h = h, .w = w, .antialias = how == VIT_POS_ANTIALIAS };
    if (how == VIT_POS_OFFSET) {
        to.scale_h = ((double)h + 0.1) / (double)trained;
        to.scale_w = ((double)w + 0.1) / (double)trained;
    }
    return to;
}

/* patches (1,S,D) of a trained x trained grid -> (1,h*w,D) */
static struct tensor *stretch(struct tensor *patches, int64_t trained, struct th_resize_to to)
{
    TH_SCOPE(s);
    struct tensor *map = th_reshape(patches, TH_DIMS(1, trained, trained, th_size(patches, 2)));
    map = th_to(th_permute(map, TH_DIMS(0, 3, 1, 2)), TH_F32); /* (1,D,S,S) */
    map = th_flatten(th_resize(map, to), 2, 3);                /* (1,D,h*w) */
    return th_return(&s, th_to_like(th_transpose(map, 1, 2), patches));
}

struct tensor *vit_positions_for(const struct vit_config *c, enum vit_positions how, struct tensor *positions,
                                 int64_t h, int64_t w, bool square)
{
    TH_SCOPE(s);
    int64_t trained = vit_grid(c, c->image), first = c->class_token;
    struct tensor *all = th_reshape(positions, TH_DIMS(1, -1, c->width)); /* (1,S,D), S with the class token's */
    if (h * w == trained * trained && square)
        return th_return(&s, all);
    struct th_resize_to to = target(how == VIT_POS_OWN ? own(c) : how, trained, h, w);
    struct tensor *patches = stretch(th_slice(all, 1, first, INT64_MAX), trained, to); /* (1,h*w,D) */
    if (!first)
        return th_return(&s, patches);
    return th_return(&s, th_cat(TH_LIST(th_slice(all, 1, 0, first), patches), 1)); /* (1,1+h*w,D) */
}
