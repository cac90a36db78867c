/* A checkpoint of tests/golden with something wrong in it. */
#ifndef ACSWEEP_TESTS_LIB_CHECKPOINT_COPY_H
#define ACSWEEP_TESTS_LIB_CHECKPOINT_COPY_H

struct checkpoint_edit {
    enum { EDIT_DROP = 1, EDIT_RENAME, EDIT_ADD, EDIT_FLATTEN, EDIT_TO_INTEGERS } what;
    const char *name;
    const char *to; /* the new name; of EDIT_ADD: copy `name` under this one */
};

/* Write `from`'s tensors, edited, as to/model.safetensors, and its config.json beside them. `edits` ends with {0}. */
void checkpoint_copy(const char *from, const char *to, const struct checkpoint_edit *edits);
/* Another config.json. */
void checkpoint_config(const char *dir, const char *text);
/* A fresh directory under /tmp; and what was put there gone again. */
void checkpoint_scratch(char dir[64]);
void checkpoint_scratch_end(const char *dir);

#endif
