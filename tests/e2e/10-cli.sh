#!/usr/bin/env bash
# The command line by itself: help pages against goldens, exit codes, one clear message for each mistake.
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

# Help pages. Regenerate with tests/golden/help/regenerate.
"$SOURCE/tests/golden/help/regenerate" "$SCRATCH/help" || fail "help pages could not be made"
diff -u -r -x regenerate "$SOURCE/tests/golden/help" "$SCRATCH/help" >&2 || fail "help pages differ from tests/golden/help"
for page in "$SCRATCH"/help/*.txt; do
    awk -v p="${page##*/}" 'length($0) > 80 && !/^  acsweep / { print p ": " $0; bad = 1 } END { exit bad }' "$page" >&2 ||
        fail "a line of ${page##*/} is longer than 80 columns"
done

# Usage errors: exit 2, a hint, and nothing on stdout.
usage() { # usage TEXT ARGUMENT...
    local text=$1
    shift
    expect 2 acsweep "$@"
    has "$ERR" "$text"
    has "$ERR" "Try 'acsweep"
    [[ -s $OUT ]] && fail "usage error wrote to stdout: $*"
}
usage "a command is missing"
usage "did you mean 'run'?" rum sweep.cfg
usage "argument SWEEP.CFG is missing" run
usage "unexpected argument 'b.cfg'" run a.cfg b.cfg
usage "did you mean --state?" run --sate x a.cfg
usage "'0' is not a whole number in 1..256" run --workers 0 a.cfg
usage "--state needs a value: DIR" run a.cfg --state
usage "name either a SWEEP or one task" cancel
usage "name either a SWEEP or one task" retry paper --task 3
usage "must be followed by a command" --json

# Bad input: exit 3 and the place.
expect 3 acsweep run nothing.cfg
has "$ERR" "nothing.cfg"
printf 'sweep: {\n' >broken.cfg
expect 3 acsweep run broken.cfg
has "$ERR" "broken.cfg:"
[[ -e .acsweep ]] && fail "a bad sweep.cfg made a state directory"
expect 3 acsweep status --state "$SCRATCH/empty"
has "$ERR" "nothing was run in $SCRATCH/empty yet"
[[ -e empty ]] && fail "a reading command made a state directory"

# The environment: exit 4 and the remedy.
expect 4 acsweep watch --state "$SCRATCH/empty"
has "$ERR" "no coordinator runs in"
expect 4 acsweep status --database "host=$SCRATCH user=nobody connect_timeout=2"
expect 4 acsweep submit "$SOURCE/examples/paper/sweep.cfg" --coordinator "ipc://$SCRATCH/nobody" --timeout 1s
has "$ERR" "no coordinator answers"
expect 3 acsweep submit "$SOURCE/examples/paper/sweep.cfg" --coordinator "http://nowhere"
if [[ -e /dev/full ]]; then
    acsweep version >/dev/full 2>"$ERR"
    same $? 4
    has "$ERR" "cannot write to standard output"
fi

# JSON is JSON.
expect 0 acsweep version --json
same "$(json "$OUT" 'd["protocol"]')" 1
expect 0 acsweep doctor --json --state "$SCRATCH/empty"
same "$(json "$OUT" 'all(c["verdict"] in ("ok", "note") for c in d)')" True
fonts=note
[[ ! -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf || ! -e /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf ]] || fonts=ok
same "$(json "$OUT" '[c["verdict"] for c in d if c["check"] == "fonts"]')" "['$fonts']"
expect 0 acsweep --version
expect 0 bash -c 'source <(acsweep completion bash); COMP_WORDS=(acsweep rep); COMP_CWORD=1; _acsweep; echo "${COMPREPLY[@]}"'
has "$OUT" "replay"

none_left
