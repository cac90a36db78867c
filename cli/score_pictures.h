/* acsweep score c --pictures: correspondence pictures as a page or as JSON. */
#ifndef ACSWEEP_CLI_SCORE_PICTURES_H
#define ACSWEEP_CLI_SCORE_PICTURES_H

#include "worker/score/c_score.h"

/* Write `path`: a page when it ends in .html, else JSON (c_score_pictures). `pairs` are names; without any, the page
 * shows C_ALBUM_PAIRS that are drawn by lot. `scores` is what c_score() said of these options: of many representations
 * the page shows the smallest and the best. The file is there whole or not at all. */
MUST_USE int score_pictures_write(const struct c_options *o, const json_t *scores, const char *path,
                                  const char *const *pairs, size_t n_pairs, struct err *e);
/* Does it end in .html? */
bool score_pictures_is_page(const char *path);

#endif
