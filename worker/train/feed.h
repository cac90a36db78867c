/* Samples of a training in the order in which they are computed, made by threads ahead of the computing: tokenised, and
 * their pictures decoded.
 *
 * The order. Epoch by epoch a permutation of the samples (worker/text/sampler.h), which begins again at its front where
 * the last batch is not full; of each batch, process r of R has chunks r, r + R, ... */
#ifndef ACSWEEP_WORKER_TRAIN_FEED_H
#define ACSWEEP_WORKER_TRAIN_FEED_H

#include "worker/data/image.h"
#include "worker/text/chat_set.h"
#include "worker/train/recipe.h"

struct train_sample {
    struct ids ids, labels; /* with IMAGE_TOKEN */
    bool has_image;
    struct image picture; /* with has_image, where pictures are read */
    char *name;           /* of the picture, as in the data */
    struct conversation_info info;
};

struct feed_options {
    const struct train_recipe *recipe;
    const struct chat_set *data;
    const struct tokenizer *tokenizer;
    const char *images; /* directory to read pictures from; NULL: pictures are not read */
    size_t n;           /* samples of the data that are used: the first ones */
    int64_t steps;      /* of the whole training */
    int64_t from;       /* the step to begin with */
    int rank, size;
    int64_t most;     /* samples taken at a time at most; 0 = a chunk */
    unsigned threads; /* at least 1 */
};

struct feed;

/* The options' pointers must stay valid. ERR_ENV without memory or threads. */
MUST_USE struct feed *feed_open(const struct feed_options *o, struct err *e);
void feed_close(struct feed *f);
DEFINE_CLEANUP(feed_close, struct feed *)

/* The next n samples of this process in list[]. They are the feed's, and valid until the next call. -1 with the error of a
 * sample that cannot be used, which names it. */
MUST_USE int feed_next(struct feed *f, int64_t n, const struct train_sample **list, struct err *e);
/* Samples so far whose tokens could not be counted, and which are masked as a whole. */
size_t feed_mismatches(const struct feed *f);

/* Which sample of the data is at `place` (0 .. batch-1) of a step; for tests and the curious. */
size_t feed_index(const struct feed *f, int64_t step, int64_t place);

#endif
