/* The settings of a training as JSON: from any bytes an error, or a recipe whose JSON says the same again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/digest.h"
#include "worker/train/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct train_recipe r = train_recipe_default(size % 2 ? TRAIN_STAGE1 : TRAIN_STAGE2), back = r;
    AUTO(json_decref) json_t *j = json_loadb((const char *)data, size, 0, NULL);
    if (!j || train_recipe_read(&r, j, &e) < 0 || train_recipe_check(&r, &e) < 0)
        return 0;
    AUTO(json_decref) json_t *once = train_recipe_json(&r);
    if (!once || train_recipe_read(&back, once, &e) < 0)
        abort();
    AUTO(json_decref) json_t *twice = train_recipe_json(&back);
    if (!json_equal(once, twice) || train_recipe_steps(&r, 1000) < 1 || !(train_recipe_rate(&r, 10, 9) >= 0))
        abort();
    return 0;
}
