/* What sweep.cfg may say, as structs; the table of keys with defaults, ranges and descriptions is in sweep_conf.c.
 * Nothing is resolved or checked across keys here: that is the planner's work. */
#ifndef ACSWEEP_COORDINATOR_SWEEP_CONF_H
#define ACSWEEP_COORDINATOR_SWEEP_CONF_H

#include "common/conf.h"

#define PLAN_BUNDLE_MOST 1024 /* tasks that may run as one */

struct checkpoint_conf {
    struct conf_text name, source, digest;
    int role, line;
};
struct encoder_conf {
    struct conf_text name, checkpoint;
    int64_t resolution, grid, channels;
    double images_per_gpu_second;
    struct encoder_options_conf {
        int64_t layer, block, timestep, ensemble, seed;
        int feature, preprocess, noise, latent, position_interpolation;
        struct conf_text prompt;
        json_t *extra;
    } options;
    int line;
};
struct representation_conf {
    struct conf_text name;
    struct conf_list members; /* conf_text */
    int64_t target_grid;
    int fusion, line;
};
struct rule_conf {
    struct conf_list together; /* conf_text */
    int line;
};
struct generate_conf {
    struct conf_list encoders, include, exclude; /* conf_text, rule_conf, rule_conf */
    int64_t min_size, max_size, target_grid;
    bool same_grid;
    struct conf_text separator;
    int fusion, line;
};
struct space_conf {
    struct conf_list list; /* representation_conf */
    struct generate_conf generate;
    struct conf_list floors; /* representation_conf */
    bool fine_tune_floors;
};
struct image_set_conf {
    struct conf_text name, digest;
    int role, line;
    int64_t images;
};
struct correspondence_set_conf {
    struct conf_text name, image_set, split;
    int64_t pairs;
    int line;
};
struct benchmark_conf {
    struct conf_text name, metric, group, image_set, correspondence_set;
    int64_t questions;
    double maximum;
    int line;
};
struct score_a_conf {
    struct conf_list references; /* conf_text */
    int sample, arith;
    int64_t sample_size, sample_seed;
    bool exclude_self, nearest;
    int line;
};
enum score_c_grid { SCORE_C_GRID_REPRESENTATION, SCORE_C_GRID_FINEST }; /* in the order of the key's choices */
struct score_c_conf {
    double alpha, temperature;
    int geometry, arith, grid;
    int64_t layer, annotation_size, window;
    int64_t pictures; /* pairs; not part of the identity */
    int line;
};
struct train_conf { /* stage1 and stage2 have the same fields and different defaults */
    struct conf_text image_set;
    int64_t samples, batch, max_length, seed, lora_rank, select_layer;
    double epochs, learning_rate, warmup_ratio, weight_decay, grad_clip, lora_alpha;
    double connector_learning_rate; /* stage2 only */
    int schedule, precision, template, image_aspect, connector, tune, sampler, optimizer;
    int64_t device_batch, checkpoint_every; /* ns */
    bool gradient_checkpointing;
    double gpu_hours;
    int64_t screening_samples; /* stage1 only */
    int line;
};
struct evaluate_conf {
    double temperature;
    int precision, judge;
    int64_t max_new_tokens;
    double questions_per_gpu_second;
};
struct fake_conf {
    double sleep_ms, sleep_max_ms;
    struct conf_text outcome;
    int64_t fail_attempts, leak_bytes, seed;
    json_t *metrics;
};
struct executor_conf {
    int use;
    struct conf_list command; /* conf_text */
    struct conf_text directory;
    json_t *environment, *parameters;
    int64_t log_cap, version, gpus, gpu_memory, compute_capability, host_memory, cpus, time_limit, priority, bundle;
    struct fake_conf fake;
    int line;
};
struct executors_conf {
    struct executor_conf extract, stage1, score_a, score_c, stage2, evaluate;
};
struct policy_conf {
    int mode, rank;
    struct conf_list target; /* target_conf */
    int64_t seed, batch;
    struct budget_conf {
        int64_t fine_tunes;
        double gpu_hours;
    } budget;
    double direction_prior, stop_confidence;
    int screen;
    int64_t screen_members, screen_batch;
    int line;
};
struct target_conf {
    struct conf_text benchmark;
    double weight;
    int line;
};
struct retries_conf {
    int64_t infrastructure, preempted, gpu_oom, host_oom, data, code, timeout;
    int64_t backoff, backoff_max;
    int line;
};
struct features_conf {
    int64_t cache_bytes, images_per_shard;
    int dtype;
    double images_per_gpu_second;
};
struct load_conf {
    int64_t tasks, depth, bundle;
    int executor, line;
    struct fake_conf fake;
};
struct sweep_conf {
    struct conf_text name, note;
    int64_t seed;
    struct artifacts_conf {
        struct conf_text store;
    } artifacts;
    struct llm_conf {
        struct conf_text checkpoint;
        int line;
    } llm;
    struct conf_list checkpoints, encoders, image_sets, correspondence_sets, benchmarks;
    struct space_conf representations;
    struct scores_conf {
        struct score_a_conf a;
        struct score_c_conf c;
    } scores;
    struct train_conf stage1, stage2;
    struct evaluate_conf evaluate;
    struct features_conf features;
    struct executors_conf executors;
    struct replay_conf {
        struct conf_text table;
        double seconds;
    } replay;
    struct policy_conf policy;
    struct retries_conf retries;
    struct load_conf load;
};

/* In the order of the choices in the table. */
enum executor_use { USE_NATIVE, USE_COMMAND, USE_REPLAY, USE_FAKE, USE_NOOP };
enum sample_choice { SAMPLE_RANDOM, SAMPLE_LONGEST_PROMPT };
enum feature_dtype { DTYPE_BF16, DTYPE_FP16, DTYPE_FP32 };

extern const struct conf_table sweep_conf_table, stage1_conf_table, stage2_conf_table, score_a_conf_table,
    score_c_conf_table, evaluate_conf_table, encoder_options_conf_table;

/* The `fake` group as the fake executor wants it. New reference. */
json_t *fake_conf_json(const struct fake_conf *f);

#endif
