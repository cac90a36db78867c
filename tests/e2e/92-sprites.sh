#!/usr/bin/env bash
# The sprite world's sweep as ./run does it, reduced: four representations, few pictures. It comes to an end with a ranking and a
# report; again it is all there; one more encoder costs its own work only; and split over workers in three network namespaces, one
# of which is cut off and killed, it comes to the same numbers. The last part needs root and `ip`.
#
# With ACSWEEP_WHOLE=STATE the last part alone is done with the whole sweep, and compared with what ./run left in STATE (.acsweep):
#     ACSWEEP_BIN=$PWD/build/release/bin ACSWEEP_WHOLE=.acsweep bash tests/e2e/92-sprites.sh
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/cluster.sh"
SPRITES=$SOURCE/examples/sprites

if ! acsweep-exec --probe | grep -q '"native"'; then
    echo "SKIPPED: built without libtorch"
    exit 77
fi
if [[ ! -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf || ! -e /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf ]]; then
    echo "SKIPPED: install fonts-noto-color-emoji and fonts-dejavu-core" >&2
    exit 77
fi
WHOLE=${ACSWEEP_WHOLE:-} WORLD=$SCRATCH/world NAME=reduced PATIENCE=1
if [[ $WHOLE ]]; then
    WORLD=$(readlink -f "$WHOLE")/world NAME=sprites PATIENCE=10
else
    expect 0 acsweep world --out "$WORLD" --pretrain 0 --stage1 96 --stage2 96 --questions 16 --pairs 30 || exit 1
    chmod -R a+rX "$WORLD"
fi
mapfile -t PATHS < <("$SPRITES/paths" "$WORLD" "$SPRITES/models")

# reduced REPRESENTATION...: the same configuration with fewer of everything.
reduced() {
    local list='' r
    for r in "$@"; do
        list+="{ members = [\"${r//+/\", \"}\"]; target_grid = 4; }, "
    done
    sed -e 's/^name = "sprites";/name = "reduced";/' -e 's/ samples = [0-9]*;/ samples = 96;/' \
        -e 's/screening_samples = [0-9]*;/screening_samples = 48;/' \
        -e 's/sample_size = [0-9]*;/sample_size = 4;/' -e 's/fine_tunes = [0-9]*;/fine_tunes = 2;/' \
        -e "/^  list = (/,/^  )/c\\  list = ( ${list%, } );" "$SPRITES/sweep.cfg"
}
NUMBERS="SELECT concat_ws(' ', 'score', representation, benchmark, score, metric, value) AS line FROM scores WHERE sweep = '$NAME'
         UNION ALL SELECT concat_ws(' ', 'performance', representation, benchmark, value) FROM performances WHERE sweep = '$NAME'
         UNION ALL SELECT concat_ws(' ', 'rank', benchmark, rank, representation, measured, predicted) FROM ranking WHERE sweep = '$NAME'
         ORDER BY 1"
numbers() { json "$OUT" '"\n".join(x["line"] for x in d)'; }
FOUR=(CLIP@64 DINOv2@64 CLIP@48 CLIP@64+DINOv2@64)
reduced "${FOUR[@]}" >"$SCRATCH/sweep.cfg"
same "$(grep -cE '^name = "reduced";| samples = 96; screening_samples = 48;| samples = 96; batch|sample_size = 4;|fine_tunes = 2;|^  list = .*target_grid = 4; } \);$' "$SCRATCH/sweep.cfg")" 6

# ---- alone -----------------------------------------------------------------------------------------------------------------
sweep() { acsweep run "$1" --state "$SCRATCH/state" --workers 2 "${PATHS[@]}"; }
ask() { acsweep sql --state "$SCRATCH/state" --json -c "$1"; }
attempts() { ask "SELECT count(*) AS n FROM attempts" >"$OUT" && json "$OUT" 'd[0]["n"]'; }
alone() {
    expect 0 sweep "$SCRATCH/sweep.cfg"
    expect 0 ask "$NUMBERS"
    numbers >"$SCRATCH/alone.txt"
    same "$(grep -c ^performance "$SCRATCH/alone.txt")" 16
    same "$(grep -c "^rank target " "$SCRATCH/alone.txt")" 4
    has "$SCRATCH/state/report/index.html" "Sprite-world scores"
    has "$SCRATCH/state/report/index.html" "Correspondence"
    none_left
}

# ---- again, and with one encoder more; what the choice lost ---------------------------------------------------------------------
screened() { # screened WHOSE SINCE: attempts of scoring, and of what it needs
    ask "SELECT count(*) AS n FROM attempts JOIN tasks USING (sweep, task_id, kind) WHERE started_at > '$2' AND coalesce(representation, encoder) $1
         AND kind IN ('extract', 'stage1', 'score_a', 'score_c')" >"$OUT" && json "$OUT" 'd[0]["n"]'
}
again() {
    local before since
    before=$(attempts)
    expect 0 sweep "$SCRATCH/sweep.cfg"
    same "$(attempts)" "$before"
    since=$(date '+%F %T.%N%z')
    reduced "${FOUR[@]}" SigLIP >"$SCRATCH/more.cfg"
    expect 0 sweep "$SCRATCH/more.cfg"
    same "$(screened "<> 'SigLIP'" "$since")" 0
    (($(screened "= 'SigLIP'" "$since") >= 10)) || fail "SigLIP was not scored"

    expect 0 "$SPRITES/make-truth" "$(dirname "$(command -v acsweep)")" "$SCRATCH/world" "$SPRITES/models" "$SCRATCH/state" "$SCRATCH/more.cfg"
    cp "$OUT" "$SCRATCH/truth.csv"
    same "$(wc -l <"$SCRATCH/truth.csv")" 41
    expect 0 acsweep report reduced --state "$SCRATCH/state" --truth "$SCRATCH/truth.csv"
    has "$SCRATCH/state/report/index.html" "What the choice lost"
    none_left
}
if [[ $WHOLE ]]; then
    cp "$SPRITES/sweep.cfg" "$SCRATCH/sweep.cfg"
    expect 0 acsweep sql --state "$WHOLE" --json -c "$NUMBERS"
    numbers >"$SCRATCH/alone.txt"
    same "$(grep -c "^rank target " "$SCRATCH/alone.txt")" 13
else
    alone
    again
fi

# ---- three network namespaces --------------------------------------------------------------------------------------------------
if [[ $(id -u) != 0 ]] || ! ip link add "acb$$" type bridge 2>"$ERR"; then
    echo "SKIPPED: three network namespaces need root and 'ip' ($(head -1 "$ERR"))" >&2
    exit 0
fi
NET=10.211.$(($$ % 250)).
clean_up() {
    stop_cluster
    for n in 1 2 3; do
        ip netns del "acn$$-$n" 2>/dev/null
    done
    ip link del "acb$$"
}
ip addr add "${NET}10/24" dev "acb$$" && ip link set "acb$$" up
for n in 1 2 3; do
    ip netns add "acn$$-$n"
    ip link add "acv$$-$n" type veth peer name eth0 netns "acn$$-$n"
    ip link set "acv$$-$n" master "acb$$" up
    ip -n "acn$$-$n" addr add "${NET}$n/24" dev eth0
    ip -n "acn$$-$n" link set eth0 up
    ip -n "acn$$-$n" link set lo up
done
mkdir "$SCRATCH/keys" "$SCRATCH/store"
start_postgres
for who in coordinator worker boss; do
    expect 0 acsweep keygen "$SCRATCH/keys/$who"
done
expect 0 acsweep keys allow --database "$DATABASE" "$SCRATCH/keys/worker.pub" --name worker
expect 0 acsweep keys allow --database "$DATABASE" "$SCRATCH/keys/boss.pub" --role control
start_coordinator --listen "tcp://${NET}10:*" --key "$SCRATCH/keys/coordinator.key" --store "$SCRATCH/store" --lease 3s --heartbeat 500ms
[[ $JOIN =~ :([0-9]+\?key=.*)$ ]] && JOIN=acsweep://${NET}10:${BASH_REMATCH[1]}
expect 0 acsweep submit "$SCRATCH/sweep.cfg" --coordinator "$JOIN" --key "$SCRATCH/keys/boss.key"
for n in 1 2 3; do
    ip netns exec "acn$$-$n" acsweep-worker --coordinator "$JOIN" --key "$SCRATCH/keys/worker.key" --state "$SCRATCH/n$n" --name "n$n" \
        --slots 1 "${PATHS[@]}" </dev/null >"$SCRATCH/n$n.log" 2>&1 &
    WORKERS[n]=$!
done
all_work() { is 3 "SELECT count(DISTINCT node) FROM attempts"; }
wait_for $((120 * PATIENCE)) "work in all three" all_work
wait_for $((120 * PATIENCE)) "stage 2" is 1 "SELECT (count(*) > 0)::int FROM attempts JOIN tasks USING (sweep, task_id, kind) WHERE kind = 'stage2'"
LOST=$(query "SELECT node FROM attempts JOIN tasks USING (sweep, task_id, kind) WHERE kind = 'stage2' ORDER BY started_at DESC LIMIT 1")
ip -n "acn$$-${LOST#n}" link set eth0 down
kill -9 "${WORKERS[${LOST#n}]}"
wait_for $((240 * PATIENCE)) "the sweep" is done "SELECT state FROM acsweep.sweep WHERE name = '$NAME'" || {
    cat "$SCRATCH"/n?.log >&2
    acsweep sql --database "$DATABASE" -c "SELECT kind, label, status, reason FROM tasks WHERE status <> 'done'" >&2
}
is 1 "SELECT (count(*) > 0)::int FROM attempts WHERE node = '$LOST' AND outcome = 'lost'" || fail "nothing of $LOST was lost"
expect 0 acsweep sql --database "$DATABASE" --json -c "$NUMBERS"
numbers >"$SCRATCH/split.txt"
diff "$SCRATCH/alone.txt" "$SCRATCH/split.txt" >&2 || fail "split and killed, the sweep came to other numbers"
for n in 1 2 3; do
    kill -TERM "${WORKERS[n]}" 2>/dev/null && wait "${WORKERS[n]}"
done
stop_cluster
none_left
