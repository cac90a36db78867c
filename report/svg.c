#include "report/svg.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- text ------------------------------------------------------------------------------------------------------ */

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the well-formed UTF-8 character at s that XML allows; 0 when it is none. */
static size_t utf8_bytes(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80)
        return u[0] >= 0x20 || u[0] == '\t' || u[0] == '\n' || u[0] == '\r';
    size_t n = u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : u[0] >= 0xe0 && u[0] < 0xf0 ? 3 : u[0] >= 0xf0 && u[0] < 0xf5 ? 4 : 0;
    uint32_t code = n == 2 ? u[0] & 0x1fu : n == 3 ? u[0] & 0x0fu : u[0] & 0x07u;
    for (size_t i = 1; i < n; i++) {
        if (!continues(s[i]))
            return 0;
        code = code << 6 | (u[i] & 0x3fu);
    }
    bool overlong = (n == 3 && code < 0x800) || (n == 4 && (code < 0x10000 || code > 0x10ffff));
    bool forbidden = (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff;
    return overlong || forbidden ? 0 : n;
}

/* The first character of the text, which is not empty; returns what is behind it. */
static const char *put_character(struct buf *out, const char *text)
{
    size_t bytes = utf8_bytes(text);
    if (bytes == 0)
        buf_puts(out, "\xef\xbf\xbd");
    else if (*text == '<')
        buf_puts(out, "&lt;");
    else if (*text == '>')
        buf_puts(out, "&gt;");
    else if (*text == '&')
        buf_puts(out, "&amp;");
    else if (*text == '"')
        buf_puts(out, "&quot;");
    else if (*text == '\'')
        buf_puts(out, "&#39;");
    else
        buf_add(out, text, bytes);
    return text + (bytes ? bytes : 1);
}

void svg_escape_cut(struct buf *out, const char *text, size_t max)
{
    bool cut = svg_text_length(text) > max;
    for (size_t n = 0; *text && n < (cut ? max - 1 : max); n++)
        text = put_character(out, text);
    if (cut)
        buf_puts(out, "\xe2\x80\xa6");
}

void svg_escape_name(struct buf *out, const char *name)
{
    while (*name) {
        bool between = *name == '+';
        name = put_character(out, name);
        if (between && *name)
            buf_puts(out, "<wbr/>");
    }
}

void svg_escape(struct buf *out, const char *text)
{
    svg_escape_cut(out, text, SIZE_MAX);
}

size_t svg_text_length(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += !continues(*text);
    return n;
}

/* ---- scales ---------------------------------------------------------------------------------------------------- */

struct svg_ticks svg_ticks(double lo, double hi, int wanted)
{
    if (!(isfinite(lo) && isfinite(hi)) || hi <= lo || wanted < 1)
        return (struct svg_ticks){ .first = isfinite(lo) ? lo : 0, .step = 1, .n = 1 };
    double raw = (hi - lo) / wanted;
    double decade = pow(10, floor(log10(raw)));
    double share = raw / decade;
    double step = decade * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
    /* A hair of tolerance, so that 0.3 counts as a multiple of 0.1. */
    double first = ceil(lo / step - 1e-9) * step;
    int n = (int)floor((hi - first) / step + 1e-9) + 1;
    int decimals = (int)fmax(0, ceil(-log10(step) - 1e-9));
    return (struct svg_ticks){ .first = first, .step = step, .n = n, .decimals = decimals };
}

void svg_range_add(struct svg_range *r, double value)
{
    if (!isfinite(value))
        return;
    if (svg_range_empty(*r))
        *r = (struct svg_range){ value, value };
    r->lo = fmin(r->lo, value);
    r->hi = fmax(r->hi, value);
}

bool svg_range_empty(struct svg_range r)
{
    return r.lo > r.hi;
}

struct svg_range svg_range_pad(struct svg_range r, double share)
{
    if (svg_range_empty(r))
        return (struct svg_range){ 0, 1 };
    double width = r.hi - r.lo;
    if (width <= 1e-12 * fmax(fabs(r.lo), fabs(r.hi)))
        width = fmax(fabs(r.hi), 1) * 0.1;
    return (struct svg_range){ r.lo - share * width, r.hi + share * width };
}

struct svg_rgb svg_colour(double t)
{
    /* Nine anchors of increasing lightness; linear in between. */
    static const struct svg_rgb anchors[] = {
        { 68, 1, 84 },    { 71, 45, 123 },  { 59, 82, 139 },  { 44, 114, 142 }, { 33, 145, 140 },
        { 40, 174, 128 }, { 94, 201, 98 },  { 173, 220, 48 }, { 253, 231, 37 },
    };
    if (!(t > 0))
        return anchors[0];
    if (t >= 1)
        return anchors[ARRAY_LEN(anchors) - 1];
    double at = t * (ARRAY_LEN(anchors) - 1);
    size_t i = (size_t)at;
    double share = at - (double)i;
    const struct svg_rgb *a = &anchors[i], *b = a + 1;
    return (struct svg_rgb){ (unsigned char)(a->r + share * (b->r - a->r) + 0.5),
                             (unsigned char)(a->g + share * (b->g - a->g) + 0.5),
                             (unsigned char)(a->b + share * (b->b - a->b) + 0.5) };
}

/* Tick i; exactly 0 instead of a rounding remainder. */
static double tick_value(const struct svg_ticks *t, int i)
{
    double value = t->first + i * t->step;
    return fabs(value) < 1e-9 * t->step ? 0 : value;
}

/* ---- frame ----------------------------------------------------------------------------------------------------- */

void svg_begin(struct svg_plot *p, struct buf *out, double width, double height, const char *name)
{
    *p = (struct svg_plot){ .out = out, .width = width, .height = height, .right = width, .bottom = height,
                            .x = { 0, 1 }, .y = { 0, 1 } };
    buf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
               width, height);
    svg_escape(out, name);
    buf_puts(out, "\">\n");
}

void svg_end(struct svg_plot *p)
{
    buf_puts(p->out, "</svg>\n");
}

void svg_margins(struct svg_plot *p, double left, double top, double right, double bottom)
{
    p->left = left;
    p->top = top;
    p->right = p->width - right;
    p->bottom = p->height - bottom;
}

double svg_x(const struct svg_plot *p, double value)
{
    return p->left + (value - p->x.lo) / (p->x.hi - p->x.lo) * (p->right - p->left);
}

double svg_y(const struct svg_plot *p, double value)
{
    return p->bottom - (value - p->y.lo) / (p->y.hi - p->y.lo) * (p->bottom - p->top);
}

void svg_axis_x(struct svg_plot *p, const char *title, int ticks, const char *unit)
{
    struct svg_ticks t = svg_ticks(p->x.lo, p->x.hi, ticks);
    for (int i = 0; i < t.n; i++) {
        double value = tick_value(&t, i), px = svg_x(p, value);
        buf_printf(p->out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", px, p->top, px,
                   p->bottom);
        char text[64];
        snprintf(text, sizeof text, "%.*f%s", t.decimals, value, unit);
        svg_text(p, px, p->bottom + 15, "middle", "tick", text, 24);
    }
    buf_printf(p->out, "<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", p->left, p->bottom,
               p->right, p->bottom);
    svg_text(p, (p->left + p->right) / 2, p->bottom + 33, "middle", "title", title, 60);
}

void svg_axis_y(struct svg_plot *p, const char *title, int ticks, const char *unit)
{
    struct svg_ticks t = svg_ticks(p->y.lo, p->y.hi, ticks);
    for (int i = 0; i < t.n; i++) {
        double value = tick_value(&t, i), py = svg_y(p, value);
        buf_printf(p->out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", p->left, py,
                   p->right, py);
        char text[64];
        snprintf(text, sizeof text, "%.*f%s", t.decimals, value, unit);
        svg_text(p, p->left - 6, py + 4, "end", "tick", text, 24);
    }
    double middle = (p->top + p->bottom) / 2;
    buf_printf(p->out, "<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", p->left, p->top, p->left,
               p->bottom);
    buf_printf(p->out, "<text class=\"title\" text-anchor=\"middle\" transform=\"translate(13 %.1f) rotate(-90)\">", middle);
    svg_escape_cut(p->out, title, 44);
    buf_puts(p->out, "</text>\n");
}

/* ---- marks ----------------------------------------------------------------------------------------------------- */

void svg_text(struct svg_plot *p, double px, double py, const char *anchor, const char *class, const char *text, size_t max)
{
    buf_printf(p->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, px, py, anchor);
    svg_escape_cut(p->out, text, max);
    if (svg_text_length(text) > max) {
        buf_puts(p->out, "<title>");
        svg_escape(p->out, text);
        buf_puts(p->out, "</title>");
    }
    buf_puts(p->out, "</text>\n");
}

static void take(struct svg_plot *p, struct svg_box box)
{
    if (p->n_taken < SVG_LABELS_MAX)
        p->taken[p->n_taken++] = box;
}

void svg_line(struct svg_plot *p, double x0, double y0, double x1, double y1, const char *class)
{
    if (!isfinite(x0) || !isfinite(y0) || !isfinite(x1) || !isfinite(y1))
        return;
    buf_printf(p->out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, svg_x(p, x0),
               svg_y(p, y0), svg_x(p, x1), svg_y(p, y1));
}

void svg_bar(struct svg_plot *p, double x0, double y0, double x1, double y1, const char *class)
{
    enum { ROOM = 2 };
    if (!isfinite(x0) || !isfinite(y0) || !isfinite(x1) || !isfinite(y1))
        return;
    double left = svg_x(p, fmin(x0, x1)), right = svg_x(p, fmax(x0, x1));
    double top = svg_y(p, fmax(y0, y1)), bottom = svg_y(p, fmin(y0, y1));
    take(p, (struct svg_box){ left - ROOM, top - ROOM, right - left + 2 * ROOM, bottom - top + 2 * ROOM });
    svg_line(p, x0, y0, x1, y1, class);
}

void svg_curve(struct svg_plot *p, const double *x, const double *y, size_t n, const char *class)
{
    bool pen_down = false;
    buf_printf(p->out, "<path class=\"%s\" d=\"", class);
    for (size_t i = 0; i < n; i++) {
        bool known = isfinite(x[i]) && isfinite(y[i]);
        if (known)
            buf_printf(p->out, "%c%.1f %.1f", pen_down ? 'L' : 'M', svg_x(p, x[i]), svg_y(p, y[i]));
        pen_down = known;
    }
    buf_puts(p->out, "\"/>\n");
}

static void tooltip_close(struct svg_plot *p, const char *element, const char *tooltip)
{
    if (!tooltip || !*tooltip) {
        buf_puts(p->out, "/>\n");
        return;
    }
    buf_puts(p->out, "><title>");
    svg_escape(p->out, tooltip);
    buf_printf(p->out, "</title></%s>\n", element);
}

void svg_dot(struct svg_plot *p, double x, double y, double radius, const char *class, const struct svg_rgb *fill,
             const struct svg_rgb *ring, const char *tooltip)
{
    if (!isfinite(x) || !isfinite(y))
        return;
    double px = svg_x(p, x), py = svg_y(p, y);
    take(p, (struct svg_box){ px - radius, py - radius, 2 * radius, 2 * radius });
    buf_printf(p->out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", class, px, py, radius);
    if (fill || ring) {
        buf_puts(p->out, " style=\"");
        if (fill)
            buf_printf(p->out, "fill:#%02x%02x%02x;", fill->r, fill->g, fill->b);
        if (ring)
            buf_printf(p->out, "stroke:#%02x%02x%02x;", ring->r, ring->g, ring->b);
        buf_puts(p->out, "\"");
    }
    tooltip_close(p, "circle", tooltip);
}

void svg_rect(struct svg_plot *p, struct svg_box box, const char *class, const char *tooltip)
{
    if (!isfinite(box.x) || !isfinite(box.y) || !isfinite(box.w) || !isfinite(box.h) || box.w < 0 || box.h < 0)
        return;
    buf_printf(p->out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"", class, box.x, box.y, box.w,
               box.h);
    tooltip_close(p, "rect", tooltip);
}

static bool overlaps(const struct svg_box *a, const struct svg_box *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

static bool is_free(const struct svg_plot *p, const struct svg_box *box)
{
    if (box->x < p->left || box->y < p->top || box->x + box->w > p->right || box->y + box->h > p->bottom)
        return false;
    for (size_t i = 0; i < p->n_taken; i++)
        if (overlaps(box, &p->taken[i]))
            return false;
    return true;
}

void svg_label(struct svg_plot *p, double x, double y, const char *text)
{
    enum { MAX = 20, HEIGHT = 11 };
    /* Right, left, above, below, then the corners. */
    static const struct {
        double dx, dy, align; /* align: share of the width to the left of the anchor */
    } places[] = { { 7, 0, 0 },   { -7, 0, 1 },   { 0, -11, 0.5 }, { 0, 11, 0.5 },  { 5, -9, 0 },
                   { -5, -9, 1 }, { 5, 10, 0 },   { -5, 10, 1 },   { 0, -20, 0.5 }, { 0, 20, 0.5 } };
    if (!isfinite(x) || !isfinite(y))
        return;
    size_t length = svg_text_length(text);
    double width = 6.4 * (double)(length > MAX ? MAX : length);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        double px = svg_x(p, x) + places[i].dx, py = svg_y(p, y) + places[i].dy;
        struct svg_box box = { px - places[i].align * width, py - HEIGHT / 2.0, width, HEIGHT };
        if (!is_free(p, &box))
            continue;
        take(p, box);
        svg_text(p, px, py + 3.5, places[i].align == 0 ? "start" : places[i].align == 1 ? "end" : "middle", "name", text,
                 MAX);
        return;
    }
}

void svg_colour_scale(struct svg_plot *p, double x, struct svg_range range, const char *title)
{
    enum { STEPS = 32 };
    double height = (p->bottom - p->top) / STEPS;
    for (int i = 0; i < STEPS; i++) {
        struct svg_rgb c = svg_colour((i + 0.5) / STEPS);
        /* Half a unit of overlap hides the seams between the steps. */
        buf_printf(p->out, "<rect x=\"%.1f\" y=\"%.2f\" width=\"10\" height=\"%.2f\" fill=\"#%02x%02x%02x\"/>", x,
                   p->bottom - (i + 1) * height, height + (i ? 0.5 : 0), c.r, c.g, c.b);
    }
    struct svg_ticks t = svg_ticks(range.lo, range.hi, 4);
    for (int i = 0; i < t.n; i++) {
        double value = tick_value(&t, i);
        char text[64];
        snprintf(text, sizeof text, "%.*f", t.decimals, value);
        double share = (value - range.lo) / (range.hi - range.lo);
        svg_text(p, x + 14, p->bottom - share * (p->bottom - p->top) + 4, "start", "tick", text, 12);
    }
    buf_printf(p->out, "<text class=\"title\" text-anchor=\"middle\" transform=\"translate(%.1f %.1f) rotate(-90)\">",
               x - 5, (p->top + p->bottom) / 2);
    svg_escape_cut(p->out, title, 40);
    buf_puts(p->out, "</text>\n");
}
