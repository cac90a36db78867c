#include "report/gallery.h"

#include <math.h>
#include <string.h>

#include "report/heat.h"
#include "report/report_style.h"
#include "report/report_text.h"
#include "report/svg.h"

/* Pictures are drawn to fit this, in the units of their SVG, so that marks look the same on all of them. */
#define WIDTH 200.0
#define HEIGHT 230.0
#define MARK 5.0 /* of a mark, from its middle */

struct drawing {
    const struct gallery *g;
    const char *id;
    struct buf *out;
    const struct thumbnail **shown; /* those of the page, in order of their ids */
    size_t n_shown;
};

static double scale_of(const struct picture_side *side)
{
    return fmin(WIDTH / side->width, HEIGHT / side->height);
}

/* ---- thumbnails -------------------------------------------------------------------------------------------------- */

static const struct thumbnail *find_thumbnail(const struct gallery *g, const char *image)
{
    for (size_t i = 0; i < g->n_thumbnails; i++)
        for (size_t k = 0; k < g->thumbnails[i]->n; k++)
            if (strcmp(g->thumbnails[i]->all[k].image, image) == 0)
                return &g->thumbnails[i]->all[k];
    return NULL;
}

static void define_thumbnail(struct drawing *d, const struct picture_side *side)
{
    const struct thumbnail *t = find_thumbnail(d->g, side->image);
    for (size_t i = 0; i < d->n_shown; i++)
        if (d->shown[i] == t)
            return;
    if (!t)
        return;
    double scale = scale_of(side);
    buf_printf(d->out,
               "<image id=\"%s-%zu\" width=\"%.2f\" height=\"%.2f\" preserveAspectRatio=\"none\" "
               "href=\"data:image/jpeg;base64,%s\"/>\n",
               d->id, d->n_shown, side->width * scale, side->height * scale, t->jpeg);
    d->shown[d->n_shown++] = t;
}

static void use_thumbnail(const struct drawing *d, const struct picture_side *side, bool grey)
{
    const struct thumbnail *t = find_thumbnail(d->g, side->image);
    for (size_t i = 0; i < d->n_shown; i++)
        if (d->shown[i] == t) {
            buf_printf(d->out, "<use%s href=\"#%s-%zu\"/>", grey ? " class=\"grey\"" : "", d->id, i);
            return;
        }
    buf_puts(d->out, "<rect class=\"lane\" width=\"100%\" height=\"100%\"/>");
}

/* ---- one picture ------------------------------------------------------------------------------------------------- */

/* Then comes what a screen reader says, then open_marks(). */
static void open_picture(const struct drawing *d, const struct picture_side *side)
{
    double scale = scale_of(side);
    buf_printf(d->out, "<svg viewBox=\"0 0 %.2f %.2f\" style=\"max-width:%.0fpx\" role=\"img\" aria-label=\"",
               side->width * scale, side->height * scale, 1.6 * side->width * scale);
}

static void open_marks(const struct drawing *d, const struct picture_side *side, bool grey)
{
    buf_puts(d->out, "\">");
    use_thumbnail(d, side, grey);
}

/* A path twice: a light rim below, so that it shows on any picture. */
static void stroke(struct buf *out, const char *class, const char *path)
{
    buf_printf(out, "<path class=\"rim\" d=\"%s\"/><path class=\"%s\" d=\"%s\"/>", path, class, path);
}

static void ring(struct buf *out, const char *class, double x, double y, double r)
{
    char path[160];
    snprintf(path, sizeof path, "M%.2f %.2fa%.1f %.1f 0 1 0 %.1f 0a%.1f %.1f 0 1 0 %.1f 0", x - r, y, r, r, 2 * r, r, r,
             -2 * r);
    stroke(out, class, path);
}

static void cross(struct buf *out, const char *class, double x, double y, double r)
{
    char path[160];
    snprintf(path, sizeof path, "M%.2f %.2fl%.1f %.1fm0 %.1fl%.1f %.1f", x - r, y - r, 2 * r, 2 * r, -2 * r, -2 * r,
             2 * r);
    stroke(out, class, path);
}

static void number(struct buf *out, double x, double y, int n)
{
    bool left = x > WIDTH - 22;
    buf_printf(out, "<text class=\"mark\" x=\"%.1f\" y=\"%.1f\"%s>%d</text>", left ? x - 6 : x + 6,
               y < 12 ? y + 11 : y - 4, left ? " text-anchor=\"end\"" : "", n);
}

/* How much of the way from `from` to `to` is inside 0..edge, with room for a mark. */
static double inside(double from, double to, double edge)
{
    double lo = fmin(from, MARK), hi = fmax(from, edge - MARK);
    return to < lo ? (from - lo) / (from - to) : to > hi ? (hi - from) / (to - from) : 1;
}

/* The true point, and where it was looked for: a disc at the end of a line, or a cross at the end of a dashed one.
 * Margins around a picture have tokens too; a point that is found there is drawn at the edge, in its direction. */
static void prediction(struct buf *out, const struct picture_point *p, double scale, double width, double height)
{
    double tx = p->target[0] * scale, ty = p->target[1] * scale, px = p->predicted[0] * scale,
           py = p->predicted[1] * scale;
    double part = fmin(inside(tx, px, width), inside(ty, py, height));
    char path[128];
    buf_printf(out, "<g><title>point %d: %s%s</title>", p->point, p->correct ? "correct" : "wrong",
               part < 1 ? ", beyond the edge" : "");
    px = tx + part * (px - tx);
    py = ty + part * (py - ty);
    snprintf(path, sizeof path, "M%.2f %.2fL%.2f %.2f", tx, ty, px, py);
    stroke(out, p->correct ? "hit" : "miss dashes", path);
    ring(out, p->correct ? "hit" : "miss", tx, ty, 4);
    if (p->correct)
        ring(out, "hit full", px, py, 2.5);
    else
        cross(out, "miss", px, py, 3.5);
    buf_puts(out, "</g>");
}

/* A name that may be broken where its members meet. */
static void breakable(struct buf *out, const char *name)
{
    char part[64];
    while (*name) {
        size_t n = strcspn(name, "+");
        n += name[n] == '+';
        if (n >= sizeof part) {
            svg_escape(out, name);
            return;
        }
        memcpy(part, name, n);
        part[n] = '\0';
        svg_escape(out, part);
        name += n;
        if (*name)
            buf_puts(out, "<wbr/>");
    }
}

/* ---- the columns ------------------------------------------------------------------------------------------------- */

/* The source or the target with the points that are known. */
static void given_picture(struct drawing *d, const struct picture_pair *p, bool target)
{
    const struct picture_side *side = target ? &p->target : &p->source;
    double scale = scale_of(side);
    open_picture(d, side);
    svg_escape(d->out, p->category);
    buf_printf(d->out, target ? ", target picture with %zu true points" : ", source picture with %zu key points",
               p->n_points);
    open_marks(d, side, false);
    for (size_t i = 0; i < p->n_points; i++) {
        const double *at = target ? p->points[i].target : p->points[i].source;
        bool chosen = i == p->map.point;
        ring(d->out, chosen ? "chosen" : "given", at[0] * scale, at[1] * scale, chosen ? 5.5 : 3);
        number(d->out, at[0] * scale, at[1] * scale, p->points[i].point);
    }
    buf_puts(d->out, "</svg>");
}

static size_t count_correct(const struct picture_pair *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_points; i++)
        n += p->points[i].correct;
    return n;
}

static void predicted_picture(struct drawing *d, const char *name, const struct picture_pair *p)
{
    double scale = scale_of(&p->target);
    open_picture(d, &p->target);
    svg_escape(d->out, name);
    buf_printf(d->out, " finds %zu of %zu points in the target", count_correct(p), p->n_points);
    open_marks(d, &p->target, false);
    for (int correct = 1; correct >= 0; correct--)
        for (size_t i = 0; i < p->n_points; i++)
            if (p->points[i].correct == correct)
                prediction(d->out, &p->points[i], scale, p->target.width * scale, p->target.height * scale);
    buf_puts(d->out, "</svg>");
}

static void heat_picture(struct drawing *d, const char *name, const struct picture_pair *p)
{
    AUTO(buf_free) struct buf png = BUF_INIT(1 << 17);
    double scale = scale_of(&p->target);
    const struct picture_map *m = &p->map;
    const struct picture_point *point = &p->points[m->point];
    open_picture(d, &p->target);
    svg_escape(d->out, name);
    buf_printf(d->out, ": similarity of the target with point %d, from %.2f to %.2f; the point is found %s",
               point->point, m->low, m->high, point->correct ? "correctly" : "wrongly");
    open_marks(d, &p->target, true);
    if (heat_png(m->cells, m->side, &png, NULL) == 0)
        buf_printf(
            d->out,
            "<image class=\"heat\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" preserveAspectRatio=\"none\" "
            "href=\"data:image/png;base64,%s\"/>",
            m->box[0] * scale, m->box[1] * scale, m->box[2] * scale, m->box[3] * scale, buf_text(&png));
    buf_printf(d->out, "<ellipse class=\"within\" cx=\"%.2f\" cy=\"%.2f\" rx=\"%.2f\" ry=\"%.2f\"/>",
               point->target[0] * scale, point->target[1] * scale, p->limit[0] * scale, p->limit[1] * scale);
    prediction(d->out, point, scale, p->target.width * scale, p->target.height * scale);
    buf_puts(d->out, "</svg>");
}

static const struct picture_pair *find_pair(const struct pictures *p, const char *pair)
{
    for (size_t i = 0; i < p->n_pairs; i++)
        if (strcmp(p->pairs[i].pair, pair) == 0)
            return &p->pairs[i];
    return NULL;
}

static void column(struct drawing *d, size_t k, const char *pair)
{
    const char *name = d->g->names[k];
    const struct picture_pair *p = find_pair(d->g->pictures[k], pair);
    buf_puts(d->out, "<figure>");
    if (p) {
        predicted_picture(d, name, p);
        heat_picture(d, name, p);
    }
    buf_puts(d->out, "<figcaption><b>");
    breakable(d->out, name);
    if (p)
        buf_printf(d->out,
                   "</b><br/>%zu of %zu correct<br/><small>similarity %.2f to %.2f</small></figcaption></figure>\n",
                   count_correct(p), p->n_points, p->map.low, p->map.high);
    else
        buf_puts(d->out, "</b><br/>has no picture of this pair</figcaption></figure>\n");
}

static void row(struct drawing *d, const struct picture_pair *p)
{
    buf_puts(d->out, "<h3>");
    svg_escape(d->out, p->category);
    buf_puts(d->out, " <small>");
    svg_escape(d->out, p->pair);
    buf_puts(d->out, "</small></h3>\n<div class=\"shots\"><figure>");
    given_picture(d, p, false);
    given_picture(d, p, true);
    buf_printf(d->out,
               "<figcaption><b>source, and target</b> with the true points<br/>heat maps are of point %d</figcaption>"
               "</figure>\n",
               p->points[p->map.point].point);
    for (size_t k = 0; k < d->g->n; k++)
        column(d, k, p->pair);
    buf_puts(d->out, "</div>\n");
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void mark_begin(struct buf *out)
{
    buf_puts(out, "<span><svg class=\"sign\" viewBox=\"0 0 34 16\" aria-hidden=\"true\">");
}

static void legend(struct buf *out, double alpha)
{
    const struct picture_point hit = { .target = { 7, 8 }, .predicted = { 27, 8 }, .correct = true },
                               miss = { .target = { 7, 8 }, .predicted = { 27, 8 } };
    buf_puts(out, "<p class=\"legend\">");
    mark_begin(out);
    prediction(out, &hit, 1, 34, 16);
    buf_puts(out, "</svg>true point, and a disc where it was found: correct</span>");
    mark_begin(out);
    prediction(out, &miss, 1, 34, 16);
    buf_puts(out, "</svg>a cross: wrong; at the very edge: beyond it</span>");
    mark_begin(out);
    buf_puts(out, "<ellipse class=\"within ink\" cx=\"17\" cy=\"8\" rx=\"7\" ry=\"7\"/>");
    buf_printf(out, "</svg>correct within \xce\xb1 = %g of the object's box</span>", alpha);
    mark_begin(out);
    for (int i = 0; i < 17; i++) {
        struct svg_rgb c = svg_colour(i / 16.0);
        buf_printf(out, "<rect x=\"%d\" y=\"3\" width=\"2.2\" height=\"10\" fill=\"rgb(%d,%d,%d)\"/>", 2 * i, c.r, c.g,
                   c.b);
    }
    buf_puts(out, "</svg>similarity, from a map's lowest to its highest</span></p>\n");
}

static bool seen_before(const struct gallery *g, size_t column, const char *pair)
{
    for (size_t k = 0; k < column; k++)
        if (find_pair(g->pictures[k], pair))
            return true;
    return false;
}

void gallery_draw(const struct gallery *g, const char *id, struct buf *out)
{
    const struct thumbnail *shown[GALLERY_COLUMNS_MAX * PICTURES_THUMBNAILS_MAX];
    struct drawing d = { .g = g, .id = id, .out = out, .shown = shown };
    legend(out, g->n ? g->pictures[0]->alpha : 0);
    buf_puts(out, "<svg class=\"store\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n");
    for (size_t k = 0; k < g->n; k++)
        for (size_t i = 0; i < g->pictures[k]->n_pairs; i++) {
            define_thumbnail(&d, &g->pictures[k]->pairs[i].source);
            define_thumbnail(&d, &g->pictures[k]->pairs[i].target);
        }
    buf_puts(out, "</defs></svg>\n");
    for (size_t k = 0; k < g->n; k++)
        for (size_t i = 0; i < g->pictures[k]->n_pairs; i++)
            if (!seen_before(g, k, g->pictures[k]->pairs[i].pair))
                row(&d, &g->pictures[k]->pairs[i]);
}

void gallery_page(const struct gallery *g, const char *title, struct buf *out)
{
    buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n<title>acsweep: ");
    svg_escape(out, title);
    buf_puts(out, "</title>\n<style>\n");
    buf_puts(out, report_style);
    buf_puts(out, "</style></head>\n<body><main>\n<h1>");
    svg_escape(out, title);
    buf_puts(out, "</h1>\n");
    gallery_draw(g, "p", out);
    buf_puts(out, "</main></body></html>\n");
}
