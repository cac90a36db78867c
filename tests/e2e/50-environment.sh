#!/usr/bin/env bash
# What the machine may lack, and what outsiders may send: each gets one clear line, the right exit code, and nothing is lost.
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

one_line() { # the error is one line (and a hint at most)
    (($(wc -l <"$ERR") <= 2)) || fail "more than two lines: $(cat "$ERR")"
}
sweep() { # sweep NAME TASKS: a small load sweep
    printf 'name = "%s";\nseed = 1;\nload = { tasks = %s; depth = 2; executor = "fake"; };\n' "$1" "$2" >"$1.cfg"
}
sweep small 20

# PostgreSQL is missing.
ACSWEEP_PG_BINDIR=$SCRATCH/nowhere expect 4 acsweep run --state a small.cfg
has "$ERR" "initdb and postgres"
one_line
none_left

# No server answers; a server that is none of ours.
expect 4 acsweep status --database "host=$SCRATCH port=1 dbname=none"
one_line
expect 4 acsweep submit --timeout 3s --coordinator ipc://"$SCRATCH"/nobody small.cfg
one_line

# Broken, truncated and hostile configs.
broken() { # broken TEXT WHAT: what the message must hold
    printf '%b' "$1" >broken.cfg
    expect 3 acsweep run --state b broken.cfg
    has "$ERR" "$2"
    one_line
}
broken 'name = "x"\nseed = ;\n' 'broken.cfg:2'
broken 'name = "x";\npolcy = { };\n' 'policy'
broken 'name = "x";\nload = { tasks = -5; };\n' 'broken.cfg:2'
broken 'name = "x";\nload = { tasks = "many"; };\n' 'broken.cfg:2'
broken '\0\0\0\0' 'broken.cfg'
head -c 300 "$SOURCE/examples/paper/sweep.cfg" >cut.cfg
expect 3 acsweep run --state b cut.cfg
one_line
expect 3 acsweep run --state b "$SCRATCH"
one_line

# Text that is not UTF-8, or that would spoil a terminal.
broken 'name = "x";\n# caf\351\n' 'broken.cfg:2'
broken 'name = "a\001b";\nload = { tasks = 1; };\n' 'control character'

# A name that would do harm where texts are glued into SQL or paths.
printf 'name = "x%s; DROP TABLE task; -- \\"{}/../%%n";\nload = { tasks = 3; executor = "fake"; };\n' "'" >odd.cfg
expect 0 acsweep run --state c odd.cfg
none_left
expect 0 acsweep status --state c --json
same "$(json "$OUT" 'd["sweeps"][0]["sweep"]')" "x'; DROP TABLE task; -- \"{}/../%n"
same "$(json "$OUT" 'd["sweeps"][0]["state"]')" done

# A full disk: a small file system for the state directory.
if [[ $(id -u) == 0 ]] && mkdir -p full && chmod 711 . && mount -t tmpfs -o size=48m,mode=711 tmpfs full 2>/dev/null; then
    head -c 40m /dev/zero >full/ballast
    mkdir -m 711 full/state # reachable for user postgres, so that the cluster is made here
    code=0
    acsweep run --state full/state small.cfg >"$OUT" 2>"$ERR" </dev/null || code=$?
    same "$code" 4
    grep -qiE 'space|full' "$ERR" || { fail "no word of the full disk"; cat "$ERR" >&2; }
    none_left
    rm -f full/ballast
    umount full || { sleep 1; umount -l full; }
else
    echo "SKIP full disk: cannot mount a tmpfs here" >&2
fi

# Bytes that are no message, and a client of another time, do not harm a coordinator at work.
sweep long 400
acsweep run --state d long.cfg >run.out 2>run.err </dev/null &
run=$!
for _ in $(seq 600); do
    [[ -s d/coordinator.json ]] && break
    sleep 0.1
done
endpoint=$(json d/coordinator.json 'd["endpoint"]')
python3 - "${endpoint#ipc://}" <<'PY' || fail "noise against the coordinator"
import os, random, socket, sys
random.seed(7)
for _ in range(50):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(random.choice([b"GET / HTTP/1.1\r\n\r\n", os.urandom(300), b"\xff\0\0\0\0\0\0\0\1\x7f\3\1NULL", b""]))
    s.close()
PY
wait "$run"
same "$?" 0
expect 0 acsweep status --state d --json
none_left
