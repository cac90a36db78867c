#include "tests/lib/made_task.h"

#include <assert.h>

Acsweep__Token made_token(uint64_t task, uint32_t attempt)
{
    Acsweep__Token t = ACSWEEP__TOKEN__INIT;
    t.task_id = task;
    t.attempt = attempt;
    t.epoch = 1;
    return t;
}

struct made { /* an assignment with all it points to */
    Acsweep__Token token;
    Acsweep__Resources resources;
    Acsweep__TaskSpec spec;
    Acsweep__Assignment body;
};

static void make(const struct made_task *t, uint32_t bundle, struct made *a)
{
    a->token = made_token(t->task, t->attempt ? t->attempt : 1);
    a->token.epoch = t->epoch ? t->epoch : 1;
    acsweep__resources__init(&a->resources);
    a->resources.gpus = t->gpus;
    acsweep__task_spec__init(&a->spec);
    a->spec.kind = (char *)(t->kind ? t->kind : "fake");
    a->spec.executor = (char *)(t->executor ? t->executor : "fake");
    a->spec.identity = (char *)MADE_IDENTITY;
    a->spec.label = (char *)"the task";
    a->spec.params = (char *)(t->params ? t->params : "{}");
    a->spec.time_limit_ms = t->time_limit_ms;
    a->spec.resources = &a->resources;
    a->spec.inputs = t->inputs;
    a->spec.n_inputs = t->n_inputs;
    acsweep__assignment__init(&a->body);
    a->body.token = &a->token;
    a->body.spec = &a->spec;
    a->body.slot = t->slot;
    a->body.bundle = bundle;
}

static void send_all(const struct made_task *t, size_t n, uint32_t bundle, void (*send)(envelope *m, void *arg),
                     void *arg)
{
    static struct made made[MADE_MOST];
    Acsweep__Assignment *list[MADE_MOST];
    assert(n <= MADE_MOST);
    for (size_t i = 0; i < n; i++) {
        make(&t[i], bundle, &made[i]);
        list[i] = &made[i].body;
    }
    Acsweep__Assign x = ACSWEEP__ASSIGN__INIT;
    x.n_assignments = n;
    x.assignments = list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_ASSIGN;
    m.assign = &x;
    send(&m, arg);
}

void made_task_send(const struct made_task *t, void (*send)(envelope *m, void *arg), void *arg)
{
    send_all(t, 1, 0, send, arg);
}

void made_bundle_send(const struct made_task *t, size_t n, void (*send)(envelope *m, void *arg), void *arg)
{
    send_all(t, n, 7, send, arg);
}
