/* Any bytes as a config.json: refused as bad input, or a decoder whose sizes fit together and can be counted, and which
 * says the same again when it is written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/model/llama_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sizes(const struct llama_config *c)
{
    struct err e = { 0 };
    AUTO(params_destroy) struct params *p = params_create(&e);
    struct llama_weights slots = { .blocks = calloc((size_t)c->layers, sizeof *slots.blocks) };
    if (!p || !slots.blocks)
        abort();
    llama_want(p, c, &slots);
    if (params_elements(p) < c->layers * c->width * c->mlp || c->heads % c->kv_heads || c->head_dim % 2)
        abort();
    free(slots.blocks);
}

static void check_again(const struct llama_config *c)
{
    struct err e = { 0 };
    struct llama_config again;
    struct hf_config file = { .root = llama_config_json(c), .place = "again" };
    file.object = file.root;
    if (!file.root || llama_config_read(&file, &again, &e) < 0 || memcmp(c, &again, sizeof again) != 0)
        abort();
    hf_config_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct llama_config c;
    AUTO(hf_config_free) struct hf_config file = { 0 };
    int rc = hf_config_parse((const char *)data, size, "config.json", &file, &e);
    if (rc == 0 && (rc = llama_config_read(&file, &c, &e)) == 0) {
        check_sizes(&c);
        check_again(&c);
    }
    if (rc < 0 && (e.kind != ERR_INPUT || !strstr(e.text, "config.json")))
        abort();
    return 0;
}
