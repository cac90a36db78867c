/* Training beside plain PyTorch (tests/golden/train), beside itself in other pieces and with two processes, and through
 * interruptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/lib/train_case.h"
#include "tests/unit/torch_rig.h"
#include "common/log.h"
#include "worker/layout.h"
#include "worker/model/vlm.h"
#include "worker/train/adapter.h"
#include "worker/train/checkpoint.h"

static char room[] = "/tmp/acsweep-trainer-XXXXXX";
enum { STAGE1, FULL, LORA };
static const char *const cases[] = { [STAGE1] = "stage1", [FULL] = "full", [LORA] = "lora" };

static void path_in_room(char out[200], const char *name)
{
    snprintf(out, 200, "%s/%s", room, name);
}

static void make_dir(char out[200], const char *name)
{
    struct err e = { 0 };
    path_in_room(out, name);
    remove_tree(out);
    if (make_dirs(out, &e) < 0)
        fail_msg("%s", e.text);
}

static void assert_near(const char *what, int64_t step, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * fabs(want)))
        fail_msg("%s of step %lld is %.9g, not %.9g (off by %.1e)", what, (long long)step, got, want,
                 fabs(got - want) / fabs(want));
}

/* ---- runs -----------------------------------------------------------------------------------------------------------
 */

/* A run to its end, or to the stop that the log asks for; its result is saved in `out` unless that is NULL. */
static int run_as(const struct train_job *job, int rank, struct th_dist *group, struct train_log *log, const char *out,
                  struct err *e)
{
    struct trainer_hooks hooks = train_log_hooks(log);
    enum trainer_end end;
    AUTO(trainer_close) struct trainer *t = trainer_open(job, rank, group, e);
    if (!t)
        return -1;
    TRY(trainer_run(t, &hooks, &end, e));
    return out && end == TRAINER_DONE ? trainer_save(t, out, e) : 0;
}

static void run(const struct train_job *job, struct train_log *log, const char *out)
{
    struct err e = { 0 };
    if (run_as(job, 0, NULL, log, out, &e) < 0)
        fail_msg("%s", e.text);
}

/* What an undisturbed run of a case logs: made once, by the test that asks first. Its result is in the room under the case's
 * name. */
static const struct train_log *undisturbed(size_t i)
{
    static struct train_log logs[ARRAY_LEN(cases)];
    if (logs[i].last == 0) {
        struct train_job job;
        char out[200];
        AUTO(json_decref) json_t *want = train_case(cases[i], &job);
        make_dir(out, cases[i]);
        run(&job, &logs[i], out);
    }
    return &logs[i];
}

/* ---- beside PyTorch -------------------------------------------------------------------------------------------------
 */

static void compare_with_pytorch(const struct train_log *log, json_t *want)
{
    json_t *step;
    size_t i;
    double worst = 0;
    json_array_foreach(json_object_get(want, "steps"), i, step)
    {
        const struct train_step *s = &log->steps[i + 1];
        double loss = json_number_value(json_object_get(step, "loss"));
        assert_near("the loss", (int64_t)i + 1, s->loss, loss, 1e-4);
        assert_near("the gradient's norm", (int64_t)i + 1, s->grad_norm,
                    json_number_value(json_object_get(step, "grad_norm")), 1e-3);
        assert_true(fabs(s->learning_rate - json_number_value(json_object_get(step, "learning_rate"))) < 1e-12);
        worst = fmax(worst, fabs(s->loss - loss) / loss);
    }
    assert_int_equal(i, TRAIN_CASE_STEPS);
    print_message("losses within %.1e of PyTorch's\n", worst);
}

static void test_losses_are_pytorchs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct train_job job;
        AUTO(json_decref) json_t *want = train_case(cases[i], &job);
        compare_with_pytorch(undisturbed(i), want);
    }
}

/* ---- in other pieces ------------------------------------------------------------------------------------------------
 */

static void compare_logs(const struct train_log *a, const struct train_log *b, double tolerance)
{
    for (int64_t i = 1; i <= TRAIN_CASE_STEPS; i++) {
        assert_near("the loss", i, a->steps[i].loss, b->steps[i].loss, tolerance);
        assert_true(a->steps[i].tokens == b->steps[i].tokens);
    }
}

/* Samples on the device, and blocks that are computed again, are nobody's business. */
static void test_pieces_do_not_change_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct train_job job;
        struct train_log pieces = { 0 };
        AUTO(json_decref) json_t *want = train_case(cases[i], &job);
        job.device_batch = (int64_t[]){ 1, 3, 8 }[i % 3]; /* of a chunk, some chunks, all */
        job.recompute = false;
        run(&job, &pieces, NULL);
        compare_logs(&pieces, undisturbed(i), 1e-5);
    }
}

/* Pictures that are no squares look different when they are padded, to the trained and by way of JSON to the others. */
static void test_padding_reaches_the_encoders(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct train_job job, read;
    struct train_log padded = { 0 };
    const struct train_log *cropped = undisturbed(STAGE1);
    AUTO(json_decref) json_t *want = train_case(cases[STAGE1], &job);
    for (size_t i = 0; i < job.n_members; i++)
        job.members[i].encoder.pad = true;
    AUTO(json_decref) json_t *j = train_job_json(&job);
    assert_int_equal(train_job_read(&read, j, &e), 0);
    assert_true(read.members[1].encoder.pad);
    run(&read, &padded, NULL);
    train_job_free(&read);
    assert_true(fabs(padded.steps[1].loss - cropped->steps[1].loss) > 1e-6);
    assert_true(padded.steps[1].tokens == cropped->steps[1].tokens);
}

/* Half precision only has to learn. */
static void test_bf16_learns(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct train_job job;
        struct train_log log = { 0 };
        AUTO(json_decref) json_t *want = train_case(cases[i], &job);
        job.recipe.precision = TRAIN_BF16;
        job.features = TH_BF16;
        run(&job, &log, NULL);
        json_t *steps = json_object_get(want, "steps");
        for (size_t k = 0; k < TRAIN_CASE_STEPS; k++)
            assert_near("the loss", (int64_t)k + 1, log.steps[k + 1].loss,
                        json_number_value(json_object_get(json_array_get(steps, k), "loss")), 0.03);
    }
}

/* ---- several processes ----------------------------------------------------------------------------------------------
 */

/* Run the job as two processes; what process 0 has seen is in *log. */
static void run_two(struct train_job *job, struct train_log *log, const char *out)
{
    char meet[200];
    pid_t members[2];
    struct train_log *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    *shared = *log;
    path_in_room(meet, "meet");
    unlink(meet);
    job->processes = 2;
    for (int rank = 0; rank < 2; rank++)
        if ((members[rank] = fork()) == 0) {
            struct err e = { 0 };
            struct train_log other = *log;
            struct th_dist_options o = { .rank = rank, .size = 2, .rendezvous = meet, .device = TH_CPU };
            AUTO(th_dist_close) struct th_dist *group = th_dist_open(&o, &e);
            int rc = group ? run_as(job, rank, group, rank ? &other : shared, out, &e) : -1;
            if (rc < 0)
                fprintf(stderr, "process %d: %s\n", rank, e.text);
            _exit(rc < 0);
        }
    for (int rank = 0; rank < 2; rank++) {
        int status = -1;
        waitpid(members[rank], &status, 0);
        assert_int_equal(status, 0);
    }
    *log = *shared;
    munmap(shared, sizeof *shared);
    job->processes = 1;
}

/* Sums of gradients are made in another order: the last digits of f32. */
static void test_two_processes_do_what_one_does(void **state)
{
    (void)state;
    struct err e = { 0 };
    if (th_dist_check(TH_CPU, &e) < 0) {
        print_message("not tried: %s\n", e.text);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct train_job job;
        struct train_log two = { 0 };
        AUTO(json_decref) json_t *want = train_case(cases[i], &job);
        run_two(&job, &two, NULL);
        compare_logs(&two, undisturbed(i), 1e-5);
    }
}

/* ---- interruptions --------------------------------------------------------------------------------------------------
 */

static void assert_same_file(const char *a, const char *b, const char *name)
{
    char path[400], digests[2][DIGEST_HEX_SIZE];
    const char *dirs[2] = { a, b };
    for (int i = 0; i < 2; i++) {
        struct err e = { 0 };
        uint64_t bytes;
        snprintf(path, sizeof path, "%s/%s", dirs[i], name);
        if (digest_file(path, digests[i], &bytes, &e) < 0)
            fail_msg("%s", e.text);
    }
    assert_string_equal(digests[0], digests[1]);
}

/* The files that a case's result has its numbers in. */
static void assert_same_result(const char *name, const char *a, const char *b)
{
    assert_same_file(a, b, "mm_projector.safetensors");
    if (strcmp(name, "full") == 0)
        assert_same_file(a, b, "model.safetensors.index.json");
    if (strcmp(name, "full") == 0)
        assert_same_file(a, b, "model-00001-of-00002.safetensors");
    if (strcmp(name, "lora") == 0)
        assert_same_file(a, b, "adapter_model.safetensors");
}

/* One try in a process of its own, killed after `us` microseconds unless it is done by then. True when it was done. */
static bool try_for(const struct train_job *job, struct train_log *log, const char *out, int64_t us)
{
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err e = { 0 };
        int rc = run_as(job, 0, NULL, log, out, &e);
        if (rc < 0)
            fprintf(stderr, "%s\n", e.text);
        _exit(rc < 0);
    }
    for (int64_t slept = 0; us == 0 || slept < us; slept += 1000) {
        if (waitpid(child, &status, WNOHANG) == child) {
            assert_int_equal(status, 0);
            return true;
        }
        usleep(1000);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return WIFEXITED(status);
}

static void kill_again_and_again(size_t i, uint32_t seed)
{
    struct train_job job;
    struct train_log *log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct train_log *calm = undisturbed(i);
    char calm_result[200], disturbed[200], checkpoints[200];
    int kills = 0;
    AUTO(json_decref) json_t *want = train_case(cases[i], &job);
    path_in_room(calm_result, cases[i]);
    make_dir(disturbed, "disturbed");
    make_dir(checkpoints, "checkpoints");
    job.checkpoints = checkpoints;
    job.save_every_steps = 1;
    log->nap_us = 20000; /* or a quick machine would be done before it is killed */
    srand(seed);
    /* From the time that a start takes upwards, so that some are killed in the middle of a step or a checkpoint. Longer and
     * longer, for under sanitizers a start alone takes seconds. */
    while (!try_for(&job, log, disturbed, 30000 + (int64_t)kills * kills * 15000 + rand() % 150000))
        kills++;
    print_message("%s: killed %d times\n", cases[i], kills);
    assert_true(kills >= 2);
    for (int64_t k = 1; k <= TRAIN_CASE_STEPS; k++)
        assert_true(log->steps[k].loss == calm->steps[k].loss);
    assert_same_result(cases[i], calm_result, disturbed);
    munmap(log, sizeof *log);
}

static void test_killed_trainings_come_to_the_same_bits(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    const size_t first = LORA; /* each start takes seconds here */
#else
    const size_t first = STAGE1;
#endif
    for (size_t i = first; i < ARRAY_LEN(cases); i++)
        kill_again_and_again(i, 7 + (uint32_t)i);
}

/* Asked to stop, with two processes; gone on with by one, and the other way round. */
static void test_stops_are_checkpoints_for_any_number_of_processes(void **state)
{
    (void)state;
    struct err e = { 0 };
    if (th_dist_check(TH_CPU, &e) < 0) {
        print_message("not tried: %s\n", e.text);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct train_job job;
        struct train_log log = { .stop_at = 5 };
        char checkpoints[200];
        make_dir(checkpoints, "checkpoints");
        AUTO(json_decref) json_t *want = train_case(cases[i], &job);
        job.checkpoints = checkpoints;
        run_two(&job, &log, NULL);
        assert_int_equal(log.last, 5);
        log.stop_at = 12;
        run(&job, &log, NULL);
        assert_int_equal(log.last, 12);
        log.stop_at = 0;
        run_two(&job, &log, NULL);
        compare_logs(&log, undisturbed(i), 1e-5);
    }
}

static void break_file(const char *dir, int64_t step, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/step-%010lld/%s", dir, (long long)step, name);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, -3, SEEK_END);
    int c = fgetc(f);
    fseek(f, -3, SEEK_END);
    fputc(c ^ 1, f);
    fclose(f);
}

static void test_a_broken_checkpoint_is_passed_over(void **state)
{
    (void)state;
    struct train_job job;
    struct train_log log = { .stop_at = 9 };
    char checkpoints[200], dir[CHECKPOINT_PATH];
    struct err e = { 0 };
    AUTO(json_decref) json_t *want = train_case(cases[FULL], &job);
    make_dir(checkpoints, "checkpoints");
    job.checkpoints = checkpoints;
    job.save_every_steps = 2;
    run(&job, &log, NULL); /* leaves 8 and 9 */
    break_file(checkpoints, 9, "trained.safetensors");
    AUTO(json_decref) json_t *found = NULL;
    assert_int_equal(checkpoint_find(checkpoints, dir, &found, &e), 1);
    assert_int_equal(json_integer_value(json_object_get(found, "step")), 8);
    log.stop_at = 0;
    run(&job, &log, NULL);
    for (int64_t i = 1; i <= TRAIN_CASE_STEPS; i++)
        assert_true(log.steps[i].loss == undisturbed(FULL)->steps[i].loss);
}

static void test_checkpoints_of_another_training_are_refused(void **state)
{
    (void)state;
    struct train_job job;
    struct train_log log = { .stop_at = 2 };
    struct err e = { 0 };
    char checkpoints[200];
    AUTO(json_decref) json_t *want = train_case("lora", &job);
    make_dir(checkpoints, "checkpoints");
    job.checkpoints = checkpoints;
    run(&job, &log, NULL);
    job.recipe.learning_rate /= 2;
    assert_null(trainer_open(&job, 0, NULL, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "other settings"));
}

/* ---- results --------------------------------------------------------------------------------------------------------
 */

/* The sum of the absolute numbers of the connector in what stage 2 left. */
static double saved_connector(const struct train_job *job, const char *out)
{
    TH_SCOPE(s);
    struct err e = { 0 };
    struct vlm_options o = { .dtype = TH_F32, .device = TH_CPU };
    AUTO(vlm_destroy) struct vlm *v = adapter_open_model(out, job->llm, &o, &e);
    if (!v)
        fail_msg("%s", e.text);
    assert_int_equal(connector_in(v->connector), 40);
    double sum = 0;
    const char *name;
    struct tensor *x;
    for (size_t k = 0; (x = params_next(connector_params(v->connector), &k, &name));)
        sum += th_item(th_sum_to(th_abs(x), TH_SCALAR_DIMS, false, TH_F64));
    return sum;
}

/* What stage 2 left is a model: with LoRA the same whether the factors are merged or not. */
static void test_results_are_models(void **state)
{
    (void)state;
    for (size_t i = 1; i < ARRAY_LEN(cases); i++) {
        struct train_job job;
        char out[200];
        AUTO(json_decref) json_t *want = train_case(cases[i], &job);
        undisturbed(i);
        path_in_room(out, cases[i]);
        double sum = saved_connector(&job, out);
        double connector = json_number_value(json_object_get(json_object_get(want, "sums"), "connector"));
        assert_near("the connector", 20, sum, connector, 1e-4);
    }
}

/* A rate of the connector's own: the decoder's changes nothing, a small one leaves the connector where it began while the
 * decoder learns. */
static void test_the_connector_has_a_rate(void **state)
{
    (void)state;
    struct train_job job;
    struct train_log same = { 0 }, still = { 0 };
    char out[200];
    AUTO(json_decref) json_t *want = train_case(cases[FULL], &job);
    job.recipe.connector_learning_rate = job.recipe.learning_rate;
    run(&job, &same, NULL);
    compare_logs(&same, undisturbed(FULL), 0);
    path_in_room(out, cases[FULL]);
    double moved = saved_connector(&job, out);

    double rate = job.recipe.learning_rate;
    make_dir(out, "rates");
    job.recipe.connector_learning_rate = rate * 1e-6;
    run(&job, &still, out);
    double begun = saved_connector(&job, out);
    assert_true(fabs(moved - begun) > 1e-4 * begun);
    assert_true(still.steps[TRAIN_CASE_STEPS].loss != same.steps[TRAIN_CASE_STEPS].loss);
    make_dir(out, "rates");
    job.recipe.connector_learning_rate = rate * 1e-7;
    run(&job, &still, out);
    assert_near("a still connector", TRAIN_CASE_STEPS, saved_connector(&job, out), begun, 1e-6);
    assert_true(still.steps[TRAIN_CASE_STEPS].loss < still.steps[1].loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_losses_are_pytorchs),
        TORCH_TEST(test_pieces_do_not_change_numbers),
        TORCH_TEST(test_padding_reaches_the_encoders),
        TORCH_TEST(test_bf16_learns),
        TORCH_TEST(test_two_processes_do_what_one_does),
        TORCH_TEST(test_killed_trainings_come_to_the_same_bits),
        TORCH_TEST(test_stops_are_checkpoints_for_any_number_of_processes),
        TORCH_TEST(test_a_broken_checkpoint_is_passed_over),
        TORCH_TEST(test_checkpoints_of_another_training_are_refused),
        TORCH_TEST(test_results_are_models),
        TORCH_TEST(test_the_connector_has_a_rate),
    };
    if (torch_absent())
        return 77;
    log_setup("test_trainer", LOG_ERROR, LOG_LOGFMT);
    if (!mkdtemp(room))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    remove_tree(room);
    return rc;
}
