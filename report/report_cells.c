#include "report/report_cells.h"

#include <inttypes.h>
#include <string.h>

#include "report/report_text.h"
#include "report/svg.h"

void cell_text(struct buf *out, const char *class, const char *text)
{
    buf_printf(out, "<td class=\"%s\">", class);
    (strcmp(class, "l") ? svg_escape : svg_escape_name)(out, *text ? text : REPORT_DASH);
    buf_puts(out, "</td>");
}

void cell_real(struct buf *out, double value, int decimals)
{
    char text[REPORT_NUMBER_SIZE];
    buf_printf(out, "<td class=\"n\">%s</td>", report_fixed(value, decimals, text));
}

void cell_int(struct buf *out, int64_t value)
{
    buf_printf(out, "<td class=\"n\">%" PRId64 "</td>", value);
}

void cell_duration(struct buf *out, double seconds)
{
    char text[REPORT_NUMBER_SIZE];
    buf_printf(out, "<td class=\"n\">%s</td>", report_duration(seconds, text));
}

void heading(struct buf *out, const char *id, const char *title)
{
    buf_printf(out, "<h2 id=\"%s\">%s</h2>\n", id, title);
}

void table_begin(struct buf *out, const char *const *titles, size_t n)
{
    buf_puts(out, "<div class=\"scroll\"><table><thead><tr>");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, titles[i][0] == '#' ? "<th class=\"n\">%s</th>" : "<th>%s</th>",
                   titles[i] + (titles[i][0] == '#'));
    buf_puts(out, "</tr></thead><tbody>\n");
}

void table_end(struct buf *out)
{
    buf_puts(out, "</tbody></table></div>\n");
}
