/* Submitting a sweep. */
#include "cli/submit.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/mono.h"

enum { FILE_LIMIT = 4 << 20 };

char *read_text_file(const char *path, struct err *e)
{
    AUTO(fclose) FILE *f = fopen(path, "re");
    if (!f)
        return FAIL_NULL(e, ERR_INPUT, "cannot open %s: %s", path, strerror(errno));
    AUTO(free) char *text = malloc(FILE_LIMIT + 1);
    if (!text)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    size_t n = fread(text, 1, FILE_LIMIT + 1, f);
    if (ferror(f))
        return FAIL_NULL(e, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
    if (n > FILE_LIMIT)
        return FAIL_NULL(e, ERR_INPUT, "%s: over %d MiB; a sweep carries only small files", path, FILE_LIMIT >> 20);
    if (memchr(text, '\0', n))
        return FAIL_NULL(e, ERR_INPUT, "%s: not a text file", path);
    text[n] = '\0';
    return TAKE(text);
}

/* The files that the config names, read from its own directory. */
struct parcel {
    Acsweep__Submit__FilesEntry *entries, **list;
    char **names;
    size_t n;
};

static void parcel_free(struct parcel *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->entries)
            free(p->entries[i].value);
        free(p->names[i]);
    }
    free(p->names);
    free(p->entries);
    free(p->list);
}

static int parcel_fill(struct parcel *p, const char *text, const char *path, const char *dir, struct err *e)
{
    TRY(plan_files(text, path, &p->names, &p->n, e));
    p->entries = calloc(p->n + 1, sizeof *p->entries);
    p->list = calloc(p->n + 1, sizeof *p->list);
    if (!p->entries || !p->list)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->n; i++) {
        char file[PATH_MAX];
        bool absolute = p->names[i][0] == '/';
        snprintf(file, sizeof file, "%s%s%s", absolute ? "" : dir, absolute ? "" : "/", p->names[i]);
        p->entries[i] = (Acsweep__Submit__FilesEntry)ACSWEEP__SUBMIT__FILES_ENTRY__INIT;
        p->entries[i].key = p->names[i];
        p->entries[i].value = read_text_file(file, e);
        p->list[i] = &p->entries[i];
        if (!p->entries[i].value)
            return err_wrap(e, "%s", path);
    }
    return 0;
}

int submit_file(struct link *k, const char *path, int64_t timeout_ns, char **name, char **json, char **text, struct err *e)
{
    AUTO(plan_destroy) struct plan *plan = plan_load_file(path, e);
    AUTO(free) char *config = plan ? read_text_file(path, e) : NULL;
    char real[PATH_MAX];
    if (!config)
        return -1;
    if (!realpath(path, real))
        return FAIL(e, ERR_INPUT, "%s: %s", path, strerror(errno));
    char *dir = dirname(real);
    struct parcel parcel = { 0 };
    Acsweep__Submit submit = ACSWEEP__SUBMIT__INIT;
    Acsweep__ControlRequest request = ACSWEEP__CONTROL_REQUEST__INIT;
    request.op_case = ACSWEEP__CONTROL_REQUEST__OP_SUBMIT;
    request.submit = &submit;
    submit.name = plan->name;
    submit.config = config;
    submit.directory = dir;
    int rc = parcel_fill(&parcel, config, path, dir, e);
    submit.files = parcel.list;
    submit.n_files = parcel.n;
    if (rc == 0)
        rc = link_request(k, &request, timeout_ns, json, text, e);
    parcel_free(&parcel);
    if (rc < 0)
        return -1;
    *name = strdup(plan->name);
    return *name ? 0 : FAIL_NOMEM(e);
}

static int run_submit(const struct opts *o, struct err *e)
{
    AUTO(loop_destroy) struct loop *l = loop_create(e);
    AUTO(link_close) struct link *k = l ? link_open(o, l, e) : NULL;
    AUTO(free) char *name = NULL, *json = NULL, *text = NULL;
    if (!k || submit_file(k, opts_arg(o, 0), opts_int(o, "timeout"), &name, &json, &text, e) < 0)
        return -1;
    if (opts_flag(o, "json"))
        puts(json);
    else
        printf("%s\nFollow it with: acsweep watch %s\n", text, name);
    return 0;
}

const struct cmd cmd_submit = {
    .name = "submit",
    .summary = "Hand a sweep to a running coordinator",
    .args = "SWEEP.CFG",
    .options = { link_options, cli_state_options, cli_json_options },
    .details = "Work that an earlier sweep did is taken from its results; submitting a grown config again runs only what is "
               "new.",
    .run = run_submit,
};
