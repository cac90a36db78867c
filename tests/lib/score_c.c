/* score_c PAIRS DIR... [OPTION]...: the C score by hand, to compare with tests/golden/score_c/reference.py.
 *
 *   -s SPLIT  -g GEOMETRY  -a ARITH  -G GRID  -t THREADS  -m MEMORY  -A (all subsets)  -p PAIR (pictures; repeatable)
 */
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "common/parse.h"
#include "worker/score/c_score.h"

#define PICTURES_MAX 64

struct arguments {
    struct c_options options;
    struct c_member members[C_ENCODERS_MAX];
    const char *pictures[PICTURES_MAX];
    size_t n_pictures;
};

static int read_option(struct arguments *a, int letter, const char *value, struct err *e)
{
    struct c_options *o = &a->options;
    uint64_t n = 0;
    switch (letter) {
    case 's':
        o->split = value;
        return 0;
    case 'g':
        return c_geometry_parse(value, &o->setting.geometry, e);
    case 'a':
        return c_arith_parse(value, &o->setting.arith, e);
    case 'A':
        o->all = true;
        return 0;
    case 'm':
        TRY(parse_size(value, &n, e));
        o->memory = n;
        return 0;
    case 'p':
        if (a->n_pictures == PICTURES_MAX)
            return FAIL(e, ERR_USAGE, "at most %d pictures", PICTURES_MAX);
        a->pictures[a->n_pictures++] = value;
        return 0;
    case 'G':
    case 't':
        TRY(parse_u64(value, 0, 1000, &n, e));
        *(letter == 'G' ? &o->setting.grid : &o->threads) = (int)n;
        return 0;
    default:
        return FAIL(e, ERR_USAGE, "see the head of tests/lib/score_c.c");
    }
}

static int read_arguments(struct arguments *a, int argc, char **argv, struct err *e)
{
    int letter;
    a->options.setting = c_setting_default();
    a->options.members = a->members;
    while ((letter = getopt(argc, argv, "s:g:a:G:t:m:Ap:")) != -1)
        TRY(read_option(a, letter, optarg, e));
    if (argc - optind < 2 || argc - optind > C_ENCODERS_MAX)
        return FAIL(e, ERR_USAGE, "a set of pairs and 1 to %d directories of features are wanted", C_ENCODERS_MAX);
    a->options.pairs = argv[optind++];
    for (; optind < argc; optind++)
        a->members[a->options.n_members++] = (struct c_member){ argv[optind], argv[optind] };
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments a = { 0 };
    struct err e = { 0 };
    AUTO(json_decref) json_t *out = NULL;
    if (read_arguments(&a, argc, argv, &e) == 0)
        out = a.n_pictures ? c_score_pictures(&a.options, a.pictures, a.n_pictures, &e) : c_score(&a.options, &e);
    if (out && json_dumpf(out, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) == 0)
        return puts("") < 0;
    fprintf(stderr, "score_c: %s\n", e.text);
    return err_exit_code(e.kind);
}
