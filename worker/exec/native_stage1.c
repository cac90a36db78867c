/* stage1, native: the connector of a representation; decoder and encoders are frozen. Parameters as in native_train.h.
 *
 *     artifacts  connector (mm_projector.safetensors), connector_bin (the same, for LLaVA's own code) */
#include "worker/exec/native_train.h"

static int publish(struct trainer *trained, struct artifact_dir *dir, struct exec_result *r, struct err *e)
{
    TRY(trainer_save(trained, artifact_path(dir), e));
    TRY(artifact_add(dir, "connector", "mm_projector.safetensors", r, e));
    return artifact_add(dir, "connector_bin", "mm_projector.bin", r, e);
}

static int check(const struct exec_task *t, struct err *e)
{
    return native_train_check(t, TRAIN_STAGE1, e);
}

static int run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    return native_train_run(t, TRAIN_STAGE1, publish, r, e);
}

const struct native_kind native_stage1 = { "stage1", check, run };
