#include "report/report_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/svg.h"

const char *report_fixed(double value, int decimals, char text[REPORT_NUMBER_SIZE])
{
    if (!isfinite(value))
        snprintf(text, REPORT_NUMBER_SIZE, REPORT_DASH);
    else if (fabs(value) >= 1e15)
        snprintf(text, REPORT_NUMBER_SIZE, "%.3e", value);
    else
        snprintf(text, REPORT_NUMBER_SIZE, "%.*f", decimals, fabs(value) < 0.5 * pow(10, -decimals) ? 0.0 : value);
    return text;
}

int report_decimals(double magnitude)
{
    magnitude = fabs(magnitude);
    if (!isfinite(magnitude) || magnitude >= 1000)
        return 1;
    return magnitude >= 10 ? 2 : magnitude >= 1 || magnitude == 0 ? 3 : magnitude >= 1e-2 ? 4 : 6;
}

const char *report_number(double value, char text[REPORT_NUMBER_SIZE])
{
    return report_fixed(value, report_decimals(value), text);
}

const char *report_duration(double seconds, char text[REPORT_NUMBER_SIZE])
{
    if (!isfinite(seconds))
        snprintf(text, REPORT_NUMBER_SIZE, REPORT_DASH);
    else if (seconds == 0)
        snprintf(text, REPORT_NUMBER_SIZE, "0 s");
    else if (fabs(seconds) < 0.9995)
        snprintf(text, REPORT_NUMBER_SIZE, seconds >= 0.01 ? "%.0f ms" : "%.2g ms", seconds * 1e3);
    else if (seconds < 59.95)
        snprintf(text, REPORT_NUMBER_SIZE, "%.1f s", seconds);
    else if (seconds < 3599.5)
        snprintf(text, REPORT_NUMBER_SIZE, "%d min %02d s", (int)round(seconds) / 60, (int)round(seconds) % 60);
    else if (seconds < 48 * 3600.0)
        snprintf(text, REPORT_NUMBER_SIZE, "%d h %02d min", (int)round(seconds / 60) / 60, (int)round(seconds / 60) % 60);
    else if (seconds < 1e12)
        snprintf(text, REPORT_NUMBER_SIZE, "%.0f d %02.0f h", floor(seconds / 86400), floor(fmod(seconds, 86400) / 3600));
    else
        snprintf(text, REPORT_NUMBER_SIZE, "%.2e s", seconds);
    return text;
}

const char *report_energy(double joules, char text[REPORT_NUMBER_SIZE])
{
    if (!isfinite(joules))
        snprintf(text, REPORT_NUMBER_SIZE, REPORT_DASH);
    else if (joules < 3600)
        snprintf(text, REPORT_NUMBER_SIZE, "%.0f J", joules);
    else if (joules < 3.6e6)
        snprintf(text, REPORT_NUMBER_SIZE, "%.1f Wh", joules / 3600);
    else
        snprintf(text, REPORT_NUMBER_SIZE, "%.2f kWh", joules / 3.6e6);
    return text;
}

void report_metric(struct buf *out, const char *metric)
{
    AUTO(free) char *text = strdup(metric);
    for (char *c = text; c && *c; c++)
        *c = *c == '_' ? ' ' : *c;
    svg_escape(out, text ? text : metric);
}
