#!/usr/bin/env bash
# Both sides of th.h have the same functions: what one build can link, the other can too.
# torch_border.sh WITH_TORCH.a WITHOUT_TORCH.a
set -euo pipefail
symbols() {
    nm --defined-only --extern-only "$1" 2>/dev/null | awk '$2 == "T" && $3 ~ /^th_/ { print $3 }' | sort -u
}
with=$(symbols "$1") without=$(symbols "$2")
[[ $(wc -l <<<"$with") -gt 100 ]] || { echo "$1: hardly any functions" >&2; exit 1; }
diff <(echo "$with") <(echo "$without") || { echo "< only with libtorch   > only without it" >&2; exit 1; }
echo "$(wc -l <<<"$with") functions on both sides"
