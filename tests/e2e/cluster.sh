# Sourced after lib.sh by the tests of a cluster: a PostgreSQL of their own and a coordinator on it.
#
#     start_postgres           sets DATABASE, with the schema in it
#     start_coordinator ARG... sets COORDINATOR_PID and JOIN; log in $SCRATCH/coordinator.log
#     query SQL                first line of an unaligned answer, by `acsweep sql`
#     wait_for SECONDS WHAT COMMAND...
PG_BIN=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[[ -n $PG_BIN ]] || PG_BIN=$(pg_config --bindir)

as_postgres() { # PostgreSQL refuses to run as root
    if [[ $(id -u) == 0 ]]; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups "$@")
    else
        "$@"
    fi
}
start_postgres() {
    local dir=$SCRATCH/pg
    mkdir "$dir"
    [[ $(id -u) == 0 ]] && chown postgres "$dir"
    as_postgres "$PG_BIN/initdb" -D "$dir/data" -A trust -U acsweep --no-locale -E UTF8 --no-sync >"$SCRATCH/initdb.log" 2>&1 ||
        { cat "$SCRATCH/initdb.log" >&2; exit 1; }
    as_postgres "$PG_BIN/postgres" -D "$dir/data" -c listen_addresses= -c fsync=off -c "unix_socket_directories=$dir" \
        >"$SCRATCH/postgres.log" 2>&1 &
    POSTGRES_PID=$!
    DATABASE="host=$dir user=acsweep dbname=postgres"
    wait_for 20 "PostgreSQL" "$PG_BIN/pg_isready" -q -h "$dir" || exit 1
    expect 0 acsweep db init --database "$DATABASE"
}
start_coordinator() {
    acsweep-coordinator --database "$DATABASE" --state "$SCRATCH" "$@" </dev/null >>"$SCRATCH/coordinator.log" 2>&1 &
    COORDINATOR_PID=$!
    wait_for 20 "the coordinator" test -s "$SCRATCH/coordinator.json" || { cat "$SCRATCH/coordinator.log" >&2; exit 1; }
    JOIN=$(json "$SCRATCH/coordinator.json" 'd["join"]')
}
query() {
    acsweep sql --database "$DATABASE" --json -c "$1" |
        python3 -c 'import json, sys; rows = json.load(sys.stdin); print(list(rows[0].values())[0] if rows else "")'
}
is() { # is VALUE SQL: for wait_for
    [[ $(query "$2") == "$1" ]]
}
wait_for() {
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" 2>/dev/null; do
        if ((SECONDS >= until)); then
            fail "waited in vain for $what"
            return 1
        fi
        sleep 0.2
    done
}
# Leave nothing behind: coordinator, then PostgreSQL.
stop_cluster() {
    [[ -n ${COORDINATOR_PID:-} ]] && kill "$COORDINATOR_PID" 2>/dev/null && wait "$COORDINATOR_PID"
    # The postmaster itself, not the subshell that changed the user.
    [[ -s $SCRATCH/pg/data/postmaster.pid ]] && kill -INT "$(head -1 "$SCRATCH/pg/data/postmaster.pid")" && wait "$POSTGRES_PID"
    COORDINATOR_PID=''
    return 0
}
