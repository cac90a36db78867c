#!/bin/sh
# The commented settings files in deploy/ are what the programs print, so every option is in them, with its default.
# They are also read: with its one required setting given, each program goes on to the next thing that is wrong.
# usage: config_files.sh BIN_DIR SOURCE_DIR
set -eu
bin=$1 src=$2
for name in coordinator worker; do
    "$bin/acsweep-$name" --print-config | diff -u "$src/deploy/$name.cfg" - || {
        echo "deploy/$name.cfg is out of date: acsweep-$name --print-config > deploy/$name.cfg" >&2
        exit 1
    }
done

expect() { # TEXT COMMAND...: it must fail and say so
    want=$1
    shift
    if out=$("$@" 2>&1); then
        echo "should have failed: $*" >&2
        exit 1
    fi
    case $out in
    *"$want"*) ;;
    *)
        printf 'wanted: %s\nhas: %s\n' "$want" "$out" >&2
        exit 1
        ;;
    esac
}
expect '--database CONNINFO is missing' "$bin/acsweep-coordinator" --config "$src/deploy/coordinator.cfg"
expect '--coordinator JOIN is missing' "$bin/acsweep-worker" --config "$src/deploy/worker.cfg"
expect 'settings_file_that_is_not_there' "$bin/acsweep-worker" --config settings_file_that_is_not_there
