/* Help pages and the bash completion script, both made from the command tables of opts.h. */
#include "common/opts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { HELP_WIDTH = 80, HELP_WIDTH_LEAST = 40, HELP_WIDTH_MOST = 110, HELP_COLUMN = 26 };

/* ---- help ------------------------------------------------------------------------------------------------------- */

static int terminal_width(FILE *out)
{
    struct winsize w;
    if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
        return HELP_WIDTH;
    return w.ws_col < HELP_WIDTH_LEAST ? HELP_WIDTH_LEAST : w.ws_col > HELP_WIDTH_MOST ? HELP_WIDTH_MOST : w.ws_col;
}

/* Print words from `text` (len bytes) wrapped at `width`; the cursor stands at column `at`, later lines start at
 * `indent`. Ends without a newline. */
static void print_wrapped(FILE *out, const char *text, size_t len, int at, int indent, int width)
{
    bool first = true;
    const char *end = text + len;
    while (text < end) {
        text += strspn(text, " \n");
        if (text >= end)
            return;
        size_t word = strcspn(text, " \n");
        if (text + word > end)
            word = (size_t)(end - text);
        if (!first && at + 1 + (int)word > width) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        at += fprintf(out, "%s%.*s", first ? "" : " ", (int)word, text);
        first = false;
        text += word;
    }
}

/* Left cell, then text in the second column (on its own line when the left one is too long). */
static void print_row(FILE *out, const char *left, const char *text, int width)
{
    int at = fprintf(out, "  %s", left);
    if (at + 2 > HELP_COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - at, "");
    print_wrapped(out, text, strlen(text), HELP_COLUMN, HELP_COLUMN, width);
    fputc('\n', out);
}

static void print_option(FILE *out, const struct opt *p, int width)
{
    char left[128], text[1024];
    const char *value = p->type == OPT_FLAG ? NULL : p->value ? p->value : p->choices ? p->choices : "VALUE";
    char letter[8] = "    ";
    if (p->letter)
        snprintf(letter, sizeof letter, "-%c, ", p->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, p->name, value ? " " : "", value ? value : "");
    const struct {
        const char *before, *what, *after; /* shown when `what` is there */
    } parts[] = {
        { "", p->help, "" },
        { " (one of ", p->type == OPT_CHOICE && p->value ? p->choices : NULL, ")" },
        { " (", p->required ? "required" : NULL, ")" },
        { " (", p->many ? "may be given again" : NULL, ")" },
        { " (default ", p->fallback && *p->fallback ? p->fallback : NULL, ")" },
        { " [$", p->env, "]" },
    };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].what && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s", parts[i].before, parts[i].what, parts[i].after);
    print_row(out, left, text, width);
}

/* Paragraphs are wrapped; lines that start with two blanks are examples and stay as they are. */
static void print_details(FILE *out, const char *text, int width)
{
    fputc('\n', out);
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (len >= 2 && text[0] == ' ' && text[1] == ' ')
            fprintf(out, "%.*s", (int)len, text);
        else
            print_wrapped(out, text, len, 0, 0, width);
        fputc('\n', out);
        text += len + (text[len] == '\n');
    }
}

static size_t count_options(const struct cmd *c)
{
    size_t n = 0;
    for (size_t t = 0; t < CMD_OPTION_TABLES && c->options[t]; t++)
        for (const struct opt *p = c->options[t]; p->name; p++)
            n++;
    return n;
}

void opts_print_help(FILE *out, const struct cmd *root, const struct cmd *cmd, const char *path, int width)
{
    if (width <= 0)
        width = terminal_width(out);
    fprintf(out, "Usage: %s%s%s%s%s\n\n", path, cmd->sub ? " COMMAND" : "", count_options(cmd) > 0 ? " [OPTION...]" : "",
            cmd->args ? " " : "", cmd->args ? cmd->args : "");
    print_wrapped(out, cmd->summary, strlen(cmd->summary), 0, 0, width - 1);
    fputs(".\n", out);
    if (cmd->sub) {
        fputs("\nCommands:\n", out);
        for (size_t i = 0; cmd->sub[i]; i++)
            print_row(out, cmd->sub[i]->name, cmd->sub[i]->summary, width);
    }
    fputs("\nOptions:\n", out);
    for (size_t t = 0; t < CMD_OPTION_TABLES && cmd->options[t]; t++)
        for (const struct opt *p = cmd->options[t]; p->name; p++)
            print_option(out, p, width);
    print_row(out, "-h, --help", "show this help", width);
    if (cmd->details)
        print_details(out, cmd->details, width);
    if (cmd->sub)
        fprintf(out, "\n'%s COMMAND --help' tells about one command.\n", cmd == root ? root->name : path);
}

/* ---- completion ------------------------------------------------------------------------------------------------- */

static void print_option_words(FILE *out, const struct cmd *c)
{
    for (size_t t = 0; t < CMD_OPTION_TABLES && c->options[t]; t++)
        for (const struct opt *p = c->options[t]; p->name; p++)
            fprintf(out, "--%s ", p->name);
    fputs("--help", out);
}

/* What follows `--option`: `case` arms of the command at `path`. */
static void print_value_arms(FILE *out, const struct cmd *c, const char *path)
{
    for (size_t t = 0; t < CMD_OPTION_TABLES && c->options[t]; t++)
        for (const struct opt *p = c->options[t]; p->name; p++) {
            if (p->type == OPT_FLAG)
                continue;
            fprintf(out, "    '%s --%s'", path, p->name);
            if (p->letter)
                fprintf(out, "|'%s -%c'", path, p->letter);
            fputs(") ", out);
            if (p->type == OPT_FILE)
                fputs("compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"))", out);
            else if (p->type == OPT_DIR)
                fputs("compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\"))", out);
            else if (p->type == OPT_CHOICE) {
                fputs("COMPREPLY=($(compgen -W '", out);
                for (const char *s = p->choices; *s; s++)
                    fputc(*s == '|' ? ' ' : *s, out);
                fputs("' -- \"$cur\"))", out);
            } else
                fputs(":", out);
            fputs("; return ;;\n", out);
        }
}

typedef void arm_printer(FILE *out, const struct cmd *c, const char *path);

static void print_word_arm(FILE *out, const struct cmd *c, const char *path)
{
    fprintf(out, "    '%s') words='", path);
    for (size_t i = 0; c->sub && c->sub[i]; i++)
        fprintf(out, "%s ", c->sub[i]->name);
    print_option_words(out, c);
    fprintf(out, "'%s ;;\n", c->args ? "; files=1" : "");
}

static void print_group_arm(FILE *out, const struct cmd *c, const char *path)
{
    for (size_t i = 0; c->sub && c->sub[i]; i++)
        fprintf(out, "      '%s %s') path=\"$path $word\" ;;\n", path, c->sub[i]->name);
}

static void each_command(FILE *out, const struct cmd *c, const char *path, arm_printer *print)
{
    print(out, c, path);
    for (size_t i = 0; c->sub && c->sub[i]; i++) {
        char below[128];
        snprintf(below, sizeof below, "%s %s", path, c->sub[i]->name);
        each_command(out, c->sub[i], below, print);
    }
}

void opts_print_completion(FILE *out, const struct cmd *root)
{
    fprintf(out,
            "# bash completion of %s; made by '%s completion bash'. Use it with\n"
            "#     source <(%s completion bash)\n"
            "_%s()\n{\n"
            "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=%s words='' files='' word i\n"
            "  COMPREPLY=()\n"
            "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
            "    word=${COMP_WORDS[i]}\n"
            "    case \"$path $word\" in\n",
            root->name, root->name, root->name, root->name, root->name);
    each_command(out, root, root->name, print_group_arm);
    fputs("    esac\n  done\n  case \"$path $prev\" in\n", out);
    each_command(out, root, root->name, print_value_arms);
    fputs("  esac\n  case \"$path\" in\n", out);
    each_command(out, root, root->name, print_word_arm);
    fprintf(out,
            "  esac\n"
            "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
            "  if [[ $files && $cur != -* ]]; then COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n"
            "}\n"
            "complete -F _%s %s\n",
            root->name, root->name);
}
