/* identify, native: what lies under a name of the sweep, before identities are made of it.
 *
 *     identity   {"name", "is": "checkpoint" or "image_set", "submission"}
 *     artifact   content (inline): {"digest", "files", "bytes"}
 *     metrics    files, bytes, bytes_read (the rest was remembered)
 *
 * `submission` is another one each time a sweep is begun, so that content is looked at again. */
#include <string.h>

#include "worker/exec/native.h"
#include "worker/exec/native_content.h"

static int read_call(const struct exec_task *t, const char **name, const char **is, struct err *e)
{
    TRY(native_text(t->identity, "name", NULL, name, e));
    TRY(native_text(t->identity, "is", NULL, is, e));
    if (strcmp(*is, "checkpoint") != 0 && strcmp(*is, "image_set") != 0)
        return FAIL(e, ERR_INPUT, "cannot identify '%.80s', which is '%.40s'; known are checkpoint and image_set",
                    *name, *is);
    return 0;
}

static int check(const struct exec_task *t, struct err *e)
{
    const char *name, *is;
    return read_call(t, &name, &is, e);
}

static int add_content(const struct content *c, struct exec_result *r, struct err *e)
{
    AUTO(json_decref)
    json_t *o =
        json_pack("{s:s, s:I, s:I}", "digest", c->digest, "files", (json_int_t)c->files, "bytes", (json_int_t)c->bytes);
    AUTO(free) char *text = o ? json_canonical(o, e) : NULL;
    struct exec_artifact *a = text ? exec_result_artifact(r, e) : NULL;
    if (!a)
        return FAIL_NOMEM(e);
    snprintf(a->name, sizeof a->name, "content");
    snprintf(a->store, sizeof a->store, "inline");
    a->bytes = strlen(text);
    digest_bytes(text, a->bytes, a->digest);
    a->content = TAKE(text);
    return 0;
}

static int run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    const char *name, *is;
    struct content c;
    TRY(read_call(t, &name, &is, e));
    TRY(native_content_find(t, name, strcmp(is, "image_set") == 0, &c, e));
    TRY(add_content(&c, r, e));
    TRY(exec_result_metric(r, "files", (double)c.files, e));
    TRY(exec_result_metric(r, "bytes", (double)c.bytes, e));
    TRY(exec_result_metric(r, "bytes_read", (double)c.bytes_read, e));
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    return 0;
}

const struct native_kind native_identify = { "identify", check, run };
