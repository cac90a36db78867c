/* By itself: acsweep-exec asks it before it loads the module, which has option tables of its own. */
#include "worker/tool/tool_options.h"

#include <string.h>

bool tool_is(const char *name)
{
    static const char *const names[] = { TOOL_EXTRACT_NAME, TOOL_GENERATE_NAME, TOOL_EVALUATE_NAME, TOOL_TRAIN_NAME, "train-rank" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}
