/* acsweep-world: draws the sprite world. `acsweep world` becomes this program, so that acsweep needs no FreeType. */
#include <string.h>

#include "common/log.h"
#include "world/making.h"
#include "world/world_options.h"

static struct world_sizes sizes_of(const struct opts *o)
{
    return (struct world_sizes){ .seed = (uint64_t)opts_int(o, "seed"),
                                 .edge = (uint32_t)opts_int(o, "edge"),
                                 .pair_edge = (uint32_t)opts_int(o, "pair-edge"),
                                 .pretrain = (size_t)opts_int(o, "pretrain"),
                                 .stage1 = (size_t)opts_int(o, "stage1"),
                                 .stage2 = (size_t)opts_int(o, "stage2"),
                                 .questions = (size_t)opts_int(o, "questions"),
                                 .pairs = (size_t)opts_int(o, "pairs") };
}

static int say(const struct opts *o, const json_t *summary, bool made, struct err *e)
{
    if (opts_flag(o, "json")) {
        AUTO(free) char *text = json_dumps(summary, JSON_INDENT(2));
        return text ? (puts(text), 0) : FAIL_NOMEM(e);
    }
    printf("%s %s: %lld pictures of %lld concepts\n", opts_text(o, "out"), made ? "made" : "is there already",
           (long long)json_integer_value(json_object_get(summary, "pictures")),
           (long long)json_integer_value(json_object_get(summary, "concepts")));
    return 0;
}

static int run_world(const struct opts *o, struct err *e)
{
    const char *out = opts_text(o, "out"), *sheet = opts_text(o, "contact-sheet");
    struct world_sizes sizes = sizes_of(o);
    AUTO(json_decref) json_t *summary = NULL;
    if (!out && !sheet)
        return FAIL(e, ERR_USAGE, "give --out DIR, or --contact-sheet FILE.png, or both");
    AUTO(art_close) struct art *a = art_open(opts_text(o, "fonts"), opts_text(o, "held-out-font"), e);
    if (!a)
        return -1;
    if (sheet)
        TRY(make_contact_sheet(a, sizes.seed, sheet, e));
    if (!out)
        return 0;
    int there = world_make(a, &sizes, out, opts_flag(o, "force"), &summary, e);
    return there < 0 ? -1 : say(o, summary, there == 0, e);
}

static const struct cmd cmd_world = {
    .name = WORLD_NAME,
    .summary = world_summary,
    .details = world_details,
    .options = { world_options },
    .run = run_world,
};

static const struct cmd program = {
    .name = "acsweep",
    .summary = "What draws the sprite world",
    .sub = (const struct cmd *const[]){ &cmd_world, NULL },
};

int main(int argc, char **argv)
{
    log_setup("acsweep", LOG_ERROR, LOG_LOGFMT);
    return opts_main(&program, argc, argv);
}
