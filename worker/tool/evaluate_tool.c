#include "worker/tool/evaluate_tool.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mono.h"
#include "worker/evaluate/evaluate.h"
#include "worker/layout.h"
#include "worker/tool/interrupt.h"
#include "worker/tool/members.h"

#define SHOW_EVERY (200 * NS_PER_MS)

struct evaluation {
    const struct opts *o;
    enum th_dtype compute;
    struct th_device device;
    struct tool_members members;
    struct question_set *questions;
    struct tokenizer *tokenizer;
    struct vlm *model;
    struct representation *representation;
    int64_t began, shown;
    size_t kept; /* answers of an earlier run */
};

static void evaluation_end(struct evaluation *v)
{
    representation_close(v->representation);
    vlm_destroy(v->model);
    tokenizer_close(v->tokenizer);
    question_set_destroy(v->questions);
    tool_members_free(&v->members);
}

/* ---- what there is --------------------------------------------------------------------------------------------------
 */

static bool has_pictures(const struct question_set *s)
{
    for (size_t i = 0; i < question_set_count(s); i++)
        if (question_set_at(s, i)->n_images)
            return true;
    return false;
}

static int open_model(struct evaluation *v, struct err *e)
{
    const char *dir = opts_text(v->o, "model"), *llm = opts_text(v->o, "llm");
    v->model = tool_model(dir, llm, v->compute, v->device, e);
    if (v->model)
        v->tokenizer = tokenizer_open(llm ? llm : dir, e);
    return v->tokenizer ? 0 : -1;
}

static int open_all(struct evaluation *v, struct err *e)
{
    if (!(v->questions = question_set_load(opts_text(v->o, "benchmark"), e)))
        return -1;
    TRY(metric_check(v->questions, opts_text(v->o, "metric"), e)); /* not only when all is answered */
    bool sees = has_pictures(v->questions);
    if (sees && v->members.n == 0)
        return FAIL(e, ERR_USAGE, "the questions have pictures: give the model's encoders, --encoder DIR[,DIR...]");
    TRY(open_model(v, e));
    if (sees)
        v->representation = tool_representation(v->o, &v->members, v->compute, v->device, e);
    if (v->representation)
        tool_compare(v->model, &v->members, v->representation, "evaluate");
    return sees && !v->representation ? -1 : 0;
}

static int is_shown(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* What lies in a directory, by names, sizes and times: a model that was trained again is another one. */
static json_t *files_of(const char *dir)
{
    struct dirent **list;
    json_t *files = json_array();
    int n = dir ? scandir(dir, &list, is_shown, alphasort) : -1;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat st;
        if (snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name) < PATH_MAX && stat(path, &st) == 0 &&
            S_ISREG(st.st_mode))
            json_array_append_new(files, json_pack("[s, I, I, I]", list[i]->d_name, (json_int_t)st.st_size,
                                                   (json_int_t)st.st_mtim.tv_sec, (json_int_t)st.st_mtim.tv_nsec));
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return files;
}

/* What decides the answers, by the names that the user gave and the files there; with it an interrupted evaluation is
 * known again. */
static int describe(const struct evaluation *v, char **text, struct err *e)
{
    static const char *const keys[] = { "model", "llm", "compute" };
    static const char *const numbers[] = { "layer", "resolution", "grid", "max-tokens" };
    char digest[DIGEST_HEX_SIZE];
    TRY(digest_file(opts_text(v->o, "benchmark"), digest, NULL, e));
    AUTO(json_decref)
    json_t *run = json_pack("{s:s, s:[], s:[o, o]}", "benchmark", digest, "encoders", "files",
                            files_of(opts_text(v->o, "model")), files_of(opts_text(v->o, "llm")));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *value = opts_text(v->o, keys[i]);
        json_object_set_new(run, keys[i], value ? json_string(value) : json_null());
    }
    json_object_set_new(run, "pad", json_boolean(opts_flag(v->o, "pad")));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        json_object_set_new(run, numbers[i], json_integer(opts_int(v->o, numbers[i])));
    for (size_t i = 0; i < v->members.n; i++) {
        json_array_append_new(json_object_get(run, "encoders"), json_string(v->members.texts[i]));
        json_array_append_new(json_object_get(run, "files"), files_of(v->members.texts[i]));
    }
    *text = json_dumps(run, JSON_COMPACT | JSON_SORT_KEYS);
    return *text ? 0 : FAIL(e, ERR_USAGE, "a path on the command line is not UTF-8");
}

static int out_path(const struct evaluation *v, const char *name, char path[PATH_MAX], struct err *e)
{
    if (snprintf(path, PATH_MAX, "%s/%s", opts_text(v->o, "out"), name) >= PATH_MAX)
        return FAIL(e, ERR_USAGE, "--out: the path is too long");
    return 0;
}

/* ---- answers --------------------------------------------------------------------------------------------------------
 */

static int show(void *arg, size_t done, size_t all, struct err *e)
{
    struct evaluation *v = arg;
    int64_t now = mono_now();
    if (isatty(STDERR_FILENO) && (done == all || now - v->shown > SHOW_EVERY)) {
        v->shown = now;
        fprintf(stderr, "\r%zu of %zu questions, %.1f a second\033[K%s", done, all,
                (double)(done - v->kept) * (double)NS_PER_S / (double)(now - v->began), done == all ? "\n" : "");
        fflush(stderr);
    }
    return tool_interrupted(e);
}

static size_t count_answers(const struct answer_log *log, size_t n)
{
    size_t have = 0;
    for (size_t i = 0; i < n; i++)
        have += answer_log_get(log, i) != NULL;
    return have;
}

static int answer(struct evaluation *v, struct answer_log *log, struct evaluate_counts *counts, struct err *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", opts_text(v->o, "benchmark"));
    struct evaluate_job job = { .model = v->model,
                                .tokenizer = v->tokenizer,
                                .representation = v->representation,
                                .images = dirname(path),
                                .questions = v->questions,
                                .batch = (size_t)opts_int(v->o, "batch"),
                                .max_new_tokens = opts_int(v->o, "max-tokens"),
                                .progress = show,
                                .arg = v };
    v->kept = count_answers(log, question_set_count(v->questions));
    v->began = mono_now();
    return evaluate_run(&job, log, counts, e);
}

/* ---- numbers --------------------------------------------------------------------------------------------------------
 */

static int write_json(const char *path, const json_t *j, struct err *e)
{
    AUTO(free) char *text = json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    AUTO(free) char *line = NULL;
    if (!text || asprintf(&line, "%s\n", text) < 0)
        return FAIL_NOMEM(e);
    return file_replace(path, line, strlen(line), e);
}

static int print_result(const struct metric_result *r, const json_t *j, bool as_json, struct err *e)
{
    if (as_json) {
        if (json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15)) < 0 || putchar('\n') == EOF)
            return FAIL(e, ERR_ENV, "cannot write to standard output: %s", strerror(errno));
        return 0;
    }
    AUTO(buf_free) struct buf said = BUF_INIT(1 << 20);
    metric_result_describe(r, &said);
    TRY(buf_check(&said, "the numbers", e));
    printf("%sunparsed answers: %zu\n", buf_text(&said), r->unparsed);
    return 0;
}

static int score(const struct evaluation *v, const struct answer_log *log, const struct evaluate_counts *c,
                 struct err *e)
{
    char path[PATH_MAX];
    struct metric_options m = { .metric = opts_text(v->o, "metric") };
    TRY(metric_unparsed_parse(opts_text(v->o, "unparsed"), &m.unparsed, e));
    AUTO(metric_result_destroy)
    struct metric_result *r = metric_compute(v->questions, answer_log_texts(log), &m, e);
    AUTO(json_decref) json_t *j = r ? metric_result_json(r, v->questions, e) : NULL;
    if (!j)
        return -1;
    json_t *run = json_pack("{s:I, s:I, s:I, s:I, s:I}", "answered", (json_int_t)c->answered, "too_long",
                            (json_int_t)c->too_long, "unended", (json_int_t)c->unended, "prompt_tokens",
                            (json_int_t)c->prompt_tokens, "new_tokens", (json_int_t)c->new_tokens);
    if (json_object_set_new(j, "run", run) < 0)
        return FAIL_NOMEM(e);
    TRY(out_path(v, "result.json", path, e));
    TRY(write_json(path, j, e));
    return print_result(r, j, opts_flag(v->o, "json"), e);
}

static int evaluate(struct evaluation *v, struct err *e)
{
    char path[PATH_MAX];
    struct evaluate_counts counts;
    AUTO(free) char *run = NULL;
    TRY(describe(v, &run, e));
    TRY(make_dirs(opts_text(v->o, "out"), e));
    TRY(out_path(v, "answers.log", path, e));
    AUTO(answer_log_close) struct answer_log *log = answer_log_open(path, run, v->questions, e);
    if (!log)
        return -1;
    TRY(answer(v, log, &counts, e));
    TRY(out_path(v, "answers.jsonl", path, e));
    TRY(answer_log_finish(log, path, e));
    return score(v, log, &counts, e);
}

int tool_evaluate(const struct opts *o, struct err *e)
{
    struct evaluation v = { .o = o, .compute = tool_dtype(o, "compute") };
    int rc = tool_device(o, &v.device, e);
    rc = rc < 0 ? rc : tool_members_read(o, v.compute, &v.members, e);
    rc = rc < 0 ? rc : tool_begin(o, "evaluate", v.device, e);
    if (rc == 0) {
        tool_catch_signals();
        rc = open_all(&v, e) < 0 ? -1 : evaluate(&v, e);
    }
    evaluation_end(&v);
    return rc;
}
