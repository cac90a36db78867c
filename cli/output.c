/* Tables, colours and JSON on stdout. */
#include "cli/output.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int out_tty_width(FILE *f)
{
    struct winsize w;
    if (!isatty(fileno(f)))
        return 0;
    if (ioctl(fileno(f), TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
        return 80;
    return w.ws_col;
}

bool out_colour(FILE *f)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(f)) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

const char *out_style(FILE *f, enum out_style style)
{
    static const char *const codes[] = {
        [OUT_PLAIN] = "\033[0m",   [OUT_BOLD] = "\033[1m",    [OUT_DIM] = "\033[2m",
        [OUT_GREEN] = "\033[32m", [OUT_YELLOW] = "\033[33m", [OUT_RED] = "\033[31m",
    };
    return out_colour(f) ? codes[style] : "";
}

size_t out_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

struct table {
    size_t n_columns, n_cells, cap;
    char **cells; /* row by row; the first row holds the names */
};

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

/* A copy without bytes that would move the cursor or change the terminal. */
static char *clean_copy(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    return copy;
}

struct table *table_create(const char *const *columns, size_t n, struct err *e)
{
    AUTO(table_free) struct table *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    t->n_columns = n;
    if (table_add(t, columns, e) < 0)
        return NULL;
    return TAKE(t);
}

int table_add(struct table *t, const char *const *cells, struct err *e)
{
    if (t->n_cells + t->n_columns > t->cap) {
        size_t cap = t->cap ? t->cap * 2 : t->n_columns * 16;
        char **more = reallocarray(t->cells, cap, sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        t->cells = more;
        t->cap = cap;
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        char *copy = clean_copy(cells[i] ? cells[i] : "-");
        if (!copy) {
            while (i-- > 0)
                free(t->cells[--t->n_cells]);
            return FAIL_NOMEM(e);
        }
        t->cells[t->n_cells++] = copy;
    }
    return 0;
}

size_t table_rows(const struct table *t)
{
    return t->n_cells / t->n_columns - 1;
}

static bool is_number(const char *s)
{
    if (*s == '-' && s[1] == '\0')
        return true; /* absent */
    return *s && strspn(s, "0123456789.+-e%") == strlen(s);
}

static bool column_is_numbers(const struct table *t, size_t c)
{
    bool any = false;
    for (size_t i = t->n_columns + c; i < t->n_cells; i += t->n_columns) {
        if (!is_number(t->cells[i]))
            return false;
        any |= isdigit((unsigned char)t->cells[i][strcspn(t->cells[i], "0123456789")]) != 0;
    }
    return any;
}

int out_bytes_within(const char *text, size_t width)
{
    size_t at = 0, n = 0;
    while (text[at]) {
        if (((unsigned char)text[at] & 0xC0) != 0x80 && n++ == width)
            break;
        at++;
    }
    return (int)at;
}

static void print_cell(FILE *f, const char *text, size_t width, bool right, bool last, size_t room)
{
    size_t w = out_width(text);
    if (right)
        fprintf(f, "%*s%s", (int)(width - w), "", text);
    else if (last && room > 0 && w > room)
        fprintf(f, "%.*s", out_bytes_within(text, room), text);
    else
        fprintf(f, "%s%*s", text, last ? 0 : (int)(width - w), "");
}

void table_print(const struct table *t, FILE *f)
{
    size_t *widths = calloc(t->n_columns, sizeof *widths);
    bool *right = calloc(t->n_columns, sizeof *right);
    for (size_t i = 0; widths && right && i < t->n_cells; i++) {
        size_t w = out_width(t->cells[i]);
        if (w > widths[i % t->n_columns])
            widths[i % t->n_columns] = w;
    }
    size_t before_last = 0, tty = (size_t)out_tty_width(f);
    for (size_t c = 0; widths && right && c < t->n_columns; c++) {
        right[c] = column_is_numbers(t, c);
        before_last += c + 1 < t->n_columns ? widths[c] + 2 : 0;
    }
    size_t room = tty > before_last + 10 ? tty - before_last : 0;
    for (size_t i = 0; widths && right && i < t->n_cells; i++) {
        size_t c = i % t->n_columns;
        bool last = c + 1 == t->n_columns;
        if (i == 0)
            fputs(out_style(f, OUT_BOLD), f);
        print_cell(f, t->cells[i], widths[c], right[c], last, room);
        if (i + 1 == t->n_columns)
            fputs(out_style(f, OUT_PLAIN), f);
        fputs(last ? "\n" : "  ", f);
    }
    free(widths);
    free(right);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

int out_json(json_t *value, struct err *e)
{
    if (!value)
        return FAIL_NOMEM(e);
    size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) | (isatty(STDOUT_FILENO) ? JSON_INDENT(2) : 0);
    int rc = json_dumpf(value, stdout, flags);
    json_decref(value);
    if (rc != 0)
        return FAIL(e, ERR_ENV, "cannot write JSON to standard output");
    putchar('\n');
    return 0;
}
