/* stage2, native: connector and decoder fine-tuned together, the decoder's weights all of them or by LoRA; encoders are
 * frozen. Parameters as in native_train.h.
 *
 *     inputs     connector: what stage1 left
 *     artifacts  model: a directory; a whole model in LLaVA's layout (worker/model/vlm.h), or with LoRA the adapter and the
 *                connector alone (worker/train/adapter.h), which are read together with the decoder they were trained on */
#include "worker/exec/native_train.h"
#include "worker/layout.h"

static int publish(struct trainer *trained, struct artifact_dir *dir, struct exec_result *r, struct err *e)
{
    AUTO(free) char *path = NULL;
    if (asprintf(&path, "%s/model", artifact_path(dir)) < 0)
        return FAIL_NOMEM(e);
    TRY(make_dirs(path, e));
    TRY(trainer_save(trained, path, e));
    return artifact_add(dir, "model", "model", r, e);
}

static int check(const struct exec_task *t, struct err *e)
{
    return native_train_check(t, TRAIN_STAGE2, e);
}

static int run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    return native_train_run(t, TRAIN_STAGE2, publish, r, e);
}

const struct native_kind native_stage2 = { "stage2", check, run };
