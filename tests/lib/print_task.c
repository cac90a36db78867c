/* print_task SWEEP.CFG LABEL INPUTS: the task of that label as the file that a program under executor `command` gets; each
 * input has one artifact below the folder INPUTS. For the tests of examples' programs. */
#include <jansson.h>
#include <string.h>

#include "common/digest.h"
#include "coordinator/plan.h"

static int print_task(const struct plan *p, const struct plan_task *t, const char *folder, struct err *e)
{
    AUTO(json_decref) json_t *params = json_loads(t->params, 0, NULL);
    json_t *inputs = json_object();
    for (size_t i = 0; i < t->n_inputs; i++) {
        char path[1024];
        const char *name = t->inputs[i].name;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        json_object_set_new(inputs, name, json_pack("{s:s,s:{s:s}}", "identity", p->tasks[t->inputs[i].task].identity,
                                                    "artifacts", "result", path));
    }
    AUTO(json_decref) json_t *task = json_pack("{s:s,s:s,s:O,s:O,s:o}", "kind", t->kind, "label", t->label, "parameters",
                                               json_object_get(params, "identity"), "execution",
                                               json_object_get(params, "execution"), "inputs", inputs);
    return task && json_dumpf(task, stdout, JSON_INDENT(2)) == 0 ? 0 : FAIL(e, ERR_ENV, "cannot print the task");
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    AUTO(plan_destroy) struct plan *p = argc == 4 ? plan_load_file(argv[1], &e) : NULL;
    for (size_t i = 0; p && i < p->n_tasks; i++)
        if (strcmp(p->tasks[i].label, argv[2]) == 0 && print_task(p, &p->tasks[i], argv[3], &e) == 0)
            return 0;
    fprintf(stderr, "print_task: %s\n", e.text[0] ? e.text : "no such task");
    return 1;
}
