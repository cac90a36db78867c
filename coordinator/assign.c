/* Assignments: tasks with their inputs, packed into messages that stay within the wire's limit. */
#include <string.h>

#include "coordinator/peers.h"

struct assignment { /* one Assignment message with all it points to */
    Acsweep__Token token;
    Acsweep__Resources resources;
    Acsweep__TaskSpec spec;
    Acsweep__Assignment body;
    Acsweep__InputRef *inputs, **input_list;
    Acsweep__ArtifactRef *refs, **ref_list;
};

static void assignment_clear(struct assignment *a)
{
    free(a->inputs);
    free(a->input_list);
    free(a->refs);
    free(a->ref_list);
}

static void fill_ref(Acsweep__ArtifactRef *r, const struct task_artifact *a)
{
    *r = (Acsweep__ArtifactRef)ACSWEEP__ARTIFACT_REF__INIT;
    r->name = a->name;
    r->digest = a->digest;
    r->bytes = a->bytes;
    r->store = a->store;
    r->path = a->path;
    if (a->content) {
        r->content.data = a->content;
        r->content.len = a->bytes;
    }
}

static int fill_inputs(struct assignment *a, const struct task *t, struct err *e)
{
    size_t n_refs = 0, at = 0;
    for (size_t i = 0; i < t->n_inputs; i++)
        n_refs += t->inputs[i].task->n_artifacts;
    a->inputs = calloc(t->n_inputs + 1, sizeof *a->inputs);
    a->input_list = calloc(t->n_inputs + 1, sizeof(void *));
    a->refs = calloc(n_refs + 1, sizeof *a->refs);
    a->ref_list = calloc(n_refs + 1, sizeof(void *));
    if (!a->inputs || !a->input_list || !a->refs || !a->ref_list)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < t->n_inputs; i++) {
        const struct task *from = t->inputs[i].task;
        Acsweep__InputRef *in = a->input_list[i] = &a->inputs[i];
        *in = (Acsweep__InputRef)ACSWEEP__INPUT_REF__INIT;
        in->name = t->inputs[i].name;
        in->identity = (char *)from->identity;
        in->n_artifacts = from->n_artifacts;
        in->artifacts = &a->ref_list[at];
        for (size_t k = 0; k < from->n_artifacts; k++, at++)
            fill_ref(a->ref_list[at] = &a->refs[at], &from->artifacts[k]);
    }
    a->spec.n_inputs = t->n_inputs;
    a->spec.inputs = a->input_list;
    return 0;
}

static int fill_assignment(struct assignment *a, const struct coord *c, const struct task *t, struct err *e)
{
    const struct plan_resources *r = &c->graph.shapes[t->shape].resources;
    a->token = peers_token(t);
    a->resources = (Acsweep__Resources)ACSWEEP__RESOURCES__INIT;
    a->resources.gpus = r->gpus;
    a->resources.gpu_memory_bytes = r->gpu_memory_bytes;
    a->resources.compute_capability = r->compute_capability;
    a->resources.host_memory_bytes = r->host_memory_bytes;
    a->resources.cpus = r->cpus;
    a->spec = (Acsweep__TaskSpec)ACSWEEP__TASK_SPEC__INIT;
    a->spec.kind = (char *)t->kind;
    a->spec.executor = (char *)t->executor;
    a->spec.identity = (char *)t->identity;
    a->spec.label = t->label;
    a->spec.params = t->params;
    a->spec.resources = &a->resources;
    a->spec.time_limit_ms = t->time_limit_ms;
    a->body = (Acsweep__Assignment)ACSWEEP__ASSIGNMENT__INIT;
    a->body.token = &a->token;
    a->body.spec = &a->spec;
    a->body.slot = t->slot;
    a->body.bundle = t->bundled;
    return fill_inputs(a, t, e);
}

#define ASSIGN_MAX 1024                            /* assignments in one message... */
#define ASSIGN_MAX_BYTES (WIRE_MAX_BYTES - 65536u) /* ...and bytes of them */

/* No fewer than the packed assignment has: texts and contents, and something for each field around them. */
static size_t assignment_bytes(const struct task *t)
{
    size_t n = 512 + strlen(t->label) + strlen(t->params);
    for (size_t i = 0; i < t->n_inputs; i++) {
        const struct task *from = t->inputs[i].task;
        n += 128 + strlen(t->inputs[i].name);
        for (size_t k = 0; k < from->n_artifacts; k++) {
            const struct task_artifact *a = &from->artifacts[k];
            n += 64 + strlen(a->name) + strlen(a->digest) + strlen(a->store) + strlen(a->path);
            n += a->content ? a->bytes : 0;
        }
    }
    return n;
}

static int send_assign(struct coord *c, struct worker *w, struct task **tasks, size_t n, struct err *e)
{
    AUTO(free) struct assignment *a = calloc(n, sizeof *a);
    AUTO(free) Acsweep__Assignment **list = calloc(n, sizeof *list);
    if (!a || !list)
        return FAIL_NOMEM(e);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = fill_assignment(&a[i], c, tasks[i], e);
        list[i] = &a[i].body;
    }
    Acsweep__Assign assign = ACSWEEP__ASSIGN__INIT;
    assign.n_assignments = n;
    assign.assignments = list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_ASSIGN;
    m.assign = &assign;
    if (rc == 0)
        rc = peers_send(c, &w->peer, &m, e);
    for (size_t i = 0; i < n; i++)
        assignment_clear(&a[i]);
    return rc;
}

static int by_worker(const void *a, const void *b)
{
    const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;
    if (x->worker != y->worker)
        return x->worker < y->worker ? -1 : 1;
    if (x->bundled != y->bundled)
        return x->bundled < y->bundled ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* How many of the first `n` go into one message, all of one worker: a bundle stays whole, unless it fills more than
 * one, and is then two. */
static size_t message_length(struct task **tasks, size_t n)
{
    size_t m = 1, bytes = assignment_bytes(tasks[0]);
    for (; m < n && m < ASSIGN_MAX && tasks[m]->worker == tasks[0]->worker; m++)
        if ((bytes += assignment_bytes(tasks[m])) > ASSIGN_MAX_BYTES)
            break;
    size_t cut = m;
    if (m < n && tasks[m]->bundled && tasks[m]->worker == tasks[0]->worker)
        while (cut && tasks[cut - 1]->bundled == tasks[m]->bundled)
            cut--;
    return cut ? cut : m;
}

int peers_assign(struct coord *c, struct task **tasks, size_t n, struct err *e)
{
    qsort(tasks, n, sizeof *tasks, by_worker);
    for (size_t i = 0; i < n;) {
        if (assignment_bytes(tasks[i]) > ASSIGN_MAX_BYTES) {
            TRY(coord_end_attempt(c, tasks[i++], "failed", ACSWEEP__FAILURE_CLASS__DATA, true,
                                  "its parameters and inputs are more than one message holds; use files in the store",
                                  e));
            continue;
        }
        size_t m = message_length(&tasks[i], n - i);
        TRY(send_assign(c, tasks[i]->worker, &tasks[i], m, e));
        i += m;
    }
    return 0;
}
