/* The figures of the report, each one <svg>. Nothing is written when there is nothing to show; ask the has_ functions. */
#ifndef ACSWEEP_REPORT_REPORT_PLOT_H
#define ACSWEEP_REPORT_REPORT_PLOT_H

#include "report/report_data.h"

enum { PLOT_RANKING_MAX = 40, PLOT_LANES_MAX = 64 };

bool plot_has_law(const struct report *r, size_t benchmark);
void plot_law(const struct report *r, size_t benchmark, struct buf *out); /* predicted against measured */
bool plot_has_plane(const struct report *r, size_t benchmark);
void plot_plane(const struct report *r, size_t benchmark, struct buf *out); /* A and C, coloured by performance */
bool plot_has_ranking(const struct report *r);
void plot_ranking(const struct report *r, struct buf *out);
enum plot_recall_kind {
    PLOT_RECALL_PAPER,  /* as the paper counts: in the list by then */
    PLOT_RECALL_STRICT, /* in the strict list of three just then */
    PLOT_REGRET,        /* how much worse than the best the recommended one is */
};
void plot_recall(const struct report *r, const struct report_recall *recall, enum plot_recall_kind kind, struct buf *out);
/* Number of lanes (worker and slot) of the timeline, 0 = nothing to draw. */
size_t plot_timeline(const struct report *r, struct buf *out);
bool plot_has_cost(const struct report *r);
void plot_cost(const struct report *r, struct buf *out);

/* The kinds of task with their colour class, for legends: k-<kind>, or k-other. */
const char *plot_kind_class(const char *kind);

#endif
