/* Command lines as tables: parsing and values. Help and completion are in opts_help.c. */
#include "common/opts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/opts_file.h"
#include "common/parse.h"

/* A value of one option. Texts point into argv, the environment or the tables; only the list itself is ours. */
struct value {
    const struct opt *opt;
    const char **texts; /* n of them, and a NULL */
    size_t n;
    bool given; /* by command line or environment */
    int64_t integer;
    double real;
};

enum { CMD_PATH_SIZE = 128 };

struct opts {
    const struct cmd *root, *cmd;
    char path[CMD_PATH_SIZE];
    struct value *values;
    size_t n_values;
    const char **args;
    size_t n_args;
    bool help, print_config;
    struct opts_file *file; /* owns texts that values point to */
};

void opts_free(struct opts *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n_values; i++)
        free(o->values[i].texts);
    free(o->values);
    free(o->args);
    opts_file_free(o->file);
    free(o);
}

/* ---- which command ---------------------------------------------------------------------------------------------- */

static const struct cmd *sub_named(const struct cmd *c, const char *name)
{
    for (size_t i = 0; c->sub[i]; i++)
        if (strcmp(c->sub[i]->name, name) == 0)
            return c->sub[i];
    return NULL;
}

static int unknown_command(const struct opts *o, const char *word, struct err *e)
{
    const char *names[128];
    size_t n = 0;
    for (size_t i = 0; o->cmd->sub[i] && n < ARRAY_LEN(names); i++)
        names[n++] = o->cmd->sub[i]->name;
    const char *near = parse_nearest(word, names, n);
    if (near)
        return FAIL(e, ERR_USAGE, "unknown command '%s'; did you mean '%s'?", word, near);
    return FAIL(e, ERR_USAGE, "unknown command '%s'", word);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Walk down the words that name commands; returns how many were used, or -1. */
static int choose_command(struct opts *o, int argc, char *const *argv, struct err *e)
{
    int used = 0;
    while (o->cmd->sub) {
        const char *word = used < argc ? argv[used] : NULL;
        if (!word)
            return FAIL(e, ERR_USAGE, "a command is missing after '%s'", o->path);
        if (is_help(word)) {
            o->help = true;
            return argc;
        }
        if (word[0] == '-')
            return FAIL(e, ERR_USAGE, "'%s' must be followed by a command, not by %s", o->path, word);
        const struct cmd *next = sub_named(o->cmd, word);
        if (!next)
            return unknown_command(o, word, e);
        o->cmd = next;
        size_t at = strlen(o->path);
        snprintf(o->path + at, sizeof o->path - at, " %s", next->name);
        used++;
    }
    return used;
}

/* ---- option values ---------------------------------------------------------------------------------------------- */

static int make_values(struct opts *o, struct err *e)
{
    for (size_t t = 0; t < CMD_OPTION_TABLES && o->cmd->options[t]; t++)
        for (const struct opt *p = o->cmd->options[t]; p->name; p++)
            o->n_values++;
    o->values = calloc(o->n_values + 1, sizeof *o->values);
    if (!o->values)
        return FAIL_NOMEM(e);
    size_t n = 0;
    for (size_t t = 0; t < CMD_OPTION_TABLES && o->cmd->options[t]; t++)
        for (const struct opt *p = o->cmd->options[t]; p->name; p++)
            o->values[n++].opt = p;
    return 0;
}

static struct value *value_named(const struct opts *o, const char *name, size_t len)
{
    for (size_t i = 0; i < o->n_values; i++)
        if (strncmp(o->values[i].opt->name, name, len) == 0 && o->values[i].opt->name[len] == '\0')
            return &o->values[i];
    return NULL;
}

static struct value *value_lettered(const struct opts *o, char letter)
{
    for (size_t i = 0; i < o->n_values; i++)
        if (o->values[i].opt->letter == letter)
            return &o->values[i];
    return NULL;
}

static int value_add(struct value *v, const char *text, struct err *e)
{
    if (v->n > 0 && !v->opt->many) { /* the last one wins, as users of shell aliases expect */
        v->texts[0] = text;
        return 0;
    }
    const char **more = realloc(v->texts, (v->n + 2) * sizeof *more);
    if (!more)
        return FAIL_NOMEM(e);
    v->texts = more;
    v->texts[v->n++] = text;
    v->texts[v->n] = NULL;
    return 0;
}

static int check_limits(const struct opt *p, double x, struct err *e)
{
    if ((p->lo != 0 || p->hi != 0) && (x < (double)p->lo || x > (double)p->hi))
        return FAIL(e, ERR_USAGE, "%g is not within %lld and %lld", x, (long long)p->lo, (long long)p->hi);
    return 0;
}

static int check_choice(const struct opt *p, const char *text, struct err *e)
{
    const char *names[32];
    size_t n = 0;
    char copy[256];
    snprintf(copy, sizeof copy, "%s", p->choices);
    char *rest = copy;
    for (char *word; n < ARRAY_LEN(names) && (word = strsep(&rest, "|"));) {
        if (strcmp(word, text) == 0)
            return 0;
        names[n++] = word;
    }
    const char *near = parse_nearest(text, names, n);
    if (near)
        return FAIL(e, ERR_USAGE, "'%.60s' is not one of %s; did you mean '%s'?", text, p->choices, near);
    return FAIL(e, ERR_USAGE, "'%.60s' is not one of %s", text, p->choices);
}

/* Check one text against its type and keep the number that it means. */
static int convert(struct value *v, const char *text, struct err *e)
{
    const struct opt *p = v->opt;
    bool limited = p->lo != 0 || p->hi != 0;
    uint64_t size = 0;
    switch (p->type) {
    case OPT_FLAG:
    case OPT_TEXT:
        return 0;
    case OPT_FILE:
    case OPT_DIR:
        return *text ? 0 : FAIL(e, ERR_USAGE, "must not be empty");
    case OPT_INT:
        return parse_i64(text, limited ? p->lo : INT64_MIN, limited ? p->hi : INT64_MAX, &v->integer, e);
    case OPT_REAL:
        TRY(parse_double(text, &v->real, e));
        return check_limits(p, v->real, e);
    case OPT_DURATION:
        return parse_duration(text, &v->integer, e);
    case OPT_SIZE:
        TRY(parse_size(text, &size, e));
        if (size > INT64_MAX)
            return FAIL(e, ERR_USAGE, "'%s' is too large", text);
        v->integer = (int64_t)size;
        return 0;
    case OPT_CHOICE:
        return check_choice(p, text, e);
    }
    return FAIL(e, ERR_BUG, "option type %d", (int)p->type);
}

/* A wrong value is a wrong command line, whatever parse.h calls it. */
static int convert_from(struct value *v, const char *text, const char *place, struct err *e)
{
    struct err why = { 0 };
    if (convert(v, text, &why) == 0)
        return 0;
    if (why.kind == ERR_BUG || why.kind == ERR_ENV || why.kind == ERR_NOMEM)
        return FAIL(e, why.kind, "%s: %s", place, why.text);
    return FAIL(e, ERR_USAGE, "%s: %s", place, why.text);
}

static int unknown_option(const struct opts *o, const char *word, struct err *e)
{
    const char *names[128];
    size_t n = 0;
    for (size_t i = 0; i < o->n_values && n < ARRAY_LEN(names) - 1; i++)
        names[n++] = o->values[i].opt->name;
    names[n++] = "help";
    size_t len = strcspn(word, "=");
    char bare[64];
    snprintf(bare, sizeof bare, "%.*s", (int)(len > 60 ? 60 : len), word);
    const char *near = word[0] == '-' && word[1] == '-' ? parse_nearest(bare + 2, names, n) : NULL;
    if (near)
        return FAIL(e, ERR_USAGE, "unknown option %s; did you mean --%s?", bare, near);
    return FAIL(e, ERR_USAGE, "unknown option %s", bare);
}

/* The value of an option that needs one: what is attached, else the next word. Returns words used beyond this one. */
static int take_value(struct value *v, const char *shown, const char *attached, const char *next, struct err *e)
{
    const char *text = attached ? attached : next;
    if (!text)
        return FAIL(e, ERR_USAGE, "%s needs a value: %s", shown, v->opt->value ? v->opt->value : "VALUE");
    TRY(convert_from(v, text, shown, e));
    TRY(value_add(v, text, e));
    v->given = true;
    return attached ? 0 : 1;
}

static int take_long(struct opts *o, const char *word, const char *next, struct err *e)
{
    size_t len = strcspn(word + 2, "=");
    struct value *v = value_named(o, word + 2, len);
    if (!v)
        return unknown_option(o, word, e);
    const char *attached = word[2 + len] == '=' ? word + 2 + len + 1 : NULL;
    char shown[64];
    snprintf(shown, sizeof shown, "--%s", v->opt->name);
    if (v->opt->type != OPT_FLAG)
        return take_value(v, shown, attached, next, e);
    if (attached)
        return FAIL(e, ERR_USAGE, "%s takes no value", shown);
    v->given = true;
    return value_add(v, "yes", e);
}

static int take_short(struct opts *o, const char *word, const char *next, struct err *e)
{
    for (const char *c = word + 1; *c; c++) {
        const char shown[] = { '-', *c, '\0' };
        struct value *v = value_lettered(o, *c);
        if (!v && *c == 'h') {
            o->help = true;
            return 0;
        }
        if (!v)
            return unknown_option(o, c == word + 1 ? word : shown, e);
        if (v->opt->type != OPT_FLAG)
            return take_value(v, shown, c[1] ? c + 1 : NULL, next, e);
        v->given = true;
        TRY(value_add(v, "yes", e));
    }
    return 0;
}

static int take_words(struct opts *o, int argc, char *const *argv, struct err *e)
{
    bool only_args = false;
    for (int i = 0; i < argc && !o->help; i++) {
        const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        int used = 0;
        if (only_args || word[0] != '-' || word[1] == '\0')
            o->args[o->n_args++] = word;
        else if (strcmp(word, "--") == 0)
            only_args = true;
        else if (is_help(word))
            o->help = true;
        else if (strcmp(word, "--print-config") == 0 && opts_has(o, "config"))
            o->help = o->print_config = true;
        else
            used = word[1] == '-' ? take_long(o, word, next, e) : take_short(o, word, next, e);
        if (used < 0)
            return -1;
        i += used;
    }
    return 0;
}

static int fill_from_environment(struct opts *o, struct err *e)
{
    for (size_t i = 0; i < o->n_values; i++) {
        struct value *v = &o->values[i];
        const char *env = v->n == 0 && v->opt->env ? getenv(v->opt->env) : NULL;
        if (!env || !*env)
            continue;
        TRY(convert_from(v, env, v->opt->env, e));
        TRY(value_add(v, env, e));
        v->given = true;
    }
    return 0;
}

static int unknown_setting(const struct opts *o, const struct opts_setting *s, const char *path, struct err *e)
{
    const char *names[128];
    size_t n = 0;
    for (size_t i = 0; i < o->n_values && n < ARRAY_LEN(names); i++)
        names[n++] = o->values[i].opt->name;
    const char *near = parse_nearest(s->name, names, n);
    return FAIL(e, ERR_INPUT, "%s:%d: '%.60s' is not a setting of %s%s%s%s", path, s->line, s->name, o->path,
                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* *overruled: the command line or the environment said otherwise; kept by the caller from one element of a list to the
 * next. */
static int take_setting(struct opts *o, const struct opts_setting *s, const char *path, bool *overruled, struct err *e)
{
    struct value *v = value_named(o, s->name, strlen(s->name));
    if (!v || strcmp(s->name, "config") == 0)
        return unknown_setting(o, s, path, e);
    if (s->listed && !v->opt->many)
        return FAIL(e, ERR_INPUT, "%s:%d: %s must be a text, a number, or true or false", path, s->line, s->name);
    *overruled = s->more ? *overruled : v->n > 0;
    bool flag = v->opt->type == OPT_FLAG, is_true = strcmp(s->text, "true") == 0;
    if (flag && !is_true && strcmp(s->text, "false") != 0)
        return FAIL(e, ERR_INPUT, "%s:%d: %s must be true or false", path, s->line, s->name);
    struct err why = { 0 };
    struct value checked = *v;
    if (convert(*overruled ? &checked : v, s->text, &why) < 0)
        return FAIL(e, ERR_INPUT, "%s:%d: %s: %s", path, s->line, s->name, why.text);
    if (*overruled || (flag && !is_true))
        return 0; /* there is nothing to set */
    v->given = true;
    return value_add(v, s->text, e);
}

/* The file of the option `config`, for a command that has one. */
static int fill_from_file(struct opts *o, struct err *e)
{
    const struct value *config = value_named(o, "config", strlen("config"));
    if (!config || config->n == 0)
        return 0;
    o->file = opts_file_read(config->texts[0], e);
    if (!o->file)
        return -1;
    bool overruled = false;
    for (size_t i = 0; i < o->file->n; i++)
        TRY(take_setting(o, &o->file->settings[i], config->texts[0], &overruled, e));
    return 0;
}

static int fill_absent(struct opts *o, struct err *e)
{
    TRY(fill_from_environment(o, e));
    TRY(fill_from_file(o, e));
    for (size_t i = 0; i < o->n_values; i++) {
        struct value *v = &o->values[i];
        if (v->n == 0 && v->opt->fallback) {
            TRY(convert_from(v, v->opt->fallback, v->opt->name, e));
            TRY(value_add(v, v->opt->fallback, e));
        } else if (v->n == 0 && v->opt->required) {
            return FAIL(e, ERR_USAGE, "--%s %s is missing", v->opt->name, v->opt->value ? v->opt->value : "VALUE");
        }
    }
    return 0;
}

/* ---- arguments -------------------------------------------------------------------------------------------------- */

/* Compare the number of arguments with a pattern such as "SWEEP.CFG [DIR]" or "TASK...". */
static int check_args(const struct opts *o, struct err *e)
{
    size_t least = 0, most = 0;
    const char *missing = NULL;
    size_t missing_len = 0;
    for (const char *p = o->cmd->args ? o->cmd->args : ""; *p;) {
        size_t len = strcspn(p, " ");
        bool many = memmem(p, len, "...", 3) != NULL;
        if (*p != '[' && ++least > o->n_args && !missing) {
            missing = p;
            missing_len = len;
        }
        most = many ? SIZE_MAX : most + 1;
        p += len + strspn(p + len, " ");
        if (many)
            break;
    }
    if (missing)
        return FAIL(e, ERR_USAGE, "argument %.*s is missing", (int)missing_len, missing);
    if (o->n_args > most)
        return FAIL(e, ERR_USAGE, "unexpected argument '%s'", o->args[most]);
    return 0;
}

/* `path` tells which command was meant, also after an error. */
static struct opts *parse_line(const struct cmd *root, int argc, char *const *argv, char path[CMD_PATH_SIZE],
                               struct err *e)
{
    AUTO(opts_free) struct opts *o = calloc(1, sizeof *o);
    if (!o)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    o->root = o->cmd = root;
    snprintf(o->path, sizeof o->path, "%s", root->name);
    strcpy(path, o->path);
    if (argc > 0) {
        argc--;
        argv++;
    }
    o->args = calloc((size_t)argc + 1, sizeof *o->args);
    if (!o->args)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    int used = choose_command(o, argc, argv, e);
    strcpy(path, o->path);
    if (used < 0 || make_values(o, e) < 0) {
        err_wrap(e, "%s", o->path);
        return NULL;
    }
    if (o->help)
        return TAKE(o);
    if (take_words(o, argc - used, argv + used, e) < 0 ||
        (!o->help && (fill_absent(o, e) < 0 || check_args(o, e) < 0))) {
        err_wrap(e, "%s", o->path);
        return NULL;
    }
    return TAKE(o);
}

struct opts *opts_parse(const struct cmd *root, int argc, char *const *argv, struct err *e)
{
    char path[CMD_PATH_SIZE];
    return parse_line(root, argc, argv, path, e);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

const struct cmd *opts_root(const struct opts *o)
{
    return o->root;
}

const struct cmd *opts_cmd(const struct opts *o)
{
    return o->cmd;
}

const char *opts_path(const struct opts *o)
{
    return o->path;
}

bool opts_help_wanted(const struct opts *o)
{
    return o->help;
}

bool opts_has(const struct opts *o, const char *name)
{
    return value_named(o, name, strlen(name)) != NULL;
}

static const struct value *must_have(const struct opts *o, const char *name)
{
    const struct value *v = value_named(o, name, strlen(name));
    if (!v) {
        fprintf(stderr, "%s: bug: the command has no option --%s\n", o->path, name);
        abort();
    }
    return v;
}

bool opts_given(const struct opts *o, const char *name)
{
    return must_have(o, name)->given;
}

bool opts_flag(const struct opts *o, const char *name)
{
    const struct value *v = must_have(o, name);
    if (v->n == 0)
        return false;
    /* A flag's environment variable: anything but 0 and no. */
    return strcmp(v->texts[0], "0") != 0 && strcmp(v->texts[0], "no") != 0;
}

const char *opts_text(const struct opts *o, const char *name)
{
    const struct value *v = must_have(o, name);
    return v->n > 0 ? v->texts[0] : NULL;
}

int64_t opts_int(const struct opts *o, const char *name)
{
    return must_have(o, name)->integer;
}

double opts_real(const struct opts *o, const char *name)
{
    return must_have(o, name)->real;
}

size_t opts_list(const struct opts *o, const char *name, const char *const **values)
{
    const struct value *v = must_have(o, name);
    *values = (const char *const *)v->texts;
    return v->n;
}

size_t opts_n_args(const struct opts *o)
{
    return o->n_args;
}

const char *opts_arg(const struct opts *o, size_t i)
{
    return i < o->n_args ? o->args[i] : NULL;
}

/* ---- a whole main ----------------------------------------------------------------------------------------------- */

/* A parse error names the command itself; an error of a command gets the command's name in front. */
static int print_error(const struct err *e, const char *path, bool parsed)
{
    fflush(stdout);
    if (e->kind == ERR_BUG)
        fprintf(stderr, "%s: bug at %s:%d: %s\n", path, e->file ? e->file : "?", e->line, e->text);
    else if (parsed)
        fprintf(stderr, "%s: %s\n", path, e->text);
    else
        fprintf(stderr, "%s\n", e->text);
    if (e->kind == ERR_USAGE)
        fprintf(stderr, "Try '%s --help'.\n", path);
    return err_exit_code(e->kind);
}

int opts_main(const struct cmd *root, int argc, char **argv)
{
    struct err e = { 0 };
    char path[CMD_PATH_SIZE] = "";
    AUTO(opts_free) struct opts *o = parse_line(root, argc, argv, path, &e);
    if (!o)
        return print_error(&e, path, false);
    int code = 0;
    if (o->print_config)
        opts_file_print(stdout, o->cmd);
    else if (o->help)
        opts_print_help(stdout, root, o->cmd, o->path, 0);
    else
        code = o->cmd->run(o, &e);
    if (code < 0)
        return print_error(&e, path, true);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "%s: cannot write to standard output: %s\n", path, strerror(errno));
        return err_exit_code(ERR_ENV);
    }
    return code;
}
