/* Representations: grids against torch's interpolation (tests/golden/llama/make.py), members against what each encoder
 * makes by itself, and features from files against those from pictures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/checkpoint_copy.h"
#include "tests/unit/llama_rig.h"
#include "worker/extract/feature_table.h"
#include "worker/extract/representation.h"

#define PICTURES SOURCE_DIR "/tests/golden/images/pictures/"
static const char *const paths[] = { PICTURES "61x40.png", PICTURES "rgb.png", PICTURES "grey.png" };

/* Checkpoints of tests/golden/vit with the preprocessor files of tests/golden/extract: grids of 4 and of 5. */
static const char *const encoders[] = { "clip224", "dinov2_registers" };
static char folders[2][64];

static void link_file(const char *room, const char *encoder, const char *file, const char *dir)
{
    char from[400], to[160];
    snprintf(from, sizeof from, SOURCE_DIR "/tests/golden/%s/%s/%s", room, encoder, file);
    snprintf(to, sizeof to, "%s/%s", dir, file);
    assert_int_equal(symlink(from, to), 0);
}

static int make_checkpoints(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        checkpoint_scratch(folders[i]);
        link_file("vit", encoders[i], "config.json", folders[i]);
        link_file("vit", encoders[i], "model.safetensors", folders[i]);
        link_file("extract", encoders[i], "preprocessor_config.json", folders[i]);
    }
    return 0;
}

static int remove_checkpoints(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        checkpoint_scratch_end(folders[i]);
    return 0;
}

static void set_members(struct representation_member members[2])
{
    for (int i = 0; i < 2; i++) {
        members[i] = (struct representation_member){ .name = encoders[i], .encoder = EXTRACT_DEFAULTS };
        members[i].encoder.checkpoint = folders[i];
    }
}

static struct representation *open_both(int64_t grid, enum th_dtype t)
{
    struct err e = { 0 };
    struct representation_member members[2];
    set_members(members);
    struct representation_options o = { .members = members, .n = 2, .grid = grid, .dtype = t, .batch = 2 };
    struct representation *r = representation_open(&o, &e);
    assert_no_error(&e, __LINE__);
    return r;
}

/* ---- combining ------------------------------------------------------------------------------------------------------
 */

static void test_unequal_grids_are_resampled_as_torch_does(void **state)
{
    (void)state;
    TH_SCOPE(s);
    AUTO(weights_destroy) struct weights *w = open_golden_numbers("grids");
    struct tensor *parts[] = { golden(w, "grid4"), golden(w, "grid6"), golden(w, "grid3") };
    struct tensor *to6 = representation_combine(parts, 3, 6, TH_F32),
                  *to4 = representation_combine(parts, 3, 4, TH_F32);
    assert_near(to6, golden(w, "to6"), 1e-6, "to 6");
    assert_near(to4, golden(w, "to4"), 1e-6, "to 4");
    assert_near(th_slice(to6, 2, 3, 5), parts[1], 0, "a member on the target grid is untouched");
    assert_near(th_slice(to4, 2, 0, 3), parts[0], 0, "a member on the target grid is untouched");
}

static void test_members_stand_side_by_side_on_the_finest_grid(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(weights_destroy) struct weights *w = weights_open(SOURCE_DIR "/tests/golden/extract/expected.safetensors", &e);
    AUTO(representation_close) struct representation *fine = open_both(0, TH_F32), *coarse = open_both(4, TH_F32);
    struct representation_shape shape = representation_shape(fine);
    assert_int_equal(shape.grid, 5);
    assert_int_equal(shape.tokens, 25);
    assert_int_equal(shape.channels, 64);
    struct tensor *x = representation_files(fine, paths, 3, &e), *y = representation_files(coarse, paths, 3, &e);
    assert_no_error(&e, __LINE__);
    assert_true(th_is_shape(x, TH_DIMS(3, 25, 64)) && th_is_shape(y, TH_DIMS(3, 16, 64)));
    struct tensor *clip = th_slice(y, 2, 0, 32), *dino = th_slice(x, 2, 32, 64);
    struct tensor *parts[] = { clip, dino };
    assert_near(th_select(clip, 0, 0), golden(w, "plain/61x40.png"), TOLERANCE, "the reference's own tokens");
    assert_near(representation_combine(parts, 2, 5, TH_F32), x, 0, "resampled to 5 x 5");
    assert_near(representation_combine(parts, 2, 4, TH_F32), y, 0, "resampled to 4 x 4");
}

/* ---- from files -----------------------------------------------------------------------------------------------------
 */

/* The first `n` pictures' features of encoder `i`, as files keep them. */
static void keep_features(int i, size_t n, const char *file, enum th_dtype t)
{
    TH_SCOPE(s);
    struct err e = { 0 };
    struct representation_member members[2];
    set_members(members);
    struct representation_options o = { .members = &members[i], .n = 1, .dtype = t };
    AUTO(representation_close) struct representation *r = representation_open(&o, &e);
    struct tensor *x = representation_files(r, paths, n, &e);
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(file, &e);
    assert_no_error(&e, __LINE__);
    for (size_t k = 0; k < n; k++)
        FINE(st_writer_declare(w, paths[k], t, TH_DIMS(th_size(x, 1), th_size(x, 2)), &e));
    for (size_t k = 0; k < n; k++)
        FINE(st_writer_put(w, paths[k], th_data(th_select(x, 0, (int64_t)k)), (size_t)th_bytes(x) / n, &e));
    FINE(st_writer_commit(w, &e));
}

/* Other numbers of pictures at once are other sums on some processors: a unit of bf16 in the last place, while other
 * pictures, or these in another order, are far away. */
static void assert_same_features(struct representation *r, struct tensor *x, const char *const order[2],
                                 const char *what)
{
    struct err e = { 0 };
    const char *const turned[] = { order[1], order[0] };
    assert_near(x, representation_files(r, order, 2, &e), 0.01, what);
    struct tensor *other = representation_files(r, turned, 2, &e);
    assert_true(th_item(th_amax(th_abs(th_sub(x, other)), TH_SCALAR_DIMS, false)) > 0.1);
    assert_no_error(&e, __LINE__);
}

static void test_kept_features_are_those_of_the_pictures(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    char dir[64], files[2][100];
    checkpoint_scratch(dir);
    struct representation_member members[2] = { 0 };
    const char *lists[2][1];
    for (int i = 0; i < 2; i++) {
        snprintf(files[i], sizeof files[i], "%s/%d.safetensors", dir, i);
        keep_features(i, 3, files[i], TH_BF16);
        lists[i][0] = files[i];
        members[i] = (struct representation_member){ .features = lists[i], .n_features = 1 };
    }
    struct representation_options o = { .members = members, .n = 2, .dtype = TH_BF16 };
    AUTO(representation_close) struct representation *kept = representation_open(&o, &e), *r = open_both(0, TH_BF16);
    assert_no_error(&e, __LINE__);
    static const char *const order[] = { PICTURES "grey.png", PICTURES "61x40.png" };
    struct tensor *x = representation_see(kept, NULL, order, 2, &e);
    assert_no_error(&e, __LINE__);
    assert_int_equal(th_dtype_of(x), TH_BF16);
    assert_same_features(r, x, order, "kept and computed");
    static const char *const unknown[] = { PICTURES "rgb.png", "other.png" };
    assert_null(representation_see(kept, NULL, unknown, 2, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "no features of 'other.png'"));
    checkpoint_scratch_end(dir);
}

/* One member's features are kept, the other's are computed: the budget of a sweep decides for each by itself. */
static void test_kept_beside_computed(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    char dir[64], file[100];
    static const char *const order[] = { PICTURES "grey.png", PICTURES "61x40.png" };
    const char *list[] = { file };
    struct representation_member members[2];
    struct image pictures[2] = { 0 };
    checkpoint_scratch(dir);
    snprintf(file, sizeof file, "%s/0.safetensors", dir);
    keep_features(0, 3, file, TH_BF16);
    set_members(members);
    members[0] = (struct representation_member){ .features = list, .n_features = 1 };
    struct representation_options o = { .members = members, .n = 2, .dtype = TH_BF16 };
    AUTO(representation_close) struct representation *mixed = representation_open(&o, &e), *r = open_both(0, TH_BF16);
    assert_no_error(&e, __LINE__);
    assert_true(representation_needs_pictures(mixed) && representation_needs_names(mixed));
    assert_true(representation_needs_pictures(r) && !representation_needs_names(r));
    for (size_t i = 0; i < 2; i++)
        FINE(image_load(order[i], &(struct image_options){ 0 }, &pictures[i], &e));
    struct tensor *x = representation_see(mixed, pictures, order, 2, &e);
    assert_no_error(&e, __LINE__);
    assert_same_features(r, x, order, "half kept, half computed");
    assert_null(representation_see(mixed, NULL, order, 2, &e));
    assert_non_null(strstr(e.text, "needs pictures"));
    for (size_t i = 0; i < 2; i++)
        image_free(&pictures[i]);
    checkpoint_scratch_end(dir);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------
 */

static void assert_table_refused(const char *const *list, size_t n, const char *part)
{
    struct err e = { 0 };
    assert_null(feature_table_open(list, n, &e));
    if (!strstr(e.text, part))
        fail_msg("%s", e.text);
}

static void test_files_that_do_not_belong_together(void **state)
{
    (void)state;
    char dir[64], a[100], b[100], c[100];
    checkpoint_scratch(dir);
    assert_table_refused((const char *const[]){ dir }, 1, "no features in it");
    snprintf(a, sizeof a, "%s/a.safetensors", dir);
    snprintf(b, sizeof b, "%s/b.safetensors", dir);
    snprintf(c, sizeof c, "%s/c.safetensors", dir);
    keep_features(0, 2, a, TH_F32);
    keep_features(0, 1, b, TH_F32);
    keep_features(1, 3, c, TH_F32);
    assert_table_refused((const char *const[]){ dir }, 1, "is in another file too");
    assert_table_refused((const char *const[]){ a, c }, 2, "two kinds");
    assert_table_refused((const char *const[]){ "/nowhere" }, 1, "cannot open");
    checkpoint_scratch_end(dir);
}

static void test_members_that_do_not_belong_together(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct representation_member members[2];
    struct representation_options o = { .members = members, .n = 2, .dtype = TH_F32 };
    set_members(members);
    members[1].encoder.all_tokens = true;
    assert_null(representation_open(&o, &e));
    assert_non_null(strstr(e.text, "member 'dinov2_registers': class and register tokens"));
    err_clear(&e);
    members[1].encoder = (struct extract_options){ .checkpoint = "/nowhere" };
    assert_null(representation_open(&o, &e));
    assert_non_null(strstr(e.text, "member 'dinov2_registers'"));
}

int main(void)
{
    if (torch_absent())
        return 77;
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_unequal_grids_are_resampled_as_torch_does),
        TORCH_TEST(test_members_stand_side_by_side_on_the_finest_grid),
        TORCH_TEST(test_kept_features_are_those_of_the_pictures),
        TORCH_TEST(test_kept_beside_computed),
        TORCH_TEST(test_files_that_do_not_belong_together),
        TORCH_TEST(test_members_that_do_not_belong_together),
    };
    return cmocka_run_group_tests(tests, make_checkpoints, remove_checkpoints);
}
