/* Ticks, ranges, colours, escaping, labels, and that every figure is well-formed whatever it is fed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report/report_text.h"
#include "report/svg.h"
#include "tests/lib/wellformed.h"

static void test_ticks(void **state)
{
    (void)state;
    static const struct {
        double lo, hi;
        int wanted;
        double first, step;
        int n, decimals;
    } cases[] = {
        { 0, 1, 5, 0, 0.2, 6, 1 },          { 0.03, 0.98, 5, 0.2, 0.2, 4, 1 }, { 843, 1503, 5, 1000, 200, 3, 0 },
        { -0.1, 0.3, 4, -0.1, 0.1, 5, 1 },  { 0, 100, 5, 0, 20, 6, 0 },        { 0.001, 0.0021, 3, 0.001, 0.0005, 3, 4 },
        { 1, 13, 13, 1, 1, 13, 0 },         { 0, 1e-9, 4, 0, 5e-10, 3, 10 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct svg_ticks t = svg_ticks(cases[i].lo, cases[i].hi, cases[i].wanted);
        assert_true(fabs(t.first - cases[i].first) < 1e-12);
        assert_true(fabs(t.step - cases[i].step) < 1e-12 * fmax(1, cases[i].step));
        assert_int_equal(t.n, cases[i].n);
        assert_int_equal(t.decimals, cases[i].decimals);
    }
    assert_int_equal(svg_ticks(2, 2, 5).n, 1);
    assert_int_equal(svg_ticks(NAN, 2, 5).n, 1);
    assert_int_equal(svg_ticks(0, INFINITY, 5).n, 1);
}

static void test_range(void **state)
{
    (void)state;
    struct svg_range r = SVG_RANGE_EMPTY;
    svg_range_add(&r, NAN);
    svg_range_add(&r, INFINITY);
    assert_true(svg_range_empty(r));
    assert_true(svg_range_pad(r, 0.1).hi == 1);
    svg_range_add(&r, 5);
    struct svg_range point = svg_range_pad(r, 0.1);
    assert_true(point.lo < 5 && point.hi > 5);
    svg_range_add(&r, -5);
    assert_true(r.lo == -5 && r.hi == 5);
}

static double lightness(struct svg_rgb c)
{
    return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b;
}

static void test_colour_grows_lighter(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(lightness(svg_colour(i / 100.0)) < lightness(svg_colour((i + 1) / 100.0)) + 1);
    assert_true(lightness(svg_colour(1)) > lightness(svg_colour(0)) + 150);
    assert_int_equal(svg_colour(NAN).r, svg_colour(0).r);
    assert_int_equal(svg_colour(7).r, svg_colour(1).r);
}

static void assert_escaped(const char *text, size_t max, const char *expected)
{
    AUTO(buf_free) struct buf b = BUF_INIT(1000);
    svg_escape_cut(&b, text, max);
    assert_string_equal(buf_text(&b), expected);
}

static void test_escape(void **state)
{
    (void)state;
    assert_escaped("<a href=\"x\">&'</a>", 99, "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
    assert_escaped("C\xe2\x86\x92" "D\xc3\xa9", 99, "C\xe2\x86\x92" "D\xc3\xa9");
    assert_escaped("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 3, "\xc3\xa9\xc3\xa9\xe2\x80\xa6"); /* cut between characters */
    assert_escaped("exact", 5, "exact");
    assert_escaped("bell\x07", 99, "bell\xef\xbf\xbd");
    assert_escaped("\xff\xc0\xaf", 99, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* not UTF-8, overlong */
    assert_escaped("\xed\xa0\x80", 99, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
}

static void test_numbers(void **state)
{
    (void)state;
    char t[REPORT_NUMBER_SIZE];
    assert_string_equal(report_number(NAN, t), REPORT_DASH);
    assert_string_equal(report_number(INFINITY, t), REPORT_DASH);
    assert_string_equal(report_number(1502.7, t), "1502.7");
    assert_string_equal(report_number(64.26, t), "64.26");
    assert_string_equal(report_number(0, t), "0.000");
    assert_string_equal(report_fixed(-0.0001, 2, t), "0.00");
    assert_string_equal(report_duration(NAN, t), REPORT_DASH);
    assert_string_equal(report_duration(0.0123, t), "12 ms");
    assert_string_equal(report_duration(59.99, t), "1 min 00 s");
    assert_string_equal(report_duration(3725, t), "1 h 02 min");
    assert_string_equal(report_duration(3 * 86400 + 4 * 3600, t), "3 d 04 h");
    assert_string_equal(report_energy(7200, t), "2.0 Wh");
}

static void draw_everything(struct buf *out, const char *text, double value)
{
    struct svg_plot p;
    svg_begin(&p, out, 300, 200, text);
    svg_margins(&p, 40, 10, 60, 40);
    p.x = p.y = svg_range_pad((struct svg_range){ 0, 10 }, 0.05);
    svg_axis_x(&p, text, 5, "%");
    svg_axis_y(&p, text, 5, "");
    svg_line(&p, 0, 0, 10, value, "ideal");
    const double x[] = { 1, 2, 3, 4 }, y[] = { 1, value, 3, 4 };
    svg_curve(&p, x, y, 4, "curve");
    struct svg_rgb c = svg_colour(0.5);
    for (int i = 0; i < 300; i++) /* more than it keeps room for */
        svg_dot(&p, 5, i == 0 ? value : i / 30.0, 3, "dot", &c, &c, text);
    svg_rect(&p, (struct svg_box){ 10, 10, value, 5 }, "bar", text);
    svg_label(&p, 5, value, text);
    svg_colour_scale(&p, 250, (struct svg_range){ 1, 2 }, text);
    svg_end(&p);
}

static void test_figures_are_wellformed(void **state)
{
    (void)state;
    static const char *const texts[] = { "plain", "<b>&\"'</b>]]>--", "", "\x01\xff", "a rather long name, longer than any label" };
    static const double values[] = { 5, NAN, INFINITY, -1e300 };
    for (size_t t = 0; t < ARRAY_LEN(texts); t++)
        for (size_t v = 0; v < ARRAY_LEN(values); v++) {
            AUTO(buf_free) struct buf out = BUF_INIT(1 << 20);
            draw_everything(&out, texts[t], values[v]);
            const char *complaint = wellformed(buf_text(&out));
            if (complaint)
                fail_msg("%s", complaint);
            assert_null(strstr(buf_text(&out), "nan"));
            assert_null(strstr(buf_text(&out), "inf"));
        }
}

/* The checker itself must be able to say no. */
static void test_checker_sees_mistakes(void **state)
{
    (void)state;
    assert_non_null(wellformed("<a><b></a></b>"));
    assert_non_null(wellformed("<a x=1/>"));
    assert_non_null(wellformed("<a x=\"1\" x=\"2\"/>"));
    assert_non_null(wellformed("<a>&nbsp;</a>"));
    assert_non_null(wellformed("<a>x > y</a>"));
    assert_non_null(wellformed("<a>"));
    assert_null(wellformed("<a x=\"1\"><b/>t</a>"));
}

static void test_labels_keep_apart(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf out = BUF_INIT(1 << 20);
    struct svg_plot p;
    svg_begin(&p, &out, 300, 300, "labels");
    svg_margins(&p, 0, 0, 0, 0);
    for (int i = 0; i < 20; i++)
        svg_dot(&p, 0.5, 0.5, 4, "dot", NULL, NULL, "");
    for (int i = 0; i < 20; i++)
        svg_label(&p, 0.5, 0.5, "the same place");
    size_t labels = p.n_taken - 20;
    assert_in_range(labels, 2, 10);
    for (size_t i = 20; i < p.n_taken; i++)
        for (size_t k = 0; k < i; k++) {
            const struct svg_box *a = &p.taken[i], *b = &p.taken[k];
            assert_true(a->x >= b->x + b->w || b->x >= a->x + a->w || a->y >= b->y + b->h || b->y >= a->y + a->h);
        }
    svg_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_colour_grows_lighter),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_figures_are_wellformed),
        cmocka_unit_test(test_checker_sees_mistakes),
        cmocka_unit_test(test_labels_keep_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
