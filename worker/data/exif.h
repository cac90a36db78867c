/* The one thing of EXIF that matters here: how the camera was held. */
#ifndef ACSWEEP_WORKER_DATA_EXIF_H
#define ACSWEEP_WORKER_DATA_EXIF_H

#include <stddef.h>

/* Orientation 1..8 of a JPEG (APP1), PNG (eXIf) or WebP (EXIF chunk); 1 when there is none, or none that can be read:
 * damaged metadata never makes a picture unreadable. */
int exif_orientation(const void *bytes, size_t len);

#endif
