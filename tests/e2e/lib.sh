# Sourced by the end-to-end tests: a scratch directory, short assertions, and no process left behind.
#
#     ACSWEEP_BIN  folder of the programs under test (set by ctest)
set -uo pipefail
: "${ACSWEEP_BIN:?folder of the programs}"
PATH=$ACSWEEP_BIN:$PATH
SOURCE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/acsweep-e2e.XXXXXX")
chmod 755 "$SCRATCH" # as root, user postgres must pass
export NO_COLOR=1 ACSWEEP_E2E_MARK=$SCRATCH
unset ACSWEEP_STATE ACSWEEP_DATABASE ACSWEEP_COORDINATOR ACSWEEP_KEY COLUMNS
FAILURES=0

fail() {
    FAILURES=$((FAILURES + 1))
    printf 'FAIL %s:%s: %s\n' "${BASH_SOURCE[-1]##*/}" "${BASH_LINENO[-2]}" "$*" >&2
}

# expect CODE COMMAND...: run it; its exit code must be CODE. Leaves $OUT and $ERR (files).
OUT=$SCRATCH/out ERR=$SCRATCH/err
expect() {
    local want=$1 got=0
    shift
    "$@" >"$OUT" 2>"$ERR" </dev/null || got=$?
    [[ $got == "$want" ]] && return 0
    fail "exit code $got instead of $want: $*"
    sed 's/^/     out: /' "$OUT" | tail -15 >&2
    sed 's/^/     err: /' "$ERR" | tail -15 >&2
    return 1
}
# has FILE TEXT: the file holds the text.
has() {
    grep -qF -- "$2" "$1" || { fail "'$2' is not in:"; tail -15 "$1" >&2; }
}
same() {
    [[ $1 == "$2" ]] || fail "'$1' instead of '$2'"
}
json() { # json FILE EXPRESSION: value of a Python expression over the document d
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}
# Processes that were started (however indirectly) by this test: they carry its mark in their environment.
ours() {
    local file pid
    grep -lzxF "ACSWEEP_E2E_MARK=$SCRATCH" /proc/[0-9]*/environ 2>/dev/null | while read -r file; do
        pid=${file#/proc/}
        pid=${pid%/environ}
        case $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") in
        *bash*) ;; # the test itself
        *acsweep* | *postgres*) echo "$pid" ;;
        esac
    done 2>/dev/null
}
# none_left [SECONDS]: within that time no process of ours is left.
none_left() {
    local until=$((SECONDS + ${1:-10})) left
    while left=$(ours) && [[ -n $left ]]; do
        if ((SECONDS >= until)); then
            fail "processes left behind:"
            ps -o pid,ppid,args -p "$(paste -sd, <<<"$left")" >&2
            return 1
        fi
        sleep 0.1
    done
}
clean_up() { :; } # a test's own, before what is left of it is ended
finish() {
    local code=$? left
    clean_up
    left=$(ours)
    [[ -n $left ]] && kill $left 2>/dev/null
    rm -rf "$SCRATCH"
    ((FAILURES == 0)) || { echo "$FAILURES failures" >&2; exit 1; }
    exit "$code" # 77: skipped
}
trap finish EXIT
