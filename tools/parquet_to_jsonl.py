#!/usr/bin/env python3
"""Parquet files of a benchmark -> one JSONL file and its pictures, for `acsweep convert`.

    python3 -m pip install pyarrow
    python3 tools/parquet_to_jsonl.py --out mmbench/rows.jsonl --images mmbench/images data/dev-*.parquet
    acsweep convert mmbench --from mmbench/rows.jsonl --out mmbench/q.jsonl

Every column is kept under its name. Pictures (structs {bytes, path}, alone or in lists) are written to --images, each
content once, named by its digest, and stand in the JSONL file by that name. Rows keep their order, files that of the
command line. --columns leaves all others out. Nothing is left behind under --out when something fails.
"""
import argparse
import base64
import hashlib
import json
import math
import os
import pathlib
import sys

KINDS = [(b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"RIFF", "webp")]


class Pictures:
    def __init__(self, directory):
        self.directory = directory
        self.written = 0

    def take(self, data):
        kind = next((k for magic, k in KINDS if data.startswith(magic)), None)
        if kind is None:
            raise ValueError("a picture that is neither JPEG, PNG nor WebP; convert it first")
        name = f"{hashlib.sha256(data).hexdigest()[:32]}.{kind}"
        path = self.directory / name
        if not path.exists():
            aside = path.with_name(f"{name}.tmp{os.getpid()}")
            aside.write_bytes(data)
            aside.rename(path)
            self.written += 1
        return name


def plain(value, pictures):
    """What JSON can say; pictures become names, empty numbers null."""
    if isinstance(value, dict):
        if set(value) == {"bytes", "path"}:
            return pictures.take(value["bytes"]) if value["bytes"] else value["path"]
        return {k: plain(v, pictures) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v, pictures) for v in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="+", type=pathlib.Path, metavar="FILE.parquet")
    p.add_argument("--out", required=True, type=pathlib.Path, metavar="FILE.jsonl")
    p.add_argument("--images", required=True, type=pathlib.Path, metavar="DIR")
    p.add_argument("--columns", metavar="A,B,...")
    o = p.parse_args()
    try:
        import pyarrow.parquet
    except ImportError as why:
        sys.exit(f"parquet_to_jsonl: {why}; python3 -m pip install pyarrow")
    o.images.mkdir(parents=True, exist_ok=True)
    pictures, rows = Pictures(o.images), 0
    aside = o.out.with_name(f"{o.out.name}.tmp{os.getpid()}")
    place = ""
    try:
        with open(aside, "w", encoding="utf-8") as out:
            for file in o.files:
                place = f"{file}: "
                table = pyarrow.parquet.ParquetFile(file)
                columns = o.columns.split(",") if o.columns else None
                for batch in table.iter_batches(batch_size=64, columns=columns):
                    for row in batch.to_pylist():
                        place = f"{file}, row {rows}: "
                        out.write(json.dumps(plain(row, pictures), ensure_ascii=False, default=str) + "\n")
                        rows += 1
            place = ""
            out.flush()
            os.fsync(out.fileno())
        aside.rename(o.out)
    except (OSError, ValueError, pyarrow.lib.ArrowException) as why:
        aside.unlink(missing_ok=True)
        sys.exit(f"parquet_to_jsonl: {place}{why}")
    print(f"{o.out}: {rows} rows, {pictures.written} pictures written")


if __name__ == "__main__":
    main()
