/* The drawings: sprites from Noto Color Emoji, clip art that is a part of the program, at wish another font; letters
 * from DejaVu. Fonts are read by FreeType, which is known here alone. */
#ifndef ACSWEEP_WORLD_ART_H
#define ACSWEEP_WORLD_ART_H

#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

/* Whose drawings. The emoji are learned from; the others are held out: is a name the thing's, or one drawing's? */
enum artist { EMOJI, CLIPART, OTHER_FONT, ARTISTS };
const char *artist_name(enum artist by); /* also of the directory in held-out/ */

/* A drawing without its empty border: (height, width, 4) bytes red, green, blue, alpha, the colours premultiplied. */
struct sprite {
    enum artist by;
    uint32_t code;
    int width, height;
    int left, top; /* where the border ended: what is at x, y of the font's bitmap is at x - left, y - top */
    uint8_t *rgba;
    char hash[17]; /* the first 16 digits of the SHA-256 of the bitmap: is it the drawing that was annotated? */
};

/* How opaque a line of text is: (height, width) bytes. */
struct mask {
    int width, height;
    uint8_t *alpha;
};
void mask_free(struct mask *m);
static inline UNUSED void mask_free_cleanup(struct mask *m)
{
    mask_free(m);
}

enum typeface { SANS, SERIF, MONO, TYPEFACES };

struct art;
/* `dir`: where the fonts lie; NULL: where Debian puts them. ERR_ENV names the package that lacks. `other`: the
 * file of OTHER_FONT, or NULL; ERR_INPUT where it is no font. */
MUST_USE struct art *art_open(const char *dir, const char *other, struct err *e);
void art_close(struct art *a);
DEFINE_CLEANUP(art_close, struct art *)

/* The drawing of a code point, kept by `a`; NULL and ERR_ENV when the font has none. */
MUST_USE const struct sprite *art_sprite(struct art *a, uint32_t code, struct err *e);
/* The same by any artist: ERR_INPUT where the font of OTHER_FONT has none, ERR_BUG where there is no clip art or no such
 * font. */
MUST_USE const struct sprite *art_drawing(struct art *a, enum artist by, uint32_t code, struct err *e);
/* Has the artist one? By EMOJI those that the font knows, drawn or not. */
bool art_has(struct art *a, enum artist by, uint32_t code);
/* A line of ASCII, `size` pixels to the em, as narrow as its ink. */
MUST_USE int art_text(struct art *a, enum typeface face, const char *text, int size, struct mask *out, struct err *e);

/* The fonts' files and digests, for the record of what was drawn from. */
#define ART_FONTS (1 + TYPEFACES) /* those of world_fonts */
const char *art_font_name(size_t i);
const char *art_font_digest(const struct art *a, size_t i);
const char *art_other_digest(const struct art *a); /* NULL: there is no other font */

#endif
