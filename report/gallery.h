/* Correspondence pictures side by side, as HTML with SVG: a row for each pair, a column for each representation.
 * Nothing is loaded from elsewhere, each thumbnail is in the page once, and all that is said in colour is also said in
 * shape. */
#ifndef ACSWEEP_REPORT_GALLERY_H
#define ACSWEEP_REPORT_GALLERY_H

#include "common/buf.h"
#include "report/pictures.h"

enum {
    GALLERY_SMALL_MAX = 8, /* columns for the smallest representations, single encoders as a rule */
    GALLERY_BEST_MAX = 4,  /* and for the best of all */
    GALLERY_COLUMNS_MAX = GALLERY_SMALL_MAX + GALLERY_BEST_MAX,
};

struct gallery {
    const char *names[GALLERY_COLUMNS_MAX];               /* of representations */
    const struct pictures *pictures[GALLERY_COLUMNS_MAX]; /* theirs */
    size_t n;
    const struct thumbnails *const *thumbnails; /* a picture that is in none of them is left blank */
    size_t n_thumbnails;
};

/* `id` begins the ids of what the page has once; letters and digits. */
void gallery_draw(const struct gallery *g, const char *id, struct buf *out);
/* A page of its own. */
void gallery_page(const struct gallery *g, const char *title, struct buf *out);

#endif
