/* vlm_peer DIR: write a small multimodal model there as this program writes them, and beside it, in
 * DIR/expected.safetensors, what it computes, for tests/e2e/torch_peer.py to compare with. */
#include <stdio.h>

#include "worker/model/vlm.h"

static int put(struct st_writer *w, const char *name, struct tensor *x, bool data, struct err *e)
{
    int64_t dims[4];
    for (int i = 0; i < th_rank(x); i++)
        dims[i] = th_size(x, i);
    TRY(th_check(e));
    if (data)
        return st_writer_put(w, name, th_data(x), (size_t)th_bytes(x), e);
    return st_writer_declare(w, name, th_dtype_of(x), dims, th_rank(x), e);
}

static int write_expected(const struct vlm *v, const char *dir, struct err *e)
{
    TH_SCOPE(s);
    char path[4096];
    snprintf(path, sizeof path, "%s/expected.safetensors", dir);
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(path, e);
    struct tensor *ids = th_reshape(th_arange(3, 33, 1, TH_I64, TH_CPU), TH_DIMS(2, 15));
    struct tensor *x = th_cos(th_reshape(th_arange(0, 60, 1, TH_F32, TH_CPU), TH_DIMS(10, 6)));
    struct tensor *logits =
        llama_logits(v->llama, llama_forward(v->llama, llama_embed(v->llama, ids), (struct llama_pass){ 0 }));
    struct tensor *list[] = { ids, logits, x, connector_forward(v->connector, x) };
    static const char *const names[] = { "ids", "logits", "x", "y" };
    if (!w)
        return -1;
    for (int data = 0; data < 2; data++)
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            TRY(put(w, names[i], list[i], data, e));
    return st_writer_commit(w, e);
}

static int run(const char *dir, struct err *e)
{
    struct llama_options lo = LLAMA_DEFAULTS;
    struct connector_options co = CONNECTOR_DEFAULTS;
    struct llama *m = llama_open(SOURCE_DIR "/tests/golden/llama/linear", &lo, e);
    AUTO(vlm_destroy) struct vlm *v = m ? vlm_join(m, connector_create(6, 32, &co, 5, e), e) : NULL;
    struct vlm_about a = { .vision_tower = "clip", .select_layer = -2 };
    if (!v)
        return -1;
    TRY(vlm_save(v, dir, &a, TH_F32, e));
    return write_expected(v, dir, e);
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    if (!th_available())
        return 77;
    th_set_threads(1);
    if (argc == 2 && run(argv[1], &e) == 0)
        return 0;
    fprintf(stderr, "vlm_peer: %s\n", argc == 2 ? e.text : "name a directory");
    return 1;
}
