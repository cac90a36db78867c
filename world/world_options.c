#include "world/world_options.h"

const char world_summary[] = "Draw the sprite world: a small data set of everything that a sweep needs";

const char world_details[] =
    "Pictures are made of Noto Color Emoji and DejaVu (packages fonts-noto-color-emoji, fonts-dejavu-core), so everything "
    "that is in them is known. The same seed, sizes and fonts give the same pixels on every machine. DIR is written aside and "
    "appears whole; one that holds the same world already is kept, and one that holds something else is refused.\n"
    "\n"
    "  acsweep world --out sprites\n"
    "  acsweep world --out sprites-small --stage1 500 --stage2 800 --questions 80\n"
    "  acsweep world --contact-sheet sheet.png\n"
    "\n"
    "Scores on these pictures are not comparable with published ones.";

const struct opt world_options[] = {
    { .name = "out", .letter = 'o', .type = OPT_DIR, .value = "DIR", .help = "directory to make" },
    { .name = "seed", .type = OPT_INT, .value = "N", .fallback = "1", .lo = 0, .hi = INT64_MAX, .help = "of all chance" },
    { .name = "edge", .type = OPT_INT, .value = "PIXELS", .fallback = "64", .lo = 32, .hi = 512, .help = "of the pictures" },
    { .name = "pair-edge", .type = OPT_INT, .value = "PIXELS", .fallback = "96", .lo = 32, .hi = 512,
      .help = "of the pictures with key points" },
    { .name = "pretrain", .type = OPT_INT, .value = "N", .fallback = "12000", .lo = 0, .hi = 10000000,
      .help = "pictures with captions for encoders; a twentieth as many more to check with" },
    { .name = "stage1", .type = OPT_INT, .value = "N", .fallback = "4000", .lo = 1, .hi = 10000000,
      .help = "pictures with captions for connectors" },
    { .name = "stage2", .type = OPT_INT, .value = "N", .fallback = "6000", .lo = 1, .hi = 10000000,
      .help = "conversations" },
    { .name = "questions", .type = OPT_INT, .value = "N", .fallback = "240", .lo = 1, .hi = 1000000,
      .help = "of each benchmark, and of each artist in held-out; pictures with two questions of MME, groups with four of MMBench" },
    { .name = "pairs", .type = OPT_INT, .value = "N", .fallback = "400", .lo = 1, .hi = 100000,
      .help = "of pictures with key points, of each kind" },
    { .name = "fonts", .type = OPT_DIR, .value = "DIR", .help = "where the four fonts lie; without it Debian's places" },
    { .name = "held-out-font", .type = OPT_FILE, .value = "FILE",
      .help = "drawings by another artist, such as Symbola's (fonts-symbola), for held-out/font" },
    { .name = "force", .letter = 'f', .type = OPT_FLAG, .help = "make DIR anew where it holds another world" },
    { .name = "contact-sheet", .type = OPT_FILE, .value = "FILE.png",
      .help = "draw all concepts and a few scenes, to look at" },
    { .name = "json", .letter = 'j', .type = OPT_FLAG, .help = "print the summary as JSON" },
    { 0 },
};

const struct world_font world_fonts[WORLD_FONTS] = {
    { "NotoColorEmoji.ttf", "truetype/noto", "fonts-noto-color-emoji" },
    { "DejaVuSans-Bold.ttf", "truetype/dejavu", "fonts-dejavu-core" },
    { "DejaVuSerif-Bold.ttf", "truetype/dejavu", "fonts-dejavu-core" },
    { "DejaVuSansMono-Bold.ttf", "truetype/dejavu", "fonts-dejavu-core" },
};
