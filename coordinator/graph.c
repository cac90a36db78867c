#include "coordinator/graph.h"

#include <string.h>

static const struct {
    const char *name;
    bool feeds;
} kinds[] = {
    { "identify", true }, { "extract", true }, { "stage1", true },    { "score_a", false },
    { "score_c", false }, { "stage2", true },  { "evaluate", false }, { "fake", true },
};

const char *task_kind(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].name;
    return NULL;
}

bool task_kind_feeds(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, kind) == 0)
            return kinds[i].feeds;
    return true;
}

void task_artifacts_free(struct task_artifact *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(a[i].name);
        free(a[i].digest);
        free(a[i].store);
        free(a[i].path);
        free(a[i].content);
    }
    free(a);
}

static void task_free(struct task *t)
{
    for (size_t i = 0; i < t->n_inputs; i++)
        free(t->inputs[i].name);
    free(t->inputs);
    free(t->successors);
    task_artifacts_free(t->artifacts, t->n_artifacts);
    while (t->sweeps) {
        struct task_sweep *next = t->sweeps->next;
        free(t->sweeps);
        t->sweeps = next;
    }
    free(t->label);
    free(t->params);
    free(t->worker_id);
    free(t->note);
    free(t);
}

void graph_free(struct graph *g)
{
    struct task *t;
    for (size_t i = 0; (t = map_next(&g->by_id, &i));)
        task_free(t);
    map_free(&g->by_id);
    map_free(&g->by_identity);
    for (size_t i = 0; i < g->n_shapes; i++)
        free(g->shapes[i].heap);
    free(g->shapes);
    for (size_t i = 0; i < g->n_executors; i++)
        free(g->executors[i]);
    free(g->executors);
    *g = (struct graph){ 0 };
}

const char *graph_intern(struct graph *g, const char *executor, struct err *e)
{
    for (size_t i = 0; i < g->n_executors; i++)
        if (strcmp(g->executors[i], executor) == 0)
            return g->executors[i];
    char **more = realloc(g->executors, (g->n_executors + 1) * sizeof *more);
    if (more)
        g->executors = more;
    char *copy = more ? strdup(executor) : NULL;
    if (!copy)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    return g->executors[g->n_executors++] = copy;
}

static bool same_resources(const struct plan_resources *a, const struct plan_resources *b)
{
    return a->gpus == b->gpus && a->compute_capability == b->compute_capability && a->cpus == b->cpus &&
           a->gpu_memory_bytes == b->gpu_memory_bytes && a->host_memory_bytes == b->host_memory_bytes;
}

static bool is_vacant(const struct shape *s)
{
    return s->tasks == 0 && !s->reason[0] && !s->stored_reason[0];
}

static struct shape *new_shape(struct graph *g, struct err *e)
{
    for (size_t i = 0; i < g->n_shapes; i++)
        if (is_vacant(&g->shapes[i]))
            return &g->shapes[i];
    struct shape *more = realloc(g->shapes, (g->n_shapes + 1) * sizeof *more);
    if (!more)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    g->shapes = more;
    more[g->n_shapes] = (struct shape){ 0 };
    return &more[g->n_shapes++];
}

/* The shape for one more task. A sweep has a handful of shapes, so a linear search does. */
static int find_shape(struct graph *g, const struct plan_resources *r, const char *executor, uint32_t *out,
                      struct err *e)
{
    struct shape *s = NULL;
    for (size_t i = 0; i < g->n_shapes && !s; i++)
        if (g->shapes[i].executor == executor && same_resources(&g->shapes[i].resources, r))
            s = &g->shapes[i];
    if (!s && !(s = new_shape(g, e)))
        return -1;
    s->resources = *r;
    s->executor = executor;
    s->tasks++;
    *out = (uint32_t)(s - g->shapes);
    return 0;
}

struct task *graph_add(struct graph *g, uint64_t id, const struct plan_task *from, struct err *e)
{
    const char *executor = graph_intern(g, from->executor, e);
    const char *kind = task_kind(from->kind);
    if (!executor)
        return NULL;
    if (!kind)
        return FAIL_NULL(e, ERR_DB, "task %llu has the unknown kind '%s'", (unsigned long long)id, from->kind);
    struct task *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    t->id = id;
    t->kind = kind;
    t->executor = executor;
    t->priority = from->priority;
    t->resources = from->resources;
    t->time_limit_ms = from->time_limit_ms;
    t->fraction = -1;
    memcpy(t->identity, from->identity, sizeof t->identity - 1);
    t->label = strdup(from->label);
    t->params = strdup(from->params);
    if (!t->label || !t->params || find_shape(g, &t->resources, executor, &t->shape, e) < 0 ||
        map_put(&g->by_id, &t->id, sizeof t->id, t, e) < 0) {
        task_free(t);
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    }
    if (map_put(&g->by_identity, t->identity, sizeof t->identity - 1, t, e) < 0)
        return NULL; /* stays owned by by_id */
    g->open++;
    return t;
}

struct task *graph_find(const struct graph *g, uint64_t id)
{
    return map_get(&g->by_id, &id, sizeof id);
}

struct task *graph_find_identity(const struct graph *g, const char *identity)
{
    return strlen(identity) == DIGEST_HEX_SIZE - 1 ? map_get(&g->by_identity, identity, DIGEST_HEX_SIZE - 1) : NULL;
}

int graph_link(struct task *task, struct task *input, const char *name, struct err *e)
{
    struct task_input *inputs = realloc(task->inputs, (task->n_inputs + 1) * sizeof *inputs);
    if (!inputs)
        return FAIL_NOMEM(e);
    task->inputs = inputs;
    if (input->n_successors == input->cap_successors) {
        size_t cap = input->cap_successors ? 2 * input->cap_successors : 2;
        struct task **more = realloc(input->successors, cap * sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        input->successors = more;
        input->cap_successors = cap;
    }
    char *copy = strdup(name);
    if (!copy)
        return FAIL_NOMEM(e);
    inputs[task->n_inputs++] = (struct task_input){ .task = input, .name = copy };
    input->successors[input->n_successors++] = task;
    if (input->state != TASK_DONE)
        task->open_inputs++;
    return 0;
}

static void remove_successor(struct task *input, const struct task *task)
{
    size_t n = 0;
    for (size_t i = 0; i < input->n_successors; i++)
        if (input->successors[i] != task)
            input->successors[n++] = input->successors[i];
    input->n_successors = n;
}

void graph_unlink_inputs(struct task *task)
{
    for (size_t i = 0; i < task->n_inputs; i++) {
        remove_successor(task->inputs[i].task, task);
        free(task->inputs[i].name);
    }
    task->n_inputs = 0;
    task->open_inputs = 0;
}

/* ---- ready queues: binary heaps ---- */

static bool before(const struct task *a, const struct task *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

static void place(struct shape *s, size_t i, struct task *t)
{
    s->heap[i] = t;
    t->heap_index = (uint32_t)i;
}

static void sift_up(struct shape *s, size_t i)
{
    struct task *t = s->heap[i];
    while (i && before(t, s->heap[(i - 1) / 2])) {
        place(s, i, s->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(s, i, t);
}

static void sift_down(struct shape *s, size_t i)
{
    struct task *t = s->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->n)
            break;
        if (child + 1 < s->n && before(s->heap[child + 1], s->heap[child]))
            child++;
        if (!before(s->heap[child], t))
            break;
        place(s, i, s->heap[child]);
        i = child;
    }
    place(s, i, t);
}

static int queue_push(struct graph *g, struct task *t, struct err *e)
{
    struct shape *s = &g->shapes[t->shape];
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64;
        struct task **more = realloc(s->heap, cap * sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        s->heap = more;
        s->cap = cap;
    }
    place(s, s->n++, t);
    sift_up(s, s->n - 1);
    g->ready++;
    return 0;
}

static void queue_remove(struct graph *g, struct task *t)
{
    struct shape *s = &g->shapes[t->shape];
    size_t i = t->heap_index;
    s->n--;
    g->ready--;
    if (i == s->n)
        return;
    place(s, i, s->heap[s->n]);
    sift_up(s, i);
    sift_down(s, s->heap[i]->heap_index);
}

struct task *graph_peek(const struct graph *g, size_t shape)
{
    return g->shapes[shape].n ? g->shapes[shape].heap[0] : NULL;
}

#define NEAR 256 /* how many of a queue are looked at: its front, in no strict order */

struct task *graph_peek_near(const struct graph *g, size_t shape, uint32_t subject)
{
    const struct shape *s = &g->shapes[shape];
    struct task *first = graph_peek(g, shape), *best = NULL;
    if (!first || !subject || first->subject == subject)
        return first;
    for (size_t i = 1; i < s->n && i < NEAR; i++)
        if (s->heap[i]->subject == subject && s->heap[i]->priority == first->priority &&
            (!best || before(s->heap[i], best)))
            best = s->heap[i];
    return best ? best : first;
}

int graph_settle(struct graph *g, struct task *t, int64_t now, struct err *e)
{
    if (t->state != TASK_PENDING || t->open_inputs || t->not_before > now)
        return 0;
    TRY(graph_move(g, t, EV_INPUTS_DONE, e));
    return 1;
}

int graph_move(struct graph *g, struct task *t, enum task_event on, struct err *e)
{
    enum task_state to;
    if (!task_state_next(t->state, on, &to, NULL))
        return FAIL(e, ERR_BUG, "task %llu in state %s met event %d", (unsigned long long)t->id,
                    task_state_name(t->state), (int)on);
    if (to == TASK_READY)
        TRY(queue_push(g, t, e));
    if (t->state == TASK_READY)
        queue_remove(g, t);
    if (task_state_terminal(t->state) && !task_state_terminal(to))
        g->open++;
    if (!task_state_terminal(t->state) && task_state_terminal(to))
        g->open--;
    t->state = to;
    return 0;
}

int graph_unlock(struct task *t, graph_fn *fn, void *arg, struct err *e)
{
    for (size_t i = 0; i < t->n_successors; i++) {
        struct task *s = t->successors[i];
        if (s->open_inputs && --s->open_inputs == 0)
            TRY(fn(s, arg, e));
    }
    return 0;
}

int graph_reshape(struct graph *g, struct task *t, const struct plan_resources *r, struct err *e)
{
    uint32_t old = t->shape;
    TRY(find_shape(g, r, t->executor, &t->shape, e));
    g->shapes[old].tasks--;
    return 0;
}

/* ---- letting go ---- */

/* What a task that stays needs, however indirectly, stays as well. A list instead of recursion: chains may be longer
 * than a stack is deep. */
static void keep_inputs(struct task *list)
{
    while (list) {
        struct task *t = list;
        list = t->doomed_next;
        for (size_t i = 0; i < t->n_inputs; i++) {
            struct task *input = t->inputs[i].task;
            if (!input->goes)
                continue;
            input->goes = false;
            input->doomed_next = list;
            list = input;
        }
    }
}

static void drop_successors(struct task *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_successors; i++)
        if (!t->successors[i]->goes)
            t->successors[n++] = t->successors[i];
    t->n_successors = n;
}

static void remove_task(struct graph *g, struct task *t)
{
    map_remove(&g->by_id, &t->id, sizeof t->id);
    map_remove(&g->by_identity, t->identity, sizeof t->identity - 1);
    g->shapes[t->shape].tasks--;
    task_free(t);
}

size_t graph_trim(struct graph *g, graph_pick *may_go, void *arg)
{
    struct task *t, *stays = NULL, *gone = NULL;
    size_t n = 0;
    for (size_t i = 0; (t = map_next(&g->by_id, &i));) {
        t->goes = may_go(t, arg) && task_state_terminal(t->state);
        if (t->goes)
            continue;
        t->doomed_next = stays;
        stays = t;
    }
    keep_inputs(stays);
    for (size_t i = 0; (t = map_next(&g->by_id, &i));) {
        drop_successors(t);
        if (!t->goes)
            continue;
        t->doomed_next = gone;
        gone = t;
    }
    for (; gone; n++) { /* only now: the maps must not change while they are visited */
        t = gone;
        gone = t->doomed_next;
        remove_task(g, t);
    }
    return n;
}

void text_cut(char *text, size_t size)
{
    size_t n = strnlen(text, size - 1), at = n;
    text[n] = '\0';
    while (at && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
        at--;
    if (!at || !((unsigned char)text[at - 1] & 0x80))
        return; /* ends with a plain character */
    unsigned char lead = (unsigned char)text[at - 1];
    size_t wants = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (n - (at - 1) < wants)
        text[at - 1] = '\0';
}

void task_set_note(struct task *t, const char *note)
{
    char *copy = strndup(note, 303);
    if (copy) {
        text_cut(copy, 301);
        free(t->note);
        t->note = copy;
    }
}
