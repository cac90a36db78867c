#include "tests/lib/checkpoint_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/torch/weights.h"

static void must(int rc, const struct err *e)
{
    if (rc < 0)
        fail_msg("%s", e->text);
}

/* The edit for that tensor, or NULL. */
static const struct checkpoint_edit *find(const struct checkpoint_edit *edits, const char *name)
{
    for (; edits->what; edits++)
        if (strcmp(edits->name, name) == 0)
            return edits;
    return NULL;
}

static void declare(struct st_writer *w, const struct st_tensor *t, const char *name, int what)
{
    struct err e = { 0 };
    int64_t numbers = 1;
    for (int i = 0; i < t->rank; i++)
        numbers *= t->dims[i];
    bool flat = what == EDIT_FLATTEN;
    must(st_writer_declare(w, name, what == EDIT_TO_INTEGERS ? TH_I32 : t->type, flat ? &numbers : t->dims,
                           flat ? 1 : t->rank, &e),
         &e);
}

/* Two rounds, because everything is declared before anything is put. */
static void copy_tensor(struct st_writer *w, const struct st_tensor *t, const struct checkpoint_edit *edit, bool put)
{
    struct err e = { 0 };
    int what = edit ? (int)edit->what : 0;
    const char *names[2] = { what == EDIT_RENAME ? edit->to : t->name, what == EDIT_ADD ? edit->to : NULL };
    for (int i = 0; i < 2 && what != EDIT_DROP; i++) {
        if (names[i] && put)
            must(st_writer_put(w, names[i], t->data, t->bytes, &e), &e);
        else if (names[i])
            declare(w, t, names[i], what);
    }
}

void checkpoint_copy(const char *from, const char *to, const struct checkpoint_edit *edits)
{
    struct err e = { 0 };
    char path[600], *config = NULL;
    AUTO(weights_destroy) struct weights *in = weights_open(from, &e);
    must(in ? 0 : -1, &e);
    snprintf(path, sizeof path, "%s/model.safetensors", to);
    AUTO(st_writer_destroy) struct st_writer *out = st_writer_create(path, &e);
    must(out ? 0 : -1, &e);
    const struct st_tensor *t;
    for (int put = 0; put < 2; put++)
        for (size_t i = 0; (t = weights_at(in, i)); i++)
            copy_tensor(out, t, find(edits, t->name), put);
    must(st_writer_commit(out, &e), &e);
    snprintf(path, sizeof path, "%s/config.json", from);
    AUTO(fclose) FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t room = 0;
    assert_true(getdelim(&config, &room, '\0', f) > 0);
    checkpoint_config(to, config);
    free(config);
}

void checkpoint_config(const char *dir, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

void checkpoint_scratch(char dir[64])
{
    snprintf(dir, 64, "/tmp/acsweep-checkpoint-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

void checkpoint_scratch_end(const char *dir)
{
    static const char *const files[] = { "model.safetensors", "config.json" };
    char path[600];
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}
