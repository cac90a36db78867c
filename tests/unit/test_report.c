/* The report of sweeps put into a throw-away PostgreSQL by SQL: complete, half known, hostile names, empty. */
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "report/report.h"
#include "report/report_data.h"
#include "report/report_precision.h"
#include "tests/lib/pgtest.h"
#include "tests/lib/report_sweep.h"
#include "tests/lib/wellformed.h"

/* B has its best at H; E has no A, F no C; nothing else is missing. */
static const char small_table[] = "representation,c,a:B,perf:B\n"
                                  "P,10,0.10,40\nQ,12,0.30,47\nR,20,0.25,50\nS,22,0.55,61\nT,25,0.50,63\nG,18,0.45,57\n"
                                  "H,26,0.60,66\nE,15,,51\nF,,0.4,52\n";

static char *slurp(const char *dir, const char *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = calloc(1, 4 << 20);
    size_t n = fread(text, 1, (4 << 20) - 1, f);
    assert_true(n > 0);
    fclose(f);
    return text;
}

static struct db *fresh(void **state, const char *database)
{
    return pgtest_open(pgtest_database(*state, database), DB_ADMIN);
}

static struct policy_table *parse(const char *csv)
{
    struct err e = { 0 };
    struct policy_table *t = policy_table_parse(csv, strlen(csv), "test", &e);
    if (!t)
        fail_msg("%s", e.text);
    return t;
}

/* Write the report and return its page after the checks that every page must pass. */
static char *write_page(struct db *d, const char *sweep, const char *dir)
{
    struct err e = { 0 };
    if (report_write(d, sweep, dir, &e) < 0)
        fail_msg("%s", e.text);
    char *page = slurp(dir, "index.html");
    const char *complaint = wellformed(page);
    if (complaint)
        fail_msg("%s", complaint);
    /* Nothing is fetched: no address but the SVG name space, no script, no imports. */
    for (const char *at = page; (at = strstr(at, "://"));  at += 3)
        assert_true(at - page > 4 && !strncmp(at - 4, "http://www.w3.org/2000/svg\"", 27));
    static const char *const forbidden[] = { "<script", "<link", "<img", "<iframe", "url(", "@import", ">nan", "-nan", ">inf<",
                                             ">-inf", "\"nan", "\"inf\"" };
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
        if (strstr(page, forbidden[i]))
            fail_msg("the page has %s", forbidden[i]);
    return page;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("missing: %s", part);
}

static void test_small_sweep(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "small");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 4, "fake");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/deep/er/small", pgtest_dir(*state));
    AUTO(free) char *page = write_page(d, "small", dir);
    assert_has(page, "Sweep small");
    assert_has(page, "4 of 9");
    assert_has(page, "their numbers mean nothing");
    assert_has(page, "largest A + C among those not measured");
    /* S was chosen when two were measured, so something was expected of it. H was the first. */
    assert_has(page, "S: measured 61.00, the policy expected ");
    assert_has(page, "H: A 0.6000, C 26.00, measured 66.00, chosen in round 1");
    assert_has(page, "too few points, six coefficients can meet all of them");
    assert_has(page, "sweep: { name = &quot;small&quot;; };");
    assert_has(page, "<b>H</b>");
    AUTO(free) char *csv = slurp(dir, "performances.csv");
    assert_has(csv, "H,B,score,66,");
    assert_has(csv, "P,B,score,,");
    AUTO(free) char *scores = slurp(dir, "scores.csv");
    assert_has(scores, "E,B,,15\n");
    assert_has(scores, "F,B,0.40000000000000002,\n");
    assert_null(strstr(csv, "nan"));
}

/* A floor for every kind of number, with a name that must be escaped, and the C of the position. */
static void test_floors(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "floors");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 4, "command");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/floors", pgtest_dir(*state));
    AUTO(free) char *without = write_page(d, "small", dir);
    assert_null(strstr(without, "id=\"scores\""));
    AUTO(free) char *none = slurp(dir, "floors.csv");
    assert_string_equal(none, "floor,benchmark,a,c,performance\n");
    pgtest_script(d, "INSERT INTO representation (name, identity) VALUES ('<random>', 'random');"
                     "INSERT INTO sweep_representation SELECT 1, representation_id, 99, name, true FROM representation "
                     "  WHERE identity = 'random';"
                     "INSERT INTO task (task_id, state, attempt, kind, executor, identity, label, params, representation_id, "
                     "                  benchmark_id, correspondence_set_id) "
                     "  SELECT 900000 + n, 'done', 1, k, 'command', 'floor' || n, k || ' <random>', '{}', representation_id, b, c "
                     "  FROM representation, (VALUES (1, 'score_a', 1, NULL), (2, 'score_c', NULL, 1), (3, 'evaluate', 1, NULL), "
                     "                               (4, 'stage2', NULL, NULL)) v (n, k, b, c) WHERE identity = 'random';"
                     "INSERT INTO sweep_task (sweep_id, task_id) SELECT 1, 900000 + n FROM generate_series(1, 4) n;"
                     "INSERT INTO metric VALUES (900001, 'a', 0.0625), (900002, 'c', 3.5), (900003, 'performance', 33.5),"
                     "  (900002, 'position_c', 8.25);"
                     "INSERT INTO attempt (task_id, attempt, epoch, worker_id, outcome, wall_seconds, gpu_seconds) "
                     "  VALUES (900004, 1, 1, 'w', 'succeeded', 7000, 7000);");
    AUTO(free) char *page = write_page(d, "small", dir);
    assert_has(page, "Scores and their floors");
    assert_has(page, "<tr class=\"dim\"><td class=\"l\">&lt;random&gt;</td><td class=\"n\">3.500</td><td class=\"n\">0.0625</td></tr>");
    assert_has(page, "<td class=\"l\">the position alone</td><td class=\"n\">8.250</td><td class=\"n\">\xe2\x80\x93</td></tr>");
    assert_has(page, "<td class=\"l\">&lt;random&gt;</td><td class=\"n\">33.50</td></tr>");
    assert_has(page, "4 of 9"); /* no member of the space */
    AUTO(free) char *csv = slurp(dir, "floors.csv");
    assert_has(csv, "<random>,B,0.0625,3.5,33.5\nposition,B,,8.25,\n");
    AUTO(free) char *ranking = slurp(dir, "ranking.csv"), *cost = slurp(dir, "cost.csv"), *json = slurp(dir, "report.json");
    assert_null(strstr(ranking, "random"));
    assert_has(cost, "floors,4,4,0,1,0,7000,7000,");
    assert_has(cost, "stage2,4,4,");
    assert_has(json, "\"floor\": \"<random>\"");
}

static void test_json_says_the_same(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "json");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 7, "command");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/json", pgtest_dir(*state));
    AUTO(free) UNUSED char *page = write_page(d, "", dir); /* the newest */
    AUTO(free) char *text = slurp(dir, "report.json");
    json_error_t je;
    json_t *root = json_loads(text, 0, &je);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "sweep")), "small");
    assert_int_equal(json_integer_value(json_object_get(root, "measured")), 7);
    json_t *first = json_array_get(json_object_get(root, "ranking"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "representation")), "H");
    json_t *cost = json_object_get(root, "cost");
    /* 9 stage 1 of 3 to 6 s, 9 C of 0.8 s, 9 A of 0.4 s, 7 stage 2 of 12 s, 7 evaluations of 1.5 s. */
    double stage1 = 3 + 4 + 5 + 6 + 3 + 4 + 5 + 6 + 3;
    assert_true(fabs(json_real_value(json_object_get(cost, "gpu_seconds")) - (stage1 + 9 * 1.2 + 7 * 13.5)) < 1e-9);
    assert_true(fabs(json_real_value(json_object_get(cost, "exhaustive_gpu_seconds")) - (stage1 + 9 * 13.5)) < 1e-9);
    json_t *bench = json_array_get(json_object_get(root, "benchmarks"), 0);
    json_t *rep = json_array_get(json_object_get(bench, "representations"), 7);
    assert_true(json_is_null(json_object_get(rep, "a"))); /* E */
    assert_int_equal(json_integer_value(json_object_get(json_object_get(bench, "fit"), "n_train")), 7);
    json_decref(root);
}

static void test_hostile_names(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "hostile");
    AUTO(policy_table_destroy) struct policy_table *t =
        parse("representation,c,\"a:<b>&\"\"'\",\"perf:<b>&\"\"'\"\n\"<script>alert(1)</script>\",1,2,3\n"
              "\"\"\" onload=\"\"x\",2,3,4\n=cmd(),3,1,5\n]]>--,4,2,2\n");
    report_sweep_insert(d, "</title><script>", t, 3, "replay");
    pgtest_script(d, "UPDATE sweep SET note = '<b onclick=\"x\">', reason = 'a < b', config = '</pre><script>&amp;'; "
                     "UPDATE policy_choice SET reason = '<i>because</i>'; UPDATE worker SET node = '\"><svg/onload=1>'; "
                     "UPDATE task SET label = label || '<u>'");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/hostile", pgtest_dir(*state));
    AUTO(free) char *page = write_page(d, "</title><script>", dir);
    assert_has(page, "&lt;script&gt;alert(1)&lt;/script&gt;");
    assert_has(page, "&lt;/pre&gt;&lt;script&gt;&amp;amp;");
    assert_has(page, "<p class=\"note\"><b>&lt;b onclick=&quot;x&quot;&gt;</b></p>\n<p class=\"note\"><span>a &lt; b</span></p>");
    AUTO(free) char *json = slurp(dir, "report.json");
    assert_has(json, "\"note\": \"<b onclick=\\\"x\\\">\"");
    assert_has(json, "\"reason\": \"a < b\"");
    assert_has(page, "Replay: recorded numbers, no GPU time");
    assert_null(strstr(page, "<i>because"));
    AUTO(free) char *csv = slurp(dir, "ranking.csv");
    assert_has(csv, "\"'=cmd()\"");
    assert_has(csv, "\"\"\" onload=\"\"x\"");
}

/* ---- correspondence pictures ---- */

#define PICTURES(pair, category)                                                                                             \
    "{\"format\":\"acsweep pictures 1\",\"alpha\":0.1,\"pairs\":[{\"pair\":\"" pair "\",\"category\":\"" category               \
    "\",\"source\":{\"image\":\"a.jpg\",\"width\":40,\"height\":20},\"target\":{\"image\":\"b.jpg\",\"width\":40,"                  \
    "\"height\":20},\"limit\":[4,4],\"points\":[{\"point\":1,\"source\":[1,2],\"target\":[3,4],\"predicted\":[5,6],"             \
    "\"correct\":true}],\"map\":{\"point\":1,\"side\":1,\"low\":0,\"high\":1,\"box\":[0,0,40,40],\"cells\":\"AA==\"}}]}"

/* A JPEG's header, of 2 x 1 pixels: the reader looks no further. */
#define THUMBNAILS                                                                                                           \
    "{\"format\":\"acsweep thumbnails 1\",\"images\":[{\"image\":\"b.jpg\","                                               \
    "\"jpeg\":\"/9j/wAALCAABAAIBASIA/9o=\"}]}"

/* Members of a representation, and artifacts of its score_c task. */
static void add_members(struct db *d, const char *representation, int members)
{
    char text[900];
    snprintf(text, sizeof text,
             "INSERT INTO checkpoint (name, role) VALUES ('k', 'encoder') ON CONFLICT DO NOTHING;"
             "INSERT INTO encoder (name, checkpoint_id, resolution, identity) SELECT 'e', checkpoint_id, 9, 'e' FROM checkpoint"
             " ON CONFLICT DO NOTHING;"
             "INSERT INTO representation_member SELECT representation_id, i, encoder_id FROM representation, encoder,"
             " generate_series(1, %d) i WHERE representation.name = '%s'", members, representation);
    pgtest_script(d, text);
}

static void add_artifact(struct db *d, const char *representation, const char *name, const char *content)
{
    struct err e = { 0 };
    const struct sql_arg args[] = { SQL_TEXT(representation), SQL_TEXT(name), SQL_BYTES(content, strlen(content)),
                                    SQL_I64((int64_t)strlen(content)) };
    if (db_query(d, "INSERT INTO artifact (task_id, attempt, name, digest, bytes, content) SELECT task_id, 1, $2, 'd', $4::bigint,"
                    " $3::bytea FROM task JOIN representation r USING (representation_id) WHERE kind = 'score_c' AND r.name = $1",
                 args, ARRAY_LEN(args), NULL, &e) < 0)
        fail_msg("%s", e.text);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

/* P and Q are single encoders, the others pairs: the two and the best four of the others are shown. */
static void test_pictures(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "pictures");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 4, "command");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/pictures", pgtest_dir(*state));
    AUTO(free) char *before = write_page(d, "small", dir);
    assert_null(strstr(before, "Correspondence"));
    for (const char *name = "P\0Q\0R\0S\0T\0G\0H\0"; *name; name += 2) {
        add_members(d, name, *name == 'P' || *name == 'Q' ? 1 : 2);
        add_artifact(d, name, "pictures", PICTURES("000001-a-b:cat", "cat"));
    }
    add_artifact(d, "P", "thumbnails", THUMBNAILS);
    AUTO(free) char *page = write_page(d, "small", dir);
    assert_has(page, "<a href=\"#correspondence\">Correspondence</a>");
    assert_has(page, "6 of the 7 representations that have pictures");
    assert_int_equal(occurrences(page, "<br/>1 of 1 correct"), 6);
    assert_int_equal(occurrences(page, "data:image/jpeg;base64,/9j/wAALCAABAAIBASIA/9o="), 1);
    const char *p = strstr(page, "aria-label=\"P finds"), *q = strstr(page, "aria-label=\"Q finds"),
               *h = strstr(page, "aria-label=\"H finds");
    assert_true(p && q && h && p < q && q < h); /* H is the best of the ranking */
    assert_null(strstr(page, "Left out"));
}

static void test_hostile_pictures(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "hostile_pictures");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 4, "command");
    add_artifact(d, "P", "pictures", PICTURES("<script>", "\\\"><script>"));
    add_artifact(d, "Q", "pictures", "\xff\xfe no text <script>");
    add_artifact(d, "R", "pictures", "{\"format\":\"acsweep pictures 1\",\"alpha\":0.1,\"pairs\":[{\"pair\":7}]}");
    add_artifact(d, "R", "thumbnails", "{\"format\":\"acsweep thumbnails 1\",\"images\":[{\"image\":\"a\",\"jpeg\":\"\\\"/>\"}]}");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/hostile_pictures", pgtest_dir(*state));
    AUTO(free) char *page = write_page(d, "small", dir);
    assert_has(page, "&lt;script&gt;");
    assert_has(page, "Left out: pictures of Q: not JSON: ");
    assert_has(page, "Left out: pictures of R: pairs[0].pair must be a short text");
    assert_has(page, "Left out: thumbnails: images[0].jpeg must be base64 of a small JPEG");
    assert_has(page, "P finds 1 of 1 points in the target");
}

static void test_failures_and_retries(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "failures");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "failing", t, 3, "command");
    pgtest_script(d,
                  "UPDATE task SET state = 'failed', reason = 'gave up after 1 try' WHERE kind = 'stage2'"
                  "  AND representation_id = (SELECT representation_id FROM representation WHERE name = 'T');"
                  "UPDATE attempt SET outcome = 'failed', failure = 'code', charged = true, message = 'exit code 7'"
                  "  WHERE task_id IN (SELECT task_id FROM task WHERE state = 'failed');"
                  "INSERT INTO attempt (task_id, attempt, epoch, worker_id, outcome, failure, message)"
                  "  SELECT task_id, 2, 1, 'gone', 'lost', 'infrastructure', 'worker silent' FROM task"
                  "  WHERE kind = 'score_c' LIMIT 1");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/failing", pgtest_dir(*state));
    AUTO(free) char *page = write_page(d, "failing", dir);
    assert_has(page, "<td class=\"bad\">failed</td><td class=\"\">code</td>");
    assert_has(page, "exit code 7");
    assert_has(page, "worker silent");
    AUTO(free) char *csv = slurp(dir, "ranking.csv");
    assert_has(csv, "gave up after 1 try");
}

static void test_nothing_yet(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "nothing");
    struct err e = { 0 };
    char dir[400];
    snprintf(dir, sizeof dir, "%s/nothing", pgtest_dir(*state));
    assert_int_equal(report_write(d, NULL, dir, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    err_clear(&e);
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "no-rounds", t, 0, "native");
    AUTO(free) char *page = write_page(d, "no-rounds", dir);
    assert_has(page, "The policy has not ranked anything yet");
    assert_has(page, "The policy has chosen nothing yet");
    assert_has(page, "No fine-tune has been measured yet");
    pgtest_script(d, "INSERT INTO sweep (name, config, config_digest, plan, policy) VALUES ('empty', '', '', '{}', '{}')");
    AUTO(free) char *empty = write_page(d, "empty", dir);
    assert_has(empty, "No attempt has ended");
    assert_int_equal(report_write(d, "typo", dir, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "\"typo\""));
}

/* Two representations may carry the same label: they stay two. */
static void test_labels_alike(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "alike");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "alike", t, 9, "native");
    pgtest_script(d, "UPDATE sweep_representation SET label = 'same' WHERE position < 2; "
                     "UPDATE sweep_representation SET label = repeat('long ', 200) WHERE position = 2");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/alike", pgtest_dir(*state));
    AUTO(free) UNUSED char *page = write_page(d, "alike", dir);
    AUTO(free) char *csv = slurp(dir, "performances.csv");
    assert_has(csv, "same,B,score,40,");
    assert_has(csv, "same,B,score,47,");
}

/* Beyond the exact sum the paper's policy is drawn, with a fixed seed: the page says so and comes out the same twice. */
static void test_drawn_recall(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "drawn");
    AUTO(buf_free) struct buf csv = BUF_INIT(4096);
    buf_puts(&csv, "representation,c,a:B,perf:B\n");
    for (int i = 0; i < 20; i++)
        buf_printf(&csv, "R%d,%d,0.%02d,%d\n", i, (i * 7) % 20 + 5, (i * 11) % 20 + 30, (i * 7) % 20 + (i * 11) % 20);
    AUTO(policy_table_destroy) struct policy_table *t = parse(buf_text(&csv));
    report_sweep_insert(d, "drawn", t, 20, "native");
    char one[400], two[400];
    snprintf(one, sizeof one, "%s/drawn1", pgtest_dir(*state));
    snprintf(two, sizeof two, "%s/drawn2", pgtest_dir(*state));
    AUTO(free) char *page = write_page(d, "drawn", one);
    AUTO(free) char *again = write_page(d, "drawn", two);
    assert_has(page, "draws at random: 2000 runs");
    assert_string_equal(page, again);
}

static void test_unwritable(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "unwritable");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 1, "fake");
    struct err e = { 0 };
    assert_int_equal(report_write(d, "small", "/dev/null/report", &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
    assert_non_null(strstr(e.text, "/dev/null"));
}

/* Table 1's ScienceQA at 3 fine-tunes: 96.6 in the paper, 97.1 in independent simulations. */
static void check_recall(const char *dir)
{
    AUTO(free) char *text = slurp(dir, "report.json");
    json_t *root = json_loads(text, 0, NULL), *recall = json_object_get(root, "recall");
    assert_int_equal(json_array_size(recall), 9);
    size_t seen = 0;
    for (size_t i = 0; i < 8; i++) {
        json_t *one = json_array_get(recall, i);
        if (strcmp(json_string_value(json_object_get(one, "benchmark")), "ScienceQA") != 0)
            continue;
        assert_string_equal(json_string_value(json_object_get(one, "best")), "CLIP@336");
        double at3 = json_real_value(json_array_get(json_object_get(one, "paper_cumulative"), 2));
        assert_true(fabs(at3 - 0.971) < 0.01);
        seen++;
    }
    assert_int_equal(seen, 1);
    json_t *mean = json_array_get(recall, 8);
    assert_true(json_is_null(json_object_get(mean, "benchmark")));
    assert_true(fabs(json_real_value(json_array_get(json_object_get(mean, "default_list3"), 3)) - 1) < 1e-9);
    assert_true(fabs(json_real_value(json_array_get(json_object_get(mean, "random_measured"), 11)) - 12 / 13.0) < 1e-9);
    json_decref(root);
}

static void test_standard_errors(void **state)
{
    const struct report_benchmark hundred = { .questions = 400, .maximum = 100 }, unstated = { .questions = 400 };
    (void)state;
    assert_true(fabs(report_standard_error(&hundred, 50, NAN, NAN) - 2.5) < 1e-12);
    assert_true(fabs(report_standard_error(&hundred, 50, 1600, NAN) - 1.25) < 1e-12); /* the evaluation's own count */
    assert_true(report_standard_error(&hundred, 50, 1600, 0.7) == 0.7);               /* ... or error */
    assert_true(report_standard_error(&unstated, 50, NAN, 0.7) == 0.7);
    assert_true(report_standard_error(&hundred, 100, NAN, NAN) == 0);
    assert_true(isnan(report_standard_error(&hundred, NAN, 10, 0.7)));
    assert_true(isnan(report_standard_error(&unstated, 50, NAN, NAN)));
    assert_true(isnan(report_standard_error(&hundred, 101, NAN, NAN))); /* the maximum is wrong */
    assert_true(isnan(report_standard_error(&hundred, -1, NAN, -1)));
}

/* 61 and 63 of 100 on few questions are a tie, 47 is not. */
static void test_precision_and_confidence(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "precision");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 9, "command");
    struct err e = { 0 };
    if (db_script(d, "UPDATE benchmark SET questions = 400, maximum = 100;"
                     "UPDATE sweep SET policy = policy || '{\"mode\":\"default\",\"direction_prior\":0.8}'::jsonb;"
                     "INSERT INTO metric (task_id, name, value) SELECT task_id, 'standard_error', 0.25 FROM task t"
                     " JOIN representation r USING (representation_id) WHERE t.kind = 'evaluate' AND r.name = 'Q'", &e) < 0)
        fail_msg("%s", e.text);
    char dir[400];
    snprintf(dir, sizeof dir, "%s/precision", pgtest_dir(*state));
    AUTO(free) char *page = write_page(d, "small", dir);
    assert_has(page, "66.00<br/><small>\xc2\xb1 2.37</small>");
    assert_has(page, "47.00<br/><small>\xc2\xb1 0.25</small>");
    assert_has(page, "Not told apart from the best measured one by their questions (less than two standard errors behind it): T, S.");
    assert_has(page, "best in list of three");
    AUTO(free) char *text = slurp(dir, "report.json");
    json_t *root = json_loads(text, 0, NULL), *advice = json_object_get(root, "recommendation");
    assert_string_equal(json_string_value(json_array_get(json_object_get(advice, "list"), 0)), "H");
    double p = json_number_value(json_object_get(advice, "p_best_in_list"));
    assert_true(p > 0.5 && p <= 1);
    json_t *first = json_array_get(json_object_get(root, "ranking"), 0);
    assert_true(fabs(json_number_value(json_object_get(first, "measured_target_standard_error")) - 2.3685 / 26) < 1e-4);
    json_decref(root);
    AUTO(free) char *csv = slurp(dir, "performances.csv");
    assert_has(csv, "Q,B,score,47,0.25,");
}

/* H is above chance and S is not: its interval reaches down to it. T has no chance, so nothing is said. */
static void test_above_chance(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "chance");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 9, "command");
    char dir[400];
    snprintf(dir, sizeof dir, "%s/chance", pgtest_dir(*state));
    AUTO(free) char *without = write_page(d, "small", dir);
    assert_null(strstr(without, "Above chance"));
    pgtest_script(d, "INSERT INTO metric (task_id, name, value) SELECT task_id, m.name, m.value FROM task t"
                     " JOIN representation r USING (representation_id) JOIN (VALUES ('H', 'ci_low', 50.5), ('H', 'ci_high', 80.25),"
                     " ('H', 'chance', 50), ('S', 'ci_low', 50), ('S', 'ci_high', 72), ('S', 'chance', 50), ('T', 'ci_low', 60),"
                     " ('T', 'ci_high', 70)) m (rep, name, value) ON m.rep = r.name WHERE t.kind = 'evaluate'");
    AUTO(free) char *page = write_page(d, "small", dir);
    assert_has(page, "<a href=\"#chance\">Above chance</a>");
    assert_has(page, "<b>On 0 of 1 benchmark everything that was fine-tuned is above chance</b>; on 1 some of it.</p>");
    assert_has(page, "<b>1 of 2</b> above chance, which is <b>50.00</b>");
    assert_has(page, "<td class=\"n good\"><b>66.00</b> \xe2\x9c\x93<br/><small>50.50 \xe2\x80\x93 80.25</small></td>");
    assert_has(page, "<td class=\"n dim\">61.00<br/><small>50.00 \xe2\x80\x93 72.00</small></td>");
    assert_has(page, "H: 66.00, 95 % interval 50.50 to 80.25, chance 50.00: above chance</title>");
    assert_has(page, "S: 61.00, 95 % interval 50.00 to 72.00, chance 50.00</title>");
    assert_null(strstr(page, "T: 63.00, 95 %"));
    AUTO(free) char *csv = slurp(dir, "performances.csv");
    assert_has(csv, ",law,ci_low,ci_high,chance\n");
    assert_has(csv, ",50.5,80.25,50\n");
    assert_has(csv, ",60,70,\n");
    AUTO(free) char *text = slurp(dir, "report.json");
    json_t *root = json_loads(text, 0, NULL), *cell;
    json_t *cells = json_object_get(json_array_get(json_object_get(root, "benchmarks"), 0), "representations");
    size_t i, yes = 0, no = 0;
    json_array_foreach(cells, i, cell)
    {
        json_t *above = json_object_get(cell, "above_chance");
        assert_int_equal(json_is_null(above), json_is_null(json_object_get(cell, "chance")));
        yes += json_is_true(above);
        no += json_is_false(above);
    }
    assert_true(yes == 1 && no == 1);
    json_decref(root);
}

/* The paper's whole table; the page stays in the build tree to be looked at: tests/report-paper/index.html. */
static void test_paper_table(void **state)
{
    AUTO(free) char *csv = slurp(SOURCE_DIR "/examples/paper", "law.csv");
    AUTO(policy_table_destroy) struct policy_table *t = parse(csv);
    AUTO(db_close) struct db *d = fresh(state, "paper");
    report_sweep_insert(d, "paper-4", t, 4, "replay");
    report_sweep_insert(d, "paper", t, policy_table_representations(t), "command");
    /* Intervals and chance are made up, to be looked at. */
    pgtest_script(d, "INSERT INTO metric (task_id, name, value) SELECT task_id, x.name, CASE x.name WHEN 'chance' THEN"
                     " CASE WHEN value > 500 THEN 750 ELSE 25 END ELSE value * x.share END FROM metric JOIN task t USING (task_id)"
                     " JOIN sweep_task st USING (task_id) JOIN sweep s USING (sweep_id), (VALUES ('ci_low', 0.95),"
                     " ('ci_high', 1.06), ('chance', 0)) x (name, share) WHERE s.name = 'paper' AND metric.name = 'performance'");
    AUTO(free) char *four = write_page(d, "paper-4", BINARY_DIR "/tests/report-paper-4");
    assert_has(four, "the policy asked for 4 of 13");
    AUTO(free) char *page = write_page(d, "paper", BINARY_DIR "/tests/report-paper");
    assert_has(page, "R\xc2\xb2 <b>0.964</b>"); /* MMBench, Table 3: 96.34 from unrounded scores */
    assert_has(page, "mean of 8 benchmarks");
    assert_has(page, "<b>On 7 of 8 benchmarks everything");
    assert_int_equal(occurrences(page, "<b>13 of 13</b> above chance"), 7);
    assert_null(strstr(four, "Above chance"));
    check_recall(BINARY_DIR "/tests/report-paper");
    assert_has(four, "4 of 13 are");
    /* Given the recorded table, the sweep of four knows what is truly best. */
    const struct sql_arg args[] = { SQL_TEXT(csv) };
    struct err e = { 0 };
    if (db_query(d, "UPDATE sweep SET plan = jsonb_build_object('files', jsonb_build_object('law.csv', $1::text))"
                    " WHERE name = 'paper-4'", args, 1, NULL, &e) < 0)
        fail_msg("%s", e.text);
    AUTO(free) char *recorded = write_page(d, "paper-4", BINARY_DIR "/tests/report-paper-4");
    assert_has(recorded, "also of those this sweep did not ask for");
    check_recall(BINARY_DIR "/tests/report-paper-4");
    /* Files are replaced in one step: no temporary is left behind. */
    DIR *dir = opendir(BINARY_DIR "/tests/report-paper");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        assert_true(entry->d_name[0] == '.' || strstr(entry->d_name, ".csv\0") || strstr(entry->d_name, ".html") ||
                    strstr(entry->d_name, ".json"));
    closedir(dir);
}

/* ---- what the choice lost ---- */

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static double number_in(json_t *o, const char *key)
{
    json_t *value = json_object_get(o, key);
    if (!json_is_number(value))
        fail_msg("no number %s", key);
    return json_number_value(value);
}

/* H, S, T and G are measured, H best; truly T is best, H third. */
static const char small_truth[] = "representation,benchmark,value\nP,B,40\nQ,B,50\nR,B,55\nS,B,61\nT,B,70\nG,B,57\nH,B,60\n"
                                  "E,B,45\nF,B,30\n";

static void check_truth(const char *dir)
{
    AUTO(free) char *text = slurp(dir, "report.json");
    json_t *root = json_loads(text, 0, NULL), *truth = json_object_get(root, "truth");
    json_t *one = json_array_get(json_object_get(truth, "benchmarks"), 0), *ours = json_object_get(one, "policy");
    assert_string_equal(json_string_value(json_object_get(truth, "file")), "truth.csv");
    assert_string_equal(json_string_value(json_object_get(one, "recommended")), "H");
    assert_string_equal(json_string_value(json_object_get(one, "best")), "T");
    assert_true(number_in(one, "best_performance") == 70 && number_in(one, "worst_performance") == 30);
    assert_true(number_in(ours, "performance") == 60 && number_in(ours, "lost") == 10 && number_in(ours, "lost_share") == 0.25);
    assert_true(number_in(ours, "rank") == 3 && number_in(ours, "recall_1") == 0 && number_in(ours, "in_top3") == 1);
    assert_true(number_in(ours, "recall_3") == 1); /* H, T, S */
    json_t *one_random = json_object_get(one, "one_at_random"), *four = json_object_get(one, "same_number_at_random");
    assert_true(number_in(one, "fine_tunes") == 4);
    assert_true(fabs(number_in(one_random, "performance") - 468 / 9.0) < 1e-12 && number_in(one_random, "rank") == 5);
    assert_true(fabs(number_in(four, "rank") - 2) < 1e-12 && fabs(number_in(four, "recall_1") - 4 / 9.0) < 1e-12);
    /* The target is the one benchmark, from 0 to 1; the law is on the seven that have both scores. */
    json_t *target = json_object_get(json_object_get(truth, "target"), "policy");
    assert_true(fabs(number_in(target, "lost") - 0.25) < 1e-12 && number_in(target, "rank") == 3);
    json_t *law = json_object_get(one, "law");
    assert_true(number_in(law, "n_train") == 7 && number_in(law, "r2") > number_in(law, "r2_loo"));
    assert_true(fabs(number_in(truth, "largest_difference_to_measured") - 7 / 40.0) < 1e-12); /* T: 63 measured, 70 */
    json_decref(root);
}

static void test_truth(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "truth");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 4, "command");
    /* The benchmark's own ranking, which the fixture leaves out: measured first. */
    pgtest_script(d, "UPDATE policy_prediction p SET rank = q.rank FROM policy_prediction q WHERE p.benchmark_id <> 0"
                     " AND q.benchmark_id = 0 AND q.round = p.round AND q.representation_id = p.representation_id");
    char dir[400], path[450];
    snprintf(dir, sizeof dir, "%s/truth", pgtest_dir(*state));
    snprintf(path, sizeof path, "%s/truth.csv", pgtest_dir(*state));
    write_text(path, small_truth);
    struct err e = { 0 };
    AUTO(buf_free) struct buf line = BUF_INIT(4096);
    if (report_write_truth(d, "small", dir, path, &line, &e) < 0)
        fail_msg("%s", e.text);
    AUTO(free) char *page = slurp(dir, "index.html");
    const char *complaint = wellformed(page);
    if (complaint)
        fail_msg("%s", complaint);
    assert_has(page, "What the choice lost");
    assert_has(page, "<td class=\"n\">3 of 9</td>");
    assert_has(page, "4 fine-tuned at random, the best of them kept");
    assert_has(page, "The true performances are those of <code>truth.csv</code>");
    assert_has(buf_text(&line), "Truth: H is number 3 of 9 for the target, T is best\n");
    assert_has(buf_text(&line), "policy 25.0 %, 4 at random ");
    check_truth(dir);
    AUTO(free) char *without = write_page(d, "small", dir);
    assert_null(strstr(without, "What the choice lost"));
    snprintf(path, sizeof path, "%s/bad.csv", pgtest_dir(*state));
    write_text(path, "representation,benchmark,value\nP,B,40\nX,B,4\n");
    assert_int_equal(report_write_truth(d, "small", dir, path, NULL, &e), -1);
    assert_has(e.text, "bad.csv: line 3, column 1: there is no representation 'X'");
    AUTO(free) char *same = slurp(dir, "index.html");
    assert_string_equal(same, without); /* nothing was written */
}

/* Noise for a truth: the law cannot predict it, and the report says so. */
static void test_useless_law(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "useless");
    AUTO(policy_table_destroy) struct policy_table *t = parse(small_table);
    report_sweep_insert(d, "small", t, 4, "command");
    char dir[400], path[450];
    snprintf(dir, sizeof dir, "%s/useless", pgtest_dir(*state));
    snprintf(path, sizeof path, "%s/noise.csv", pgtest_dir(*state));
    write_text(path, "representation,benchmark,value\nP,B,1\nQ,B,9\nR,B,1\nS,B,8\nT,B,1\nG,B,2\nH,B,9\nE,B,4\nF,B,3\n");
    struct err e = { 0 };
    AUTO(buf_free) struct buf line = BUF_INIT(4096);
    if (report_write_truth(d, "small", dir, path, &line, &e) < 0)
        fail_msg("%s", e.text);
    AUTO(free) char *page = slurp(dir, "index.html");
    assert_has(page, "in this sweep the law does not predict better than the mean");
    assert_has(buf_text(&line), "in this sweep the law does not predict better than the mean");
}

static int setup(void **state)
{
    return (*state = pgtest_start()) ? 0 : -1;
}

static int teardown(void **state)
{
    pgtest_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floors),
        cmocka_unit_test(test_small_sweep),          cmocka_unit_test(test_json_says_the_same),
        cmocka_unit_test(test_hostile_names),        cmocka_unit_test(test_failures_and_retries),
        cmocka_unit_test(test_nothing_yet),          cmocka_unit_test(test_labels_alike),
        cmocka_unit_test(test_drawn_recall),         cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_standard_errors),      cmocka_unit_test(test_precision_and_confidence),
        cmocka_unit_test(test_paper_table),          cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_hostile_pictures),     cmocka_unit_test(test_truth),
        cmocka_unit_test(test_useless_law),          cmocka_unit_test(test_above_chance),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
