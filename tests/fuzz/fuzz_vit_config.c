/* Any bytes as a config.json: refused as bad input, or a transformer whose sizes fit together and can be counted. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/model/vit_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_config(const struct vit_config *c)
{
    struct err e = { 0 };
    if (vit_config_check(c, &e) < 0 || vit_grid(c, c->image) < 1 || c->mlp < 1 || c->layers > 1000 || c->eps < 0)
        abort();
    AUTO(params_destroy) struct params *p = params_create(&e);
    struct vit_weights slots = { .blocks = calloc((size_t)c->layers, sizeof(struct vit_block)) };
    if (!p || !slots.blocks)
        abort();
    params_root(p, "vision_model.");
    vit_want(p, c, (struct vit_extent){ c->layers, true }, &slots);
    if (params_elements(p) < c->layers * c->width * c->width)
        abort();
    free(slots.blocks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct vit_config c;
    AUTO(hf_config_free) struct hf_config file = { 0 };
    int rc = hf_config_parse((const char *)data, size, "config.json", &file, &e);
    if (rc == 0 && (rc = vit_config_read(&file, &c, &e)) == 0)
        check_config(&c);
    if (rc < 0 && (e.kind != ERR_INPUT || !strstr(e.text, "config.json")))
        abort();
    return 0;
}
