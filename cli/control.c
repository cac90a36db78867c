/* Commands that ask the coordinator to do something: watch, retry, cancel, drain. */
#include "cli/commands.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/link.h"
#include "cli/progress.h"
#include "common/mono.h"
#include "common/parse.h"

/* Ask once and print the line (or JSON) that comes back. */
static int ask(const struct opts *o, struct loop *l, Acsweep__ControlRequest *r, struct err *e)
{
    AUTO(link_close) struct link *k = link_open(o, l, e);
    AUTO(free) char *json = NULL, *text = NULL;
    if (!k || link_request(k, r, opts_int(o, "timeout"), &json, &text, e) < 0)
        return -1;
    puts(opts_flag(o, "json") && *json ? json : text);
    return 0;
}

/* The argument as sweep, or --task as number; exactly one of them. */
static int sweep_or_task(const struct opts *o, const char **sweep, uint64_t *task, struct err *e)
{
    *sweep = opts_arg(o, 0);
    *task = opts_given(o, "task") ? (uint64_t)opts_int(o, "task") : 0;
    if (!*sweep == !*task)
        return FAIL(e, ERR_USAGE, "name either a SWEEP or one task with --task");
    return 0;
}

static const struct opt task_options[] = {
    { .name = "task", .letter = 't', .type = OPT_INT, .value = "NUMBER", .lo = 1, .hi = INT64_MAX,
      .help = "only this task, instead of a whole sweep" },
    { 0 },
};

/* ---- retry ------------------------------------------------------------------------------------------------------ */

static int run_retry(const struct opts *o, struct err *e)
{
    AUTO(loop_destroy) struct loop *l = loop_create(e);
    Acsweep__Retry retry = ACSWEEP__RETRY__INIT;
    Acsweep__ControlRequest r = ACSWEEP__CONTROL_REQUEST__INIT;
    const char *sweep;
    if (!l || sweep_or_task(o, &sweep, &retry.task_id, e) < 0)
        return -1;
    if (sweep)
        retry.sweep = (char *)sweep;
    r.op_case = ACSWEEP__CONTROL_REQUEST__OP_RETRY;
    r.retry = &retry;
    return ask(o, l, &r, e);
}

const struct cmd cmd_retry = {
    .name = "retry",
    .summary = "Give tasks that failed for good a fresh budget of attempts",
    .args = "[SWEEP]",
    .options = { task_options, link_options, cli_state_options, cli_json_options },
    .run = run_retry,
};

/* ---- cancel ----------------------------------------------------------------------------------------------------- */

static int run_cancel(const struct opts *o, struct err *e)
{
    AUTO(loop_destroy) struct loop *l = loop_create(e);
    Acsweep__SweepRef ref = ACSWEEP__SWEEP_REF__INIT;
    Acsweep__CancelTask one = ACSWEEP__CANCEL_TASK__INIT;
    Acsweep__ControlRequest r = ACSWEEP__CONTROL_REQUEST__INIT;
    const char *sweep;
    if (!l || sweep_or_task(o, &sweep, &one.task_id, e) < 0)
        return -1;
    if (sweep) {
        ref.name = (char *)sweep;
        r.op_case = ACSWEEP__CONTROL_REQUEST__OP_CANCEL_SWEEP;
        r.cancel_sweep = &ref;
    } else {
        one.reason = (char *)opts_text(o, "reason");
        r.op_case = ACSWEEP__CONTROL_REQUEST__OP_CANCEL_TASK;
        r.cancel_task = &one;
    }
    return ask(o, l, &r, e);
}

static const struct opt cancel_options[] = {
    { .name = "reason", .type = OPT_TEXT, .value = "TEXT", .fallback = "cancelled by the user",
      .help = "kept with the task" },
    { 0 },
};
const struct cmd cmd_cancel = {
    .name = "cancel",
    .summary = "Stop a sweep, or one task, and end what is running of it",
    .args = "[SWEEP]",
    .options = { task_options, cancel_options, link_options, cli_state_options,
                 cli_json_options },
    .details = "Results that are known stay. 'acsweep submit' of the same config takes the sweep up again.",
    .run = run_cancel,
};

/* ---- drain ------------------------------------------------------------------------------------------------------ */

static int run_drain(const struct opts *o, struct err *e)
{
    AUTO(loop_destroy) struct loop *l = loop_create(e);
    Acsweep__DrainWorker drain = ACSWEEP__DRAIN_WORKER__INIT;
    Acsweep__ControlRequest r = ACSWEEP__CONTROL_REQUEST__INIT;
    drain.worker = (char *)opts_arg(o, 0);
    drain.reason = (char *)opts_text(o, "reason");
    drain.grace_ms = (uint64_t)(opts_int(o, "grace") / NS_PER_MS);
    r.op_case = ACSWEEP__CONTROL_REQUEST__OP_DRAIN_WORKER;
    r.drain_worker = &drain;
    return l ? ask(o, l, &r, e) : -1;
}

static const struct opt drain_options[] = {
    { .name = "grace", .type = OPT_DURATION, .value = "TIME", .fallback = "0",
      .help = "ask running tasks for a checkpoint and end them after this time; 0 lets them finish" },
    { .name = "reason", .type = OPT_TEXT, .value = "TEXT", .fallback = "drained by the user", .help = "shown by 'acsweep workers'" },
    { 0 },
};
const struct cmd cmd_drain = {
    .name = "drain",
    .summary = "Take a worker out: no new tasks, and it leaves when the running ones are over",
    .args = "WORKER",
    .options = { drain_options, link_options, cli_state_options, cli_json_options },
    .details = "WORKER is the id or the node that 'acsweep workers' shows. Tasks given back are not charged.",
    .run = run_drain,
};

/* ---- watch ------------------------------------------------------------------------------------------------------ */

enum { SILENCE_S = 15 };

struct watcher {
    struct progress *progress;
    const char *sweep; /* NULL = any */
    bool json, seen, over, failed;
    int64_t heard; /* when the last picture came */
};

static void print_snapshot_json(const Acsweep__Snapshot *s)
{
    json_t *stages = json_array();
    for (size_t i = 0; i < s->n_stages; i++) {
        const Acsweep__StageCount *c = s->stages[i];
        json_array_append_new(stages, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "kind", c->kind, "total",
                                                (json_int_t)c->total, "done", (json_int_t)c->done, "running",
                                                (json_int_t)c->running, "failed", (json_int_t)c->failed, "cached",
                                                (json_int_t)c->cached, "waiting", (json_int_t)c->waiting));
    }
    json_t *all = json_pack("{s:s, s:s, s:o, s:i, s:s, s:i, s:i, s:i}", "sweep", s->sweep, "state", s->state, "stages", stages,
                            "round", (int)s->round, "round_note", s->round_note, "workers", (int)s->workers, "slots",
                            (int)s->slots, "busy", (int)s->busy);
    if (all)
        json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(all);
}

static void on_snapshot(const Acsweep__Snapshot *s, void *arg)
{
    struct watcher *w = arg;
    if (w->sweep && strcmp(w->sweep, s->sweep) != 0)
        return;
    if (w->json)
        print_snapshot_json(s);
    else
        progress_update(w->progress, s);
    w->seen = true;
    w->heard = mono_now();
    w->over = strcmp(s->state, "running") != 0;
    w->failed = strcmp(s->state, "failed") == 0;
    for (size_t i = 0; i < s->n_stages; i++)
        w->failed |= s->stages[i]->failed > 0;
}

/* Is anything of that name running? An error when the coordinator does not answer. */
static int ask_running(struct link *k, const char *sweep, int64_t timeout_ns, bool *running, struct err *e)
{
    Acsweep__SweepRef ref = ACSWEEP__SWEEP_REF__INIT;
    Acsweep__ControlRequest r = ACSWEEP__CONTROL_REQUEST__INIT;
    AUTO(free) char *json = NULL;
    ref.name = (char *)(sweep ? sweep : "");
    r.op_case = ACSWEEP__CONTROL_REQUEST__OP_STATUS;
    r.status = &ref;
    TRY(link_request(k, &r, timeout_ns, &json, NULL, e));
    *running = strcmp(json, "[]") != 0;
    return 0;
}

/* Pictures come twice a second; when none does, ask: the coordinator may be gone, or the sweep have ended out of sight. */
static int mind_silence(struct link *k, struct watcher *w, int64_t interval_ns, int64_t timeout_ns, struct err *e)
{
    bool running;
    if (w->over || mono_now() - w->heard < SILENCE_S * NS_PER_S + 2 * interval_ns)
        return 0;
    TRY(ask_running(k, w->sweep, timeout_ns, &running, e));
    w->heard = mono_now();
    if (!running)
        return FAIL(e, ERR_INPUT, "the sweep ended, or was replaced, while the coordinator was out of reach; 'acsweep status' "
                    "shows how it stands");
    return 0;
}

static int run_watch(const struct opts *o, struct err *e)
{
    AUTO(loop_destroy) struct loop *l = loop_create(e);
    AUTO(progress_free) struct progress *p = l ? progress_create(stdout, e) : NULL;
    AUTO(link_close) struct link *k = p ? link_open(o, l, e) : NULL;
    struct watcher w = { .progress = p, .sweep = opts_arg(o, 0), .json = opts_flag(o, "json") };
    if (!k)
        return -1;
    int64_t interval = opts_int(o, "interval"), timeout = opts_int(o, "timeout");
    bool running;
    /* First watch, then ask whether there is anything to watch: its end cannot fall between the two. */
    w.heard = mono_now();
    TRY(link_watch(k, w.sweep ? w.sweep : "", (uint64_t)(interval / NS_PER_MS), on_snapshot, &w, e));
    TRY(ask_running(k, w.sweep, timeout, &running, e));
    if (!w.seen && !running)
        return FAIL(e, ERR_INPUT, "no sweep%s%s is running; 'acsweep status' shows those that ended", w.sweep ? " named " : "",
                    w.sweep ? w.sweep : "");
    while (!w.over) {
        TRY(loop_once(l, NS_PER_S, e));
        TRY(mind_silence(k, &w, interval, timeout, e));
    }
    progress_end(p);
    return w.failed ? err_exit_code(ERR_TASK) : 0;
}

static const struct opt watch_options[] = {
    { .name = "interval", .letter = 'i', .type = OPT_DURATION, .value = "TIME", .fallback = "500ms", .help = "between two pictures" },
    { 0 },
};
const struct cmd cmd_watch = {
    .name = "watch",
    .summary = "Follow a running sweep until it ends",
    .args = "[SWEEP]",
    .options = { watch_options, link_options, cli_state_options, cli_json_options },
    .details = "With --json: one line of JSON for each picture. Exit code 1 when a task failed for good.",
    .run = run_watch,
};
