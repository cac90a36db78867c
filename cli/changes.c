#include "cli/changes.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/digest.h"

enum { PATH_MAX_BYTES = 4096 };

static int add(json_t *list, const char *path, const json_t *was, const json_t *is, struct err *e)
{
    json_t *one = json_pack("{s:s, s:O?, s:O?}", "field", path, "was", was, "is", is);
    return json_array_append_new(list, one) < 0 ? FAIL_NOMEM(e) : 0;
}

static int in_objects(json_t *list, const char *prefix, const json_t *was, const json_t *is, struct err *e)
{
    const char *key;
    json_t *value;
    /* The keys of both, in the order of the first; json_object_update_missing() adds those that only the second has. */
    AUTO(json_decref) json_t *both = json_copy((json_t *)was);
    if (!both || json_object_update_missing(both, (json_t *)is) < 0)
        return FAIL_NOMEM(e);
    json_object_foreach(both, key, value)
    {
        AUTO(buf_free) struct buf path = BUF_INIT(PATH_MAX_BYTES);
        buf_printf(&path, "%s%s%s", prefix, *prefix ? "." : "", key);
        TRY(buf_check(&path, "field", e));
        TRY(changes_find(list, buf_text(&path), json_object_get(was, key), json_object_get(is, key), e));
    }
    return 0;
}

static int in_arrays(json_t *list, const char *prefix, const json_t *was, const json_t *is, struct err *e)
{
    size_t n = json_array_size(was) > json_array_size(is) ? json_array_size(was) : json_array_size(is);
    for (size_t i = 0; i < n; i++) {
        AUTO(buf_free) struct buf path = BUF_INIT(PATH_MAX_BYTES);
        buf_printf(&path, "%s[%zu]", prefix, i);
        TRY(buf_check(&path, "field", e));
        TRY(changes_find(list, buf_text(&path), json_array_get(was, i), json_array_get(is, i), e));
    }
    return 0;
}

int changes_find(json_t *list, const char *prefix, const json_t *was, const json_t *is, struct err *e)
{
    if (was && is && json_equal((json_t *)was, (json_t *)is))
        return 0;
    if (json_is_object(was) && json_is_object(is))
        return in_objects(list, prefix, was, is, e);
    if (json_is_array(was) && json_is_array(is))
        return in_arrays(list, prefix, was, is, e);
    return add(list, prefix, was, is, e);
}
