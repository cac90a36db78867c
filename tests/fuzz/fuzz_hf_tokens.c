/* Any bytes as the small files beside a tokenizer: refused with the file's name, or settings that hold together. The
 * first byte chooses the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/text/hf_tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/acsweep-fuzz-hf-XXXXXX";

static void remove_dir(void)
{
    rmdir(dir);
}

static void check(const struct hf_tokens *t)
{
    for (size_t i = 0; i < t->added.n; i++) {
        const struct added_token *a = &t->added.v[i];
        if (a->id < 0 || a->id >= TOKEN_ID_MOST || (i && a->id <= a[-1].id) || strlen(a->text) != a->len)
            abort();
        if (added_tokens_by_id(&t->added, a->id) != a || added_tokens_by_text(&t->added, a->text, a->len) != a)
            abort();
    }
    for (size_t i = 0; i < SPECIAL_ROLES; i++)
        if (t->role[i].text && (!t->role[i].special || strlen(t->role[i].text) != t->role[i].len))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const files[] = { "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                         "tokenizer.json" };
    char path[100];
    struct err e = { 0 };
    AUTO(hf_tokens_free) struct hf_tokens t = { 0 };
    if (!size)
        return 0;
    if (strstr(dir, "XXXXXX") && mkdtemp(dir))
        atexit(remove_dir);
    snprintf(path, sizeof path, "%s/%s", dir, files[data[0] % ARRAY_LEN(files)]);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(data + 1, 1, size - 1, f) != size - 1 || fclose(f) != 0)
        abort();
    int rc = hf_tokens_read(dir, true, &t, &e);
    unlink(path);
    if (rc < 0 && (e.kind != ERR_INPUT || strncmp(e.text, dir, strlen(dir)) != 0))
        abort();
    if (rc == 0)
        check(&t);
    return 0;
}
