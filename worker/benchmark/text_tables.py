#!/usr/bin/env python3
"""text_tables.py > text_tables.c: what Python's str says about characters beyond ASCII, as ranges.

The metrics are defined by Python programs: their lower(), split() and \\b are Python's, so the tables are taken from
it.
"""
import sys
import unicodedata

LAST = 0x110000
ASCII = 0x80


def ranges(test):
    out, first = [], None
    for c in range(ASCII, LAST + 1):
        inside = c < LAST and test(chr(c))
        if inside and first is None:
            first = c
        elif not inside and first is not None:
            out.append((first, c - 1))
            first = None
    return out


def lower_rows():
    """(first, last, step, delta): every step-th character of first..last goes down by adding delta."""
    lower = {c: chr(c).lower() for c in range(ASCII, LAST)}
    pairs = [(c, ord(low)) for c, low in lower.items() if len(low) == 1 and low != chr(c)]
    rows = []
    for c, low in pairs:
        delta = low - c
        if rows and rows[-1][3] == delta and c - rows[-1][1] in (1, 2):
            first, last, step, _ = rows[-1]
            if first == last or step == c - last:
                rows[-1] = (first, c, c - last, delta)
                continue
        rows.append((c, c, 1, delta))
    assert {c: c + d for first, last, step, d in rows for c in range(first, last + 1, step)} == dict(pairs)
    return rows


def emit(kind, name, rows, form, per_line):
    print(f"const {kind} {name}[] = {{")
    for i in range(0, len(rows), per_line):
        print("    " + " ".join(form(r) for r in rows[i:i + per_line]))
    print("};")
    print(f"const size_t {name}_n = ARRAY_LEN({name});")


print(f"/* Made by text_tables.py with Unicode {unicodedata.unidata_version}; not to be edited. */")
print('#include "worker/benchmark/text_tables.h"')
print("\n/* clang-format off */")
emit("struct text_range", "text_words", ranges(str.isalnum), lambda r: f"{{ 0x{r[0]:X}, 0x{r[1]:X} }},", 5)
print()
emit("struct text_case", "text_lowers", lower_rows(), lambda r: f"{{ 0x{r[0]:X}, 0x{r[1]:X}, {r[2]}, {r[3]} }},", 4)
print("/* clang-format on */")
print(f"{len(ranges(str.isalnum))} ranges, {len(lower_rows())} rows", file=sys.stderr)
