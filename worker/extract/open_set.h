/* Image sets as a node has them: one path, whatever the layout. */
#ifndef ACSWEEP_WORKER_EXTRACT_OPEN_SET_H
#define ACSWEEP_WORKER_EXTRACT_OPEN_SET_H

#include "worker/data/image_set.h"

/* A directory with JPEGImages/ is read as SPair-71k's, another directory as a folder of pictures; a .json or .jsonl
 * file as LLaVA's training data or a benchmark's questions, with pictures below the directory it lies in. */
MUST_USE struct image_set *open_image_set(const char *path, struct err *e);

#endif
