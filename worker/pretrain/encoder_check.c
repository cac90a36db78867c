/* What an encoder is good for before anything is put on top of it, and how it wants its pictures. */
#include <stdio.h>

#include "worker/pretrain/encoder_impl.h"

/* ---- preprocessor_config.json -------------------------------------------------------------------------------------
 */

static const struct {
    const char *processor;
    bool crops;
    double mean[3], std[3];
} families[] = {
    [VIT_CLIP] = { "CLIPImageProcessor",
                   true,
                   { 0.48145466, 0.4578275, 0.40821073 },
                   { 0.26862954, 0.26130258, 0.27577711 } },
    [VIT_SIGLIP] = { "SiglipImageProcessor", false, { 0.5, 0.5, 0.5 }, { 0.5, 0.5, 0.5 } },
    [VIT_DINOV2] = { "BitImageProcessor", true, { 0.485, 0.456, 0.406 }, { 0.229, 0.224, 0.225 } },
};

json_t *encoder_preprocessor(enum vit_family f, int64_t resolution)
{
    const double *m = families[f].mean, *s = families[f].std;
    json_int_t r = resolution;
    json_t *j = json_pack("{s:s, s:b, s:i, s:b, s:f, s:b, s:[f,f,f], s:[f,f,f], s:b}", "image_processor_type",
                          families[f].processor, "do_resize", 1, "resample", RESAMPLE_BICUBIC, "do_rescale", 1,
                          "rescale_factor", 1.0 / 255, "do_normalize", 1, "image_mean", m[0], m[1], m[2], "image_std",
                          s[0], s[1], s[2], "do_convert_rgb", 1);
    json_t *edges = json_pack("{s:I, s:I}", "height", r, "width", r);
    int rc = families[f].crops
                 ? json_object_set_new(j, "size", json_pack("{s:I}", "shortest_edge", r)) |
                       json_object_set_new(j, "do_center_crop", json_true()) | json_object_set(j, "crop_size", edges)
                 : json_object_set(j, "size", edges);
    json_decref(edges);
    if (rc == 0)
        return j;
    json_decref(j);
    return NULL;
}

/* ---- zero shot ------------------------------------------------------------------------------------------------------
 */

/* (1,D): the picture as the encoder will be given it in use. */
static struct tensor *embed_picture(const struct zero_shot *z, const struct image *im, struct err *e)
{
    uint32_t w, h;
    preprocess_output(z->preprocess, &w, &h);
    struct tensor *pixels = th_empty(TH_DIMS(1, 3, h, w), TH_F32, TH_CPU);
    float *chw = th_data(pixels);
    if (!chw || preprocess_apply(z->preprocess, im, chw, e) < 0)
        return NULL;
    return contrast_pictures(z->heads, vit_forward(z->vit, pixels));
}

/* How many names are nearer than the right one; -1 on error. */
static int64_t rank_of(const struct zero_shot *z, const struct pair *p, struct tensor *names, struct err *e)
{
    TH_SCOPE(s);
    struct tensor *picture = embed_picture(z, &p->picture, e);
    struct tensor *near =
        picture ? th_reshape(th_matmul(names, th_transpose(picture, 0, 1)), TH_DIMS(-1)) : NULL; /* (C) */
    double own = near ? th_item(th_select(near, 0, p->concepts.v[0])) : 0;
    int64_t before = near ? th_item_i64(th_sum(th_to(th_gt_s(near, own), TH_I64), TH_SCALAR_DIMS, false)) : 0;
    return th_check(e) < 0 || !picture ? -1 : before;
}

json_t *zero_shot_measure(const struct zero_shot *z, struct err *e)
{
    TH_SCOPE(s);
    struct tensor *names = contrast_texts(z->heads, z->vocabulary->spelled, z->vocabulary->concepts.n);
    int64_t n = 0, first = 0, five = 0;
    for (size_t i = 0; i < z->pairs->n; i++) {
        if (z->pairs->v[i].concepts.n != 1)
            continue;
        int64_t rank = rank_of(z, &z->pairs->v[i], names, e);
        if (rank < 0)
            return NULL;
        n++;
        first += rank < 1;
        five += rank < 5;
    }
    if (n == 0)
        return FAIL_NULL(e, ERR_INPUT,
                         "--validation: no picture there has exactly one concept that the training has too");
    double top1 = (double)first / (double)n, top5 = (double)five / (double)n;
    fprintf(stderr, "zero-shot: the right one of %zu names for %.1f %% of %lld pictures, among five for %.1f %%\n",
            z->vocabulary->concepts.n, 100 * top1, (long long)n, 100 * top5);
    json_t *j = json_pack("{s:I, s:f, s:f}", "n", (json_int_t)n, "top1", top1, "top5", top5);
    return j ? j : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}
