/* What a client sent, and what was found out since, as it is kept with the sweep (column sweep.plan):
 *
 *     {"place": ..., "files": {NAME: TEXT}, "looks": TEXT, "content": {NAME: DIGEST}, "before": CONFIG DIGEST}
 *
 * The last three only where content is identified: `looks` names this look at it, `content` is what it found, and
 * `before`, until then, the config that the sweep's rounds belong to ("" = there are none). */
#include <jansson.h>
#include <string.h>
#include <sys/random.h>

#include "common/digest.h"
#include "common/parse.h"
#include "coordinator/store.h"

static void free_texts(char **list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        free(list[i]);
    free(list);
}

void submission_free(struct submission *s)
{
    free_texts(s->file_names, s->n_files);
    free_texts(s->file_texts, s->n_files);
    free_texts(s->content_names, s->n_content);
    free_texts(s->content_digests, s->n_content);
    free(s->config);
    free(s->place);
    free(s->looks);
    free(s->before);
    *s = (struct submission){ 0 };
}

int submission_add_content(struct submission *s, const char *name, const char *digest, struct err *e)
{
    char **names = realloc(s->content_names, (s->n_content + 1) * sizeof *names);
    if (!names)
        return FAIL_NOMEM(e);
    s->content_names = names;
    char **digests = realloc(s->content_digests, (s->n_content + 1) * sizeof *digests);
    if (!digests)
        return FAIL_NOMEM(e);
    s->content_digests = digests;
    names[s->n_content] = strdup(name);
    digests[s->n_content] = strdup(digest);
    s->n_content++;
    return names[s->n_content - 1] && digests[s->n_content - 1] ? 0 : FAIL_NOMEM(e);
}

int submission_look(struct submission *s, const char *before, struct err *e)
{
    unsigned char random[16];
    char hex[2 * sizeof random + 1];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return FAIL(e, ERR_ENV, "no random numbers");
    hex_encode(random, sizeof random, hex);
    s->looks = strdup(hex);
    s->before = strdup(before);
    return s->looks && s->before ? 0 : FAIL_NOMEM(e);
}

/* ---- JSON ---- */

static int put_content(json_t *j, const struct submission *s)
{
    json_t *content = json_object();
    int rc = s->looks ? json_object_set_new(j, "looks", json_string(s->looks)) : 0;
    if (s->before)
        rc |= json_object_set_new(j, "before", json_string(s->before));
    for (size_t i = 0; i < s->n_content; i++)
        rc |= json_object_set_new(content, s->content_names[i], json_string(s->content_digests[i]));
    if (s->n_content)
        return rc | json_object_set_new(j, "content", content);
    json_decref(content);
    return rc;
}

char *submission_json(const struct submission *s, struct err *e)
{
    AUTO(json_decref) json_t *j = json_pack("{s:s, s:{}}", "place", s->place, "files");
    for (size_t i = 0; j && i < s->n_files; i++)
        if (json_object_set_new(json_object_get(j, "files"), s->file_names[i], json_string(s->file_texts[i])) < 0)
            return FAIL_NULL(e, ERR_INPUT, "the file '%s' is not UTF-8 text", s->file_names[i]);
    if (!j)
        return FAIL_NULL(e, ERR_INPUT, "the config's path is not UTF-8 text");
    return put_content(j, s) == 0 ? json_canonical(j, e) : FAIL_NULL(e, ERR_ENV, "out of memory");
}

static int take_text(json_t *j, const char *key, char **out, struct err *e)
{
    const char *text = json_string_value(json_object_get(j, key));
    free(TAKE(*out));
    return !text || (*out = strdup(text)) ? 0 : FAIL_NOMEM(e);
}

static int take_content(struct submission *s, json_t *j, struct err *e)
{
    const char *name;
    json_t *digest;
    TRY(take_text(j, "looks", &s->looks, e));
    TRY(take_text(j, "before", &s->before, e));
    json_object_foreach(json_object_get(j, "content"), name, digest)
        TRY(submission_add_content(s, name, json_string_value(digest) ? json_string_value(digest) : "", e));
    return 0;
}

int submission_adopt(struct submission *s, const char *json, struct err *e)
{
    AUTO(json_decref) json_t *j = json_loads(json, 0, NULL);
    return take_content(s, j, e);
}

int submission_of_json(const char *config, const char *json, struct submission *s, struct err *e)
{
    AUTO(json_decref) json_t *j = json_loads(json, 0, NULL);
    json_t *files = json_object_get(j, "files"), *text;
    const char *name, *place = json_string_value(json_object_get(j, "place"));
    if (!place || !json_is_object(files))
        return FAIL(e, ERR_DB, "the stored submission of a sweep cannot be read");
    size_t n = json_object_size(files);
    *s = (struct submission){ .config = strdup(config), .place = strdup(place), .n_files = 0 };
    s->file_names = calloc(n + 1, sizeof *s->file_names);
    s->file_texts = calloc(n + 1, sizeof *s->file_texts);
    if (!s->config || !s->place || !s->file_names || !s->file_texts)
        return FAIL_NOMEM(e);
    json_object_foreach(files, name, text)
    {
        s->file_names[s->n_files] = strdup(name);
        s->file_texts[s->n_files++] = strdup(json_string_value(text) ? json_string_value(text) : "");
    }
    return take_content(s, j, e);
}
