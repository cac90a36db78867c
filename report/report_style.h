/* The page's style sheet: light, and dark by prefers-color-scheme. */
#ifndef ACSWEEP_REPORT_REPORT_STYLE_H
#define ACSWEEP_REPORT_REPORT_STYLE_H

extern const char report_style[];

#endif
