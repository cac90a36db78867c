/* The real acsweep-exec, driven through its pipe: every behaviour of the fake executor, replay, and the user's own programs
 * with everything they may do wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/mono.h"
#include "common/wire.h"
#include "tests/lib/made_task.h"

#define IDENTITY MADE_IDENTITY
#define PATIENCE_MS 60000

struct world {
    char dir[64], scratch[128], store[128];
    pid_t pid;
    int fd;
    uint64_t log_bytes; /* seen in Progress */
    double fraction;
};

static void start(struct world *w, bool with_store)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    w->pid = fork();
    if (w->pid == 0) {
        dup2(pair[1], 3);
        fcntl(3, F_SETFD, 0);
        setenv("ACSWEEP_SCRATCH", w->scratch, 1);
        setenv("ACSWEEP_STORE", with_store ? w->store : "", 1);
        execl(BINARY_DIR "/bin/acsweep-exec", "acsweep-exec", (char *)NULL);
        _exit(99);
    }
    close(pair[1]);
    w->fd = pair[0];
    Acsweep__NamedPath paths[2] = { ACSWEEP__NAMED_PATH__INIT, ACSWEEP__NAMED_PATH__INIT },
                       *list[] = { &paths[0], &paths[1] };
    paths[0].name = (char *)"clip-l@336";
    paths[0].path = (char *)"/data/clip";
    paths[1].name = (char *)"mix.v1";
    paths[1].path = (char *)"/data/mix";
    Acsweep__ExecHello h = ACSWEEP__EXEC_HELLO__INIT;
    h.worker_id = (char *)"tester";
    h.paths = list;
    h.n_paths = 2;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_EXEC_HELLO;
    m.exec_hello = &h;
    struct err e = { 0 };
    assert_int_equal(wire_write_fd(w->fd, &m, &e), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/acsweep-exec-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->scratch, sizeof w->scratch, "%s/scratch", w->dir);
    snprintf(w->store, sizeof w->store, "%s/store", w->dir);
    mkdir(w->scratch, 0700);
    mkdir(w->store, 0700);
    start(w, true);
    *state = w;
    return 0;
}

static int exec_end(struct world *w)
{
    int status = 0;
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    waitpid(w->pid, &status, 0);
    w->pid = 0;
    return status;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char rm[128];
    if (w->pid > 0)
        kill(w->pid, SIGKILL);
    exec_end(w);
    snprintf(rm, sizeof rm, "rm -rf '%s'", w->dir);
    int done = system(rm);
    free(w);
    return done;
}

static Acsweep__Token token_of(uint32_t attempt)
{
    Acsweep__Token t = ACSWEEP__TOKEN__INIT;
    t.task_id = 5;
    t.attempt = attempt;
    t.epoch = 3;
    return t;
}

static void send_now(envelope *m, void *arg)
{
    struct err e = { 0 };
    assert_int_equal(wire_write_fd(((struct world *)arg)->fd, m, &e), 0);
}

static void assign_with(struct world *w, const char *executor, const char *kind, uint32_t attempt, const char *params,
                        Acsweep__InputRef **inputs, size_t n)
{
    const struct made_task t = { .task = 5,
                                 .attempt = attempt,
                                 .epoch = 3,
                                 .executor = executor,
                                 .kind = kind,
                                 .params = params,
                                 .inputs = inputs,
                                 .n_inputs = n };
    made_task_send(&t, send_now, w);
}

static void assign(struct world *w, const char *executor, const char *kind, uint32_t attempt, const char *params)
{
    assign_with(w, executor, kind, attempt, params, NULL, 0);
}

static void assign_fake(struct world *w, uint32_t attempt, const char *fake)
{
    char params[512];
    snprintf(params, sizeof params, "{\"identity\":{\"fake\":%s}}", fake);
    assign(w, "fake", "fake", attempt, params);
}

static void assign_shell(struct world *w, uint32_t attempt, const char *script, const char *more)
{
    json_t *argv = json_pack("[s,s,s]", "/bin/sh", "-c", script);
    json_t *command = json_pack("{s:o}", "argv", argv);
    json_t *extra = json_loads(more[0] ? more : "{}", 0, NULL);
    json_object_update(command, extra);
    json_t *j = json_pack("{s:{s:s,s:i}, s:{s:o}}", "identity", "benchmark", "mme", "shots", 4, "execution", "command", command);
    char *text = json_dumps(j, 0);
    assign(w, "command", "stage2", attempt, text);
    free(text);
    json_decref(extra);
    json_decref(j);
}

static void cancel(struct world *w, uint32_t attempt, const char *reason, uint64_t grace_ms)
{
    Acsweep__Token t = token_of(attempt);
    Acsweep__Cancel c = ACSWEEP__CANCEL__INIT;
    c.token = &t;
    c.reason = (char *)reason;
    c.grace_ms = grace_ms;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
    m.cancel = &c;
    struct err e = { 0 };
    assert_int_equal(wire_write_fd(w->fd, &m, &e), 0);
}

/* The next message, or NULL at the end of the stream or after the wait. */
static envelope *next_message(struct world *w, int wait_ms)
{
    struct pollfd p = { .fd = w->fd, .events = POLLIN };
    struct err e = { 0 };
    envelope *m = NULL;
    if (poll(&p, 1, wait_ms) > 0 && wire_read_fd(w->fd, &m, &e) < 0)
        return NULL;
    return m;
}

static Acsweep__Result *result_of(struct world *w, envelope **m)
{
    for (;;) {
        *m = next_message(w, PATIENCE_MS);
        assert_non_null(*m);
        if ((*m)->body_case == ACSWEEP__ENVELOPE__BODY_RESULTS)
            return (*m)->results->results[0];
        if ((*m)->body_case == ACSWEEP__ENVELOPE__BODY_PROGRESS) {
            w->log_bytes += (*m)->progress->log.len;
            w->fraction = (*m)->progress->fraction;
        }
        envelope_free(*m);
    }
}

static void wait_started(struct world *w)
{
    envelope *m = next_message(w, PATIENCE_MS);
    assert_non_null(m);
    assert_int_equal(m->body_case, ACSWEEP__ENVELOPE__BODY_STARTED);
    envelope_free(m);
}

static void expect_failure(struct world *w, Acsweep__FailureClass class, const char *words)
{
    envelope *m;
    Acsweep__Result *r = result_of(w, &m);
    if (r->outcome != ACSWEEP__OUTCOME__FAILED || r->failure != class || !strstr(r->message, words))
        fail_msg("outcome %d class %d '%s'; wanted class %d with '%s'", r->outcome, r->failure, r->message, class, words);
    envelope_free(m);
}

static void expect_outcome(struct world *w, Acsweep__Outcome outcome)
{
    envelope *m;
    Acsweep__Result *r = result_of(w, &m);
    if (r->outcome != outcome)
        fail_msg("outcome %d class %d '%s'; wanted %d", r->outcome, r->failure, r->message, outcome);
    envelope_free(m);
}

/* ---- fake --------------------------------------------------------------------------------------------------------- */

static void test_fake_succeeds_with_metrics(void **state)
{
    struct world *w = *state;
    assign_fake(w, 1, "{\"sleep_ms\":[20,40],\"metrics\":{\"a\":0.5,\"loss\":2}}");
    envelope *m;
    Acsweep__Result *r = result_of(w, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_int_equal(r->token->task_id, 5);
    assert_int_equal(r->token->epoch, 3);
    assert_int_equal(r->n_metrics, 2);
    assert_true(r->cost->wall_seconds >= 0.02 && r->cost->wall_seconds < 5);
    assert_true(r->cost->max_rss_bytes > 0);
    assert_true(r->finished_unix_us >= r->started_unix_us);
    envelope_free(m);
}

static void test_fake_fails_as_told(void **state)
{
    struct world *w = *state;
    assign_fake(w, 1, "{\"outcome\":\"fail:gpu_oom\"}");
    expect_failure(w, ACSWEEP__FAILURE_CLASS__GPU_OOM, "told to fail");
    assign_fake(w, 2, "{\"outcome\":\"fail:data\",\"fail_attempts\":2}");
    expect_failure(w, ACSWEEP__FAILURE_CLASS__DATA, "attempt 2");
    assign_fake(w, 3, "{\"outcome\":\"fail:data\",\"fail_attempts\":2}");
    expect_outcome(w, ACSWEEP__OUTCOME__SUCCEEDED);
    assign_fake(w, 4, "{\"outcome\":\"checkpoint\"}");
    expect_outcome(w, ACSWEEP__OUTCOME__CHECKPOINTED);
}

static void test_fake_crash_ends_the_process(void **state)
{
    struct world *w = *state;
    assign_fake(w, 1, "{\"outcome\":\"crash\"}");
    wait_started(w);
    assert_null(next_message(w, PATIENCE_MS));
    int status = exec_end(w);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_fake_hang_is_deaf(void **state)
{
    struct world *w = *state;
    assign_fake(w, 1, "{\"outcome\":\"hang\"}");
    wait_started(w);
    cancel(w, 1, "cancelled", 0);
    assert_null(next_message(w, 500));
    assert_int_equal(waitpid(w->pid, NULL, WNOHANG), 0);
}

static void test_fake_lie_carries_a_wrong_token(void **state)
{
    struct world *w = *state;
    assign_fake(w, 1, "{\"outcome\":\"lie\"}");
    envelope *m;
    assert_int_equal(result_of(w, &m)->token->attempt, 2);
    envelope_free(m);
}

static void test_fake_leak_keeps_memory(void **state)
{
    struct world *w = *state;
    uint64_t before, after;
    envelope *m;
    assign_fake(w, 1, "{}");
    before = result_of(w, &m)->cost->max_rss_bytes;
    envelope_free(m);
    assign_fake(w, 2, "{\"outcome\":\"leak\",\"leak_bytes\":33554432}");
    after = result_of(w, &m)->cost->max_rss_bytes;
    envelope_free(m);
    assert_true(after >= before + (30u << 20));
}

static void test_fake_cancel_reasons(void **state)
{
    struct world *w = *state;
    assign_fake(w, 1, "{\"sleep_ms\":60000}");
    wait_started(w);
    cancel(w, 9, "cancelled", 0); /* another token: not for this one */
    cancel(w, 1, "cancelled", 0);
    expect_outcome(w, ACSWEEP__OUTCOME__CANCELLED);
    assign_fake(w, 2, "{\"sleep_ms\":60000}");
    wait_started(w);
    cancel(w, 2, "drain", 0);
    expect_failure(w, ACSWEEP__FAILURE_CLASS__PREEMPTED, "drains");
    assign_fake(w, 3, "{\"sleep_ms\":1}"); /* the cancel does not stick */
    expect_outcome(w, ACSWEEP__OUTCOME__SUCCEEDED);
}

static void test_bad_parameters_name_the_key(void **state)
{
    struct world *w = *state;
    const struct {
        const char *executor, *params, *words;
    } cases[] = {
        { "fake", "{\"identity\":{\"fake\":{\"sleep_sm\":1}}}", "did you mean 'sleep_ms'" },
        { "fake", "{\"identity\":{\"fake\":{\"sleep_ms\":-1}}}", "sleep_ms" },
        { "fake", "{\"identity\":{\"fake\":{\"outcome\":\"fail:bad\"}}}", "fail:CLASS" },
        { "fake", "{\"identity\":{\"fake\":{\"fail_attempts\":1.5}}}", "fail_attempts" },
        { "fake", "{\"identity\":3}", "identity and execution" },
        { "fake", "{", "not JSON" },
        { "nope", "{}", "no executor 'nope'" },
        { "command", "{\"execution\":{}}", "execution.command" },
        { "command", "{\"execution\":{\"command\":{\"argv\":[]}}}", "argv" },
        { "command", "{\"execution\":{\"command\":{\"argv\":[\"x\"],\"cwd\":\"/\"}}}", "cwd is no key" },
        { "command", "{\"execution\":{\"command\":{\"argv\":[\"x\",\"{uot}\"]}}}", "did you mean {out}" },
        { "command", "{\"execution\":{\"command\":{\"argv\":[\"/nowhere/prog\"]}}}", "cannot start" },
    };
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        assign(w, cases[i].executor, "fake", i + 1, cases[i].params);
        expect_failure(w, ACSWEEP__FAILURE_CLASS__DATA, cases[i].words);
    }
}

/* ---- replay ------------------------------------------------------------------------------------------------------- */

static void test_replay_answers_by_kind(void **state)
{
    struct world *w = *state;
    const struct {
        const char *kind, *metric;
        size_t n;
    } cases[] = { { "score_a", "a", 1 }, { "score_c", "c", 2 }, { "evaluate", "performance", 1 }, { "stage1", NULL, 0 } };
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        assign(w, "replay", cases[i].kind, i + 1, "{\"identity\":{\"replay\":{\"value\":0.788}}}");
        envelope *m;
        Acsweep__Result *r = result_of(w, &m);
        assert_int_equal(r->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
        assert_int_equal(r->n_metrics, cases[i].n);
        if (cases[i].metric) {
            assert_string_equal(r->metrics[0]->name, cases[i].metric);
            assert_true(r->metrics[0]->value == 0.788);
        }
        envelope_free(m);
    }
    assign(w, "replay", "score_a", 9, "{\"identity\":{\"replay\":{}}}");
    expect_failure(w, ACSWEEP__FAILURE_CLASS__DATA, "the task: the replay table has no value");
}

/* ---- command ------------------------------------------------------------------------------------------------------ */

static void test_command_gets_its_task_and_publishes(void **state)
{
    struct world *w = *state;
    Acsweep__ArtifactRef file = ACSWEEP__ARTIFACT_REF__INIT, *files = &file;
    file.name = (char *)"weights";
    file.store = (char *)"inline";
    file.content.data = (uint8_t *)"hello";
    file.content.len = 5;
    Acsweep__InputRef in = ACSWEEP__INPUT_REF__INIT, *inputs = &in;
    in.name = (char *)"connector";
    in.identity = (char *)IDENTITY;
    in.artifacts = &files;
    in.n_artifacts = 1;
    assign_with(w, "command", "stage2", 2,
                "{\"identity\":{\"shots\":4},\"execution\":{\"command\":{\"argv\":[\"/bin/sh\",\"-ec\","
                "\"test $ACSWEEP_TASK_ID.$ACSWEEP_ATTEMPT-$ACSWEEP_EPOCH = 5.2-3; test \\\"$2\\\" = '4{'; "
                "grep -q '\\\"shots\\\": 4' \\\"$ACSWEEP_PARAMS\\\"; test $X = y; echo 'acsweep-progress: 0.5 half'; "
                "mkdir $ACSWEEP_OUT/dir; cp \\\"$1\\\" $ACSWEEP_OUT/model; echo x > $ACSWEEP_OUT/dir/b; "
                "echo '{\\\"metrics\\\":{\\\"performance\\\":61.5},\\\"artifacts\\\":[{\\\"name\\\":\\\"m\\\",\\\"path\\\":\\\"model\\\"},"
                "{\\\"name\\\":\\\"d\\\",\\\"path\\\":\\\"dir\\\"}]}' > $ACSWEEP_RESULT\","
                "\"sh\",\"{input:connector}\",\"{param:shots}{{\"],\"environment\":{\"X\":\"y\"}}}}",
                &inputs, 1);
    envelope *m;
    Acsweep__Result *r = result_of(w, &m);
    assert_string_equal(r->message, "");
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_true(r->metrics[0]->value == 61.5);
    assert_int_equal(r->n_artifacts, 2);
    assert_string_equal(r->artifacts[0]->path, "objects/00/" IDENTITY ".2-3/model");
    assert_string_equal(r->artifacts[0]->store, "shared");
    assert_int_equal(r->artifacts[0]->bytes, 5);
    char hex[DIGEST_HEX_SIZE], path[512];
    digest_bytes("hello", 5, hex);
    assert_string_equal(r->artifacts[0]->digest, hex);
    snprintf(path, sizeof path, "%s/%s", w->store, r->artifacts[1]->path);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_true(w->log_bytes > 0);
    assert_true(w->fraction == 0.5);
    envelope_free(m);
}

static void test_command_failures_have_classes(void **state)
{
    struct world *w = *state;
    const struct {
        const char *script;
        Acsweep__FailureClass class;
        const char *words;
    } cases[] = {
        { "echo first; echo broken here; exit 3", ACSWEEP__FAILURE_CLASS__CODE, "code 3; last line: broken here" },
        { "exit 0", ACSWEEP__FAILURE_CLASS__CODE, "wrote no result.json" },
        { "echo '[1]' > $ACSWEEP_RESULT", ACSWEEP__FAILURE_CLASS__CODE, "not a JSON object" },
        { "echo '{\"metrics\":{\"a\":\"x\"}}' > $ACSWEEP_RESULT", ACSWEEP__FAILURE_CLASS__CODE, "metric 'a'" },
        { "echo '{\"artifacts\":[{\"name\":\"a\",\"path\":\"gone\"}]}' > $ACSWEEP_RESULT", ACSWEEP__FAILURE_CLASS__CODE,
          "'gone' is not in the output" },
        { "echo '{\"artifacts\":[{\"name\":\"a\",\"path\":\"/etc/passwd\"}]}' > $ACSWEEP_RESULT",
          ACSWEEP__FAILURE_CLASS__CODE, "leads out" },
        { "ln -s /etc/passwd $ACSWEEP_OUT/l; echo '{\"artifacts\":[{\"name\":\"a\",\"path\":\"l\"}]}' > "
          "$ACSWEEP_RESULT",
          ACSWEEP__FAILURE_CLASS__CODE, "leads out" },
        { "kill -SEGV $$", ACSWEEP__FAILURE_CLASS__CODE, "signal 11" },
        { "kill -KILL $$", ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, "signal 9" },
        { "echo 'RuntimeError: CUDA out of memory. Tried'; exit 1", ACSWEEP__FAILURE_CLASS__GPU_OOM,
          "CUDA out of memory" },
        { "echo '{\"failure\":{\"class\":\"data\",\"message\":\"no such image\"}}' > $ACSWEEP_RESULT; exit 1",
          ACSWEEP__FAILURE_CLASS__DATA, "no such image" },
        { "kill -TERM $$", ACSWEEP__FAILURE_CLASS__PREEMPTED, "signal 15" },
        { "echo 'CUDA error: uncorrectable ECC error encountered'; exit 1", ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE,
          "ECC" },
        { "echo 'CUDA error: an illegal memory access was encountered'; exit 1", ACSWEEP__FAILURE_CLASS__CODE,
          "illegal" },
        { "printf 'in Latin-1: \\374ber\\n'; exit 1", ACSWEEP__FAILURE_CLASS__CODE, "in Latin-1: ?ber" },
        /* A progress bar of characters of three bytes each, cut where the last line ends. */
        { "i=0; while [ $i -lt 90 ]; do printf '\\342\\226\\210'; i=$((i+1)); done; exit 1",
          ACSWEEP__FAILURE_CLASS__CODE, "\u2588\u2588" },
        { "echo '{\"artifacts\":[{\"name\":\"a\",\"path\":\"x\"},{\"name\":\"a\",\"path\":\"x\"}]}' > $ACSWEEP_RESULT; "
          "touch $ACSWEEP_OUT/x",
          ACSWEEP__FAILURE_CLASS__CODE, "'a' comes twice" },
    };
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        assign_shell(w, i + 1, cases[i].script, "");
        expect_failure(w, cases[i].class, cases[i].words);
    }
    char objects[160];
    snprintf(objects, sizeof objects, "%s/objects", w->store);
    assert_int_equal(access(objects, F_OK), -1); /* nothing of a failed attempt is visible */
}

static bool is_suspect(struct world *w)
{
    envelope *m;
    bool yes = result_of(w, &m)->suspect;
    envelope_free(m);
    return yes;
}

static void test_command_that_fails_on_its_gpu_makes_it_suspect(void **state)
{
    struct world *w = *state;
    const struct {
        const char *script;
        bool suspect;
    } cases[] = {
        { "echo 'CUDA error: an illegal memory access was encountered'; exit 1", true },
        { "echo 'torch.cuda.OutOfMemoryError: CUDA out of memory.'; exit 1", false },
        { "echo 'CUDA error: out of memory'; exit 1", false },
        { "echo 'CUDA error: but it went on'; echo '{}' > $ACSWEEP_RESULT", false },
        { "exit 1", false },
    };
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        assign_shell(w, i + 1, cases[i].script, "");
        assert_int_equal(is_suspect(w), cases[i].suspect);
    }
}

static void test_command_checkpoint_moves_to_the_next_attempt(void **state)
{
    struct world *w = *state;
    char kept[400];
    assign_shell(w, 1, "echo step7 > $ACSWEEP_CHECKPOINT_DIR/state; exit 85", "");
    expect_outcome(w, ACSWEEP__OUTCOME__CHECKPOINTED);
    assign_shell(w, 2, "grep -q step7 $ACSWEEP_CHECKPOINT_DIR/state && echo '{}' > $ACSWEEP_RESULT", "");
    expect_outcome(w, ACSWEEP__OUTCOME__SUCCEEDED);
    /* Until its result counts, this success may have to be repeated. */
    snprintf(kept, sizeof kept, "%s/checkpoints/" IDENTITY ".2-3/state", w->store);
    assert_int_equal(access(kept, R_OK), 0);
}

/* One node has these two, the other does not: its failure, not the task's. */
static void test_command_finds_paths_by_name(void **state)
{
    struct world *w = *state;
    assign(w, "command", "extract", 1,
           "{\"execution\":{\"names\":{\"checkpoint\":\"clip-l@336\"},\"command\":{\"argv\":[\"/bin/sh\",\"-ec\","
           "\"test \\\"$0 $1 $2\\\" = \\\"/data/clip /data/mix $ACSWEEP_STORE\\\"; "
           "grep -q '\\\"mix.v1\\\": \\\"/data/mix\\\"' $ACSWEEP_PARAMS; echo '{}' > $ACSWEEP_RESULT\","
           "\"{path_of:checkpoint}\",\"{path:mix.v1}\",\"{store}\"]}}}");
    expect_outcome(w, ACSWEEP__OUTCOME__SUCCEEDED);
    assign(w, "command", "extract", 2, "{\"execution\":{\"command\":{\"argv\":[\"true\",\"{path:vicuna}\"]}}}");
    expect_failure(w, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, "add \"vicuna=/PATH\" to the list `path`");
    assign(w, "command", "extract", 3, "{\"execution\":{\"command\":{\"argv\":[\"true\",\"{path_of:llm}\"]}}}");
    expect_failure(w, ACSWEEP__FAILURE_CLASS__DATA, "no text 'llm'");
}

static void test_command_drain_asks_for_a_checkpoint(void **state)
{
    struct world *w = *state;
    assign_shell(w, 1, "trap 'echo saved > $ACSWEEP_CHECKPOINT_DIR/s; exit 85' TERM; while :; do sleep 0.05; done", "");
    wait_started(w);
    mono_sleep(300 * NS_PER_MS);
    cancel(w, 1, "drain", 5000);
    expect_outcome(w, ACSWEEP__OUTCOME__CHECKPOINTED);
}

/* Processes whose environment holds `mark`: those of our own test program. */
static int marked_processes(const char *mark)
{
    int n = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *de; (de = readdir(d));) {
        char path[300], bytes[65536];
        snprintf(path, sizeof path, "/proc/%s/environ", de->d_name);
        FILE *f = fopen(path, "r");
        size_t len = f ? fread(bytes, 1, sizeof bytes, f) : 0;
        if (f)
            fclose(f);
        n += memmem(bytes, len, mark, strlen(mark)) != NULL;
    }
    closedir(d);
    return n;
}

/* Run a script whose processes carry a mark, and wait until there are `n` of them (0 = do not wait). */
static void assign_marked(struct world *w, const char *script, int n, char mark[64])
{
    char more[128];
    snprintf(mark, 64, "mark-%d-%p", (int)getpid(), (const void *)script);
    snprintf(more, sizeof more, "{\"environment\":{\"MARK\":\"%s\"}}", mark);
    assign_shell(w, 1, script, more);
    if (!n)
        return;
    wait_started(w);
    for (int i = 0; i < 1000 && marked_processes(mark) < n; i++)
        mono_sleep(20 * NS_PER_MS);
    assert_true(marked_processes(mark) >= n);
}

static void test_command_cancel_kills_the_whole_tree(void **state)
{
    struct world *w = *state;
    char mark[64];
    /* deaf to SIGTERM, with a child in the group, one in its own session and one forked twice */
    assign_marked(w, "trap '' TERM; sleep 300 & setsid sleep 300 & (setsid sh -c 'sleep 300 &' &); echo up; sleep 300", 4, mark);
    cancel(w, 1, "cancelled", 200);
    expect_outcome(w, ACSWEEP__OUTCOME__CANCELLED);
    assert_int_equal(marked_processes(mark), 0);
}

static void test_command_leaves_nothing_behind(void **state)
{
    struct world *w = *state;
    char mark[64];
    assign_marked(w, "setsid sleep 300 & echo '{}' > $ACSWEEP_RESULT", 0, mark); /* it keeps the log pipe open, too */
    expect_outcome(w, ACSWEEP__OUTCOME__SUCCEEDED);                              /* long before the 300 s */
    assert_int_equal(marked_processes(mark), 0);
}

static void test_command_dies_with_its_agent(void **state)
{
    struct world *w = *state;
    char mark[64];
    assign_marked(w, "setsid sleep 300 & sleep 300", 3, mark);
    exec_end(w); /* closes the pipe and waits */
    assert_int_equal(marked_processes(mark), 0);
}

/* An agent stops its exec before it kills it; one that is killed itself in between must not leave it stopped for ever.
 */
static void test_stopped_exec_goes_on_when_its_agent_dies(void **state)
{
    struct world *w = *state;
    int tell[2];
    pid_t exec = 0;
    exec_end(w);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* for us to collect the exec */
    assert_int_equal(pipe(tell), 0);
    pid_t agent = fork();
    if (agent == 0) {
        start(w, true);
        assign_fake(w, 1, "{}");
        expect_outcome(w, ACSWEEP__OUTCOME__SUCCEEDED); /* it is up */
        _exit(write(tell[1], &w->pid, sizeof w->pid) == sizeof w->pid && pause() == -1 ? 0 : 1);
    }
    assert_int_equal(read(tell[0], &exec, sizeof exec), sizeof exec);
    kill(exec, SIGSTOP);
    kill(agent, SIGKILL);
    waitpid(agent, NULL, 0);
    for (int i = 0; i < 2000 && kill(exec, 0) == 0; i++) {
        waitpid(exec, NULL, WNOHANG);
        mono_sleep(10 * NS_PER_MS);
    }
    assert_int_equal(kill(exec, 0), -1);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    close(tell[0]);
    close(tell[1]);
}

static void test_hanging_exec_dies_with_its_agent(void **state)
{
    struct world *w = *state;
    assign_fake(w, 1, "{\"outcome\":\"hang\"}");
    wait_started(w);
    int status = exec_end(w);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 70);
}

static void test_command_log_is_capped(void **state)
{
    struct world *w = *state;
    assign_shell(w, 1, "yes 0123456789 | head -c 3000000; exit 1", "{\"log_cap\":1000}");
    expect_failure(w, ACSWEEP__FAILURE_CLASS__CODE, "last line");
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "%s/attempts/5.1-3/log.txt", w->scratch);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size >= 1000 && st.st_size < 1100);
    assert_true(w->log_bytes > 0 && w->log_bytes < 1000000); /* forwarded tails only */
}

static void test_full_disk_is_infrastructure(void **state)
{
    struct world *w = *state;
    char full[sizeof w->store];
    snprintf(full, sizeof full, "%s/full", w->dir);
    mkdir(full, 0700);
    if (mount("tmpfs", full, "tmpfs", 0, "size=256k") < 0) {
        print_message("SKIPPED: cannot mount a small tmpfs (%s)\n", strerror(errno));
        skip();
    }
    exec_end(w);
    memcpy(w->store, full, sizeof w->store);
    start(w, true);
    assign_shell(w, 1, "head -c 1000000 /dev/zero > $ACSWEEP_OUT/big && echo '{}' > $ACSWEEP_RESULT", "");
    envelope *m;
    Acsweep__Result *r = result_of(w, &m);
    bool right = r->outcome == ACSWEEP__OUTCOME__FAILED && r->failure == ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE &&
                 strstr(r->message, "disk is full");
    char text[600], objects[200];
    snprintf(text, sizeof text, "%d %s", r->failure, r->message);
    envelope_free(m);
    snprintf(objects, sizeof objects, "%s/objects", full);
    bool half = access(objects, F_OK) == 0;
    exec_end(w);
    umount2(full, MNT_DETACH);
    if (!right)
        fail_msg("%s", text);
    assert_false(half);
}

static void test_small_results_travel_without_a_store(void **state)
{
    struct world *w = *state;
    exec_end(w);
    start(w, false);
    assign_shell(w, 1, "printf abc > $ACSWEEP_OUT/s; head -c 2000000 /dev/zero > $ACSWEEP_OUT/big; "
                       "echo '{\"artifacts\":[{\"name\":\"s\",\"path\":\"s\"},{\"name\":\"big\",\"path\":\"big\"}]}' > $ACSWEEP_RESULT", "");
    envelope *m;
    Acsweep__Result *r = result_of(w, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_string_equal(r->artifacts[0]->store, "inline");
    assert_int_equal(r->artifacts[0]->content.len, 3);
    assert_memory_equal(r->artifacts[0]->content.data, "abc", 3);
    assert_string_equal(r->artifacts[1]->store, "scratch");
    char path[512];
    snprintf(path, sizeof path, "%s/store/%s", w->scratch, r->artifacts[1]->path);
    assert_int_equal(access(path, R_OK), 0);
    envelope_free(m);
}

static void test_broken_agent_is_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(write(w->fd, "\xff\xff\xff\xff garbage", 12), 12);
    assert_null(next_message(w, PATIENCE_MS));
    int status = exec_end(w);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 4);
}

/* ---- bundles ------------------------------------------------------------------------------------------------------ */

static void assign_bundle(struct world *w, const char *const *params, size_t n)
{
    struct made_task t[MADE_MOST] = { 0 };
    for (size_t i = 0; i < n; i++)
        t[i] = (struct made_task){ .task = i + 1, .params = params[i] };
    made_bundle_send(t, n, send_now, w);
}

static void expect_of(struct world *w, uint64_t task, Acsweep__Outcome outcome, uint32_t together)
{
    envelope *m;
    Acsweep__Result *r = result_of(w, &m);
    if (r->token->task_id != task || r->outcome != outcome || r->ended_together != together)
        fail_msg("task %d outcome %d '%s' together %u; wanted task %d outcome %d together %u", (int)r->token->task_id,
                 r->outcome, r->message, r->ended_together, (int)task, outcome, together);
    envelope_free(m);
}

static void test_bundle_is_answered_one_by_one(void **state)
{
    struct world *w = *state;
    const char *const params[] = { "{}", "{\"identity\":{\"fake\":{\"metrics\":{\"x\":1}}}}",
                                   "{\"identity\":{\"fake\":{\"outcome\":\"fail:data\"}}}", "{\"identity\":7}" };
    assign_bundle(w, params, 4);
    for (int i = 0; i < 4; i++)
        wait_started(w);
    expect_of(w, 4, ACSWEEP__OUTCOME__FAILED, 0); /* its parameters, before anything runs */
    expect_of(w, 1, ACSWEEP__OUTCOME__SUCCEEDED, 0);
    expect_of(w, 2, ACSWEEP__OUTCOME__SUCCEEDED, 0);
    expect_of(w, 3, ACSWEEP__OUTCOME__FAILED, 0);
    assign_fake(w, 1, "{}"); /* and the next assignment is welcome */
    expect_outcome(w, ACSWEEP__OUTCOME__SUCCEEDED);
}

static void test_bundle_is_cancelled_as_a_whole(void **state)
{
    struct world *w = *state;
    const char *const slow = "{\"identity\":{\"fake\":{\"sleep_ms\":60000}}}", *const params[] = { slow, slow };
    assign_bundle(w, params, 2);
    wait_started(w);
    Acsweep__Token t = made_token(2, 1);
    Acsweep__Cancel c = ACSWEEP__CANCEL__INIT;
    c.token = &t;
    c.reason = (char *)"cancelled";
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
    m.cancel = &c;
    struct err e = { 0 };
    assert_int_equal(wire_write_fd(w->fd, &m, &e), 0);
    expect_of(w, 1, ACSWEEP__OUTCOME__CANCELLED, 0);
    expect_of(w, 2, ACSWEEP__OUTCOME__CANCELLED, 0);
    assign_fake(w, 1, "{\"sleep_ms\":10}");
    expect_outcome(w, ACSWEEP__OUTCOME__SUCCEEDED);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_fake_succeeds_with_metrics),
        CASE(test_fake_fails_as_told),
        CASE(test_fake_crash_ends_the_process),
        CASE(test_fake_hang_is_deaf),
        CASE(test_fake_lie_carries_a_wrong_token),
        CASE(test_fake_leak_keeps_memory),
        CASE(test_fake_cancel_reasons),
        CASE(test_bad_parameters_name_the_key),
        CASE(test_replay_answers_by_kind),
        CASE(test_command_gets_its_task_and_publishes),
        CASE(test_command_failures_have_classes),
        CASE(test_command_that_fails_on_its_gpu_makes_it_suspect),
        CASE(test_command_finds_paths_by_name),
        CASE(test_command_checkpoint_moves_to_the_next_attempt),
        CASE(test_command_drain_asks_for_a_checkpoint),
        CASE(test_command_cancel_kills_the_whole_tree),
        CASE(test_command_leaves_nothing_behind),
        CASE(test_command_dies_with_its_agent),
        CASE(test_stopped_exec_goes_on_when_its_agent_dies),
        CASE(test_hanging_exec_dies_with_its_agent),
        CASE(test_command_log_is_capped),
        CASE(test_full_disk_is_infrastructure),
        CASE(test_small_results_travel_without_a_store),
        CASE(test_broken_agent_is_refused),
        CASE(test_bundle_is_answered_one_by_one),
        CASE(test_bundle_is_cancelled_as_a_whole),
    };
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
