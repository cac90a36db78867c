#include "common/opts_file.h"

#include <libconfig.h>
#include <string.h>

#include "common/conf.h"
#include "common/conf_scan.h"

void opts_file_free(struct opts_file *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++) {
        free(f->settings[i].name);
        free(f->settings[i].text);
    }
    free(f->settings);
    free(f);
}

static char *text_of(const config_setting_t *s)
{
    char number[64];
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_BOOL:
        return strdup(config_setting_get_bool(s) ? "true" : "false");
    case CONFIG_TYPE_INT:
        snprintf(number, sizeof number, "%d", config_setting_get_int(s));
        return strdup(number);
    case CONFIG_TYPE_INT64:
        snprintf(number, sizeof number, "%lld", config_setting_get_int64(s));
        return strdup(number);
    case CONFIG_TYPE_FLOAT:
        snprintf(number, sizeof number, "%.17g", config_setting_get_float(s));
        return strdup(number);
    case CONFIG_TYPE_STRING:
        return strdup(config_setting_get_string(s));
    }
    return NULL;
}

static int add(struct opts_file *f, const char *name, const config_setting_t *value, int line, struct err *e)
{
    struct opts_setting *more = realloc(f->settings, (f->n + 1) * sizeof *more);
    if (!more)
        return FAIL_NOMEM(e);
    f->settings = more;
    struct opts_setting *to = &more[f->n++];
    *to = (struct opts_setting){ .name = strdup(name), .text = text_of(value), .line = line };
    if (!to->name || !to->text)
        return FAIL_NOMEM(e);
    for (char *p = to->name; *p; p++)
        *p = *p == '_' ? '-' : *p;
    return 0;
}

static int take_list(struct opts_file *f, const config_setting_t *s, const char *path, struct err *e)
{
    const char *name = config_setting_name(s);
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *item = config_setting_get_elem(s, (unsigned)i);
        int line = (int)config_setting_source_line(item);
        if (config_setting_is_aggregate(item))
            return FAIL(e, ERR_INPUT, "%s:%d: %.60s must be a list of texts", path, line, name);
        TRY(add(f, name, item, line, e));
        f->settings[f->n - 1].listed = true;
        f->settings[f->n - 1].more = i > 0;
    }
    return 0;
}

static int take(struct opts_file *f, const config_setting_t *s, const char *path, struct err *e)
{
    int line = (int)config_setting_source_line(s);
    if (config_setting_is_group(s))
        return FAIL(e, ERR_INPUT, "%s:%d: %.60s must be a text, a number, or true or false", path, line,
                    config_setting_name(s));
    return config_setting_is_aggregate(s) ? take_list(f, s, path, e) : add(f, config_setting_name(s), s, line, e);
}

static int take_all(struct opts_file *f, const config_t *tree, const char *path, struct err *e)
{
    const config_setting_t *root = config_root_setting(tree);
    for (int i = 0; i < config_setting_length(root); i++)
        TRY(take(f, config_setting_get_elem(root, (unsigned)i), path, e));
    return 0;
}

struct opts_file *opts_file_read(const char *path, struct err *e)
{
    AUTO(free) char *text = conf_read_file(path, CONF_MAX_BYTES, e);
    if (!text || conf_scan(text, path, e) < 0)
        return NULL;
    AUTO(opts_file_free) struct opts_file *f = calloc(1, sizeof *f);
    if (!f)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    config_t tree;
    config_init(&tree);
    int rc = -1;
    if (config_read_string(&tree, text) != CONFIG_TRUE)
        FAIL(e, ERR_INPUT, "%s:%d: %s", path, config_error_line(&tree), config_error_text(&tree));
    else
        rc = take_all(f, &tree, path, e);
    config_destroy(&tree);
    return rc < 0 ? NULL : TAKE(f);
}

/* ---- printing ------------------------------------------------------------------------------------------------------- */

static bool is_number(const struct opt *p)
{
    return p->type == OPT_INT || p->type == OPT_REAL;
}

static void print_text(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++)
        fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    fputc('"', out);
}

static void print_setting(FILE *out, const struct opt *p)
{
    fprintf(out, "# %s", p->help);
    if (p->choices)
        fprintf(out, "; %s", p->choices);
    if (p->lo != 0 || p->hi != 0)
        fprintf(out, "; %lld..%lld", (long long)p->lo, (long long)p->hi);
    fprintf(out, p->required ? "; required\n" : p->fallback ? "; default %s\n" : "\n", p->fallback);
    if (!p->fallback && p->type != OPT_FLAG)
        fputs("# ", out);
    for (const char *c = p->name; *c; c++)
        fputc(*c == '-' ? '_' : *c, out);
    fputs(p->many ? " = [" : " = ", out);
    if (p->type == OPT_FLAG)
        fputs("false", out);
    else if (is_number(p) && p->fallback)
        fputs(p->fallback, out);
    else
        print_text(out, p->fallback ? p->fallback : "...");
    fputs(p->many ? "];\n\n" : ";\n\n", out);
}

void opts_file_print(FILE *out, const struct cmd *cmd)
{
    fprintf(out, "# Settings of %s: every option of its command line, with its default. The command line and the\n"
                 "# environment go before this file. Printed by `%s --print-config`.\n\n", cmd->name, cmd->name);
    for (size_t t = 0; t < CMD_OPTION_TABLES && cmd->options[t]; t++)
        for (const struct opt *p = cmd->options[t]; p->name; p++)
            if (strcmp(p->name, "config") != 0)
                print_setting(out, p);
}
