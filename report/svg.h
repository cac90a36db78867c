/* Plots as SVG text: axes with round ticks, points, lines, bars, a colour scale, labels that do not overlap.
 *
 * Everything is written into a struct buf. Colours of text, grid and categories are CSS classes (report_style.c defines
 * them for light and dark); only the continuous colour scale is written as literal colours. A plot has a fixed viewBox and
 * stretches to its container, so pick a viewBox near the size on screen: text is scaled with it. Missing values (NaN,
 * infinity) are skipped by every drawing function. */
#ifndef ACSWEEP_REPORT_SVG_H
#define ACSWEEP_REPORT_SVG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/* Text for XML and HTML, element content or a double-quoted attribute. Bytes that XML forbids become U+FFFD. */
void svg_escape(struct buf *out, const char *text);
/* The same, cut to `max` characters with an ellipsis. */
void svg_escape_cut(struct buf *out, const char *text, size_t max);
/* HTML: a line may be broken behind the '+' between two members of a name. */
void svg_escape_name(struct buf *out, const char *name);
/* Characters, not bytes. */
size_t svg_text_length(const char *text);

/* Round tick values inside lo..hi, about `wanted` of them. */
struct svg_ticks {
    double first, step;
    int n, decimals; /* decimals to print so that neighbours differ */
};
struct svg_ticks svg_ticks(double lo, double hi, int wanted);

/* lo..hi over finite values, for axes. */
struct svg_range {
    double lo, hi;
};
#define SVG_RANGE_EMPTY ((struct svg_range){ 1, 0 })
void svg_range_add(struct svg_range *r, double value);
bool svg_range_empty(struct svg_range r);
/* Room on both sides; an empty range becomes 0..1 and a point gets width. */
struct svg_range svg_range_pad(struct svg_range r, double share);

/* Continuous colours, dark blue to yellow: equally legible with every kind of colour blindness. t in 0..1. */
struct svg_rgb {
    unsigned char r, g, b;
};
struct svg_rgb svg_colour(double t);

#define SVG_LABELS_MAX 256
struct svg_box {
    double x, y, w, h;
};

struct svg_plot {
    struct buf *out;
    double width, height;            /* viewBox */
    double left, top, right, bottom; /* plotting rectangle, in viewBox units */
    struct svg_range x, y;           /* data range that it shows */
    struct svg_box taken[SVG_LABELS_MAX]; /* where no label may go */
    size_t n_taken;
};

/* Open an <svg> of the given viewBox; `name` is what a screen reader says. Margins start at zero. */
void svg_begin(struct svg_plot *p, struct buf *out, double width, double height, const char *name);
void svg_end(struct svg_plot *p);
void svg_margins(struct svg_plot *p, double left, double top, double right, double bottom);

double svg_x(const struct svg_plot *p, double value);
double svg_y(const struct svg_plot *p, double value);

/* Grid, tick labels and titles of the axes. `unit` is put behind every tick label ("%"), may be "". */
void svg_axis_x(struct svg_plot *p, const char *title, int ticks, const char *unit);
void svg_axis_y(struct svg_plot *p, const char *title, int ticks, const char *unit);

/* `anchor` is start, middle or end; `class` a CSS class of the text. */
void svg_text(struct svg_plot *p, double px, double py, const char *anchor, const char *class, const char *text, size_t max);
/* A line between two points of the data. */
void svg_line(struct svg_plot *p, double x0, double y0, double x1, double y1, const char *class);
/* The same, and no label may go over it; for bars along an axis. */
void svg_bar(struct svg_plot *p, double x0, double y0, double x1, double y1, const char *class);
/* A curve; missing values break it. */
void svg_curve(struct svg_plot *p, const double *x, const double *y, size_t n, const char *class);
/* A dot at a data point. `class` styles it; `fill` and `ring`, when given, override its colours. */
void svg_dot(struct svg_plot *p, double x, double y, double radius, const char *class, const struct svg_rgb *fill,
             const struct svg_rgb *ring, const char *tooltip);
/* A rectangle in viewBox units. */
void svg_rect(struct svg_plot *p, struct svg_box box, const char *class, const char *tooltip);
/* The name of a data point, put where it hides nothing; left out when there is no such place. Add all dots first. */
void svg_label(struct svg_plot *p, double x, double y, const char *text);
/* Vertical colour scale with ticks, `x` in viewBox units, beside the plotting rectangle. */
void svg_colour_scale(struct svg_plot *p, double x, struct svg_range range, const char *title);

#endif
