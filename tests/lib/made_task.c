#include "tests/lib/made_task.h"

Acsweep__Token made_token(uint64_t task, uint32_t attempt)
{
    Acsweep__Token t = ACSWEEP__TOKEN__INIT;
    t.task_id = task;
    t.attempt = attempt;
    t.epoch = 1;
    return t;
}

void made_task_send(const struct made_task *t, void (*send)(envelope *m, void *arg), void *arg)
{
    Acsweep__Token token = made_token(t->task, t->attempt ? t->attempt : 1);
    token.epoch = t->epoch ? t->epoch : 1;
    Acsweep__Resources resources = ACSWEEP__RESOURCES__INIT;
    resources.gpus = t->gpus;
    Acsweep__TaskSpec spec = ACSWEEP__TASK_SPEC__INIT;
    spec.kind = (char *)(t->kind ? t->kind : "fake");
    spec.executor = (char *)(t->executor ? t->executor : "fake");
    spec.identity = (char *)MADE_IDENTITY;
    spec.label = (char *)"the task";
    spec.params = (char *)(t->params ? t->params : "{}");
    spec.time_limit_ms = t->time_limit_ms;
    spec.resources = &resources;
    spec.inputs = t->inputs;
    spec.n_inputs = t->n_inputs;
    Acsweep__Assignment a = ACSWEEP__ASSIGNMENT__INIT, *list = &a;
    a.token = &token;
    a.spec = &spec;
    a.slot = t->slot;
    Acsweep__Assign x = ACSWEEP__ASSIGN__INIT;
    x.n_assignments = 1;
    x.assignments = &list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_ASSIGN;
    m.assign = &x;
    send(&m, arg);
}
