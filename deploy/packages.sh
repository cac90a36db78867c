# Sourced by ./run and ./test: Debian packages, and a quiet build that shows its log only when it fails.

PACKAGES_BUILD=(cmake ninja-build gcc libc6-dev pkg-config libzmq3-dev libprotobuf-c-dev protobuf-c-compiler libpq-dev
    libconfig-dev liblapacke-dev libopenblas-openmp-dev libsodium-dev libjansson-dev libjpeg62-turbo-dev libpng-dev
    libwebp-dev libpcre2-dev zlib1g-dev g++ libtorch-dev libgloo-dev libopenblas0-openmp libfreetype-dev)
PACKAGES_RUN=(postgresql fonts-noto-color-emoji fonts-dejavu-core)
PACKAGES_TEST=(clang lld libclang-rt-14-dev libcmocka-dev procps python3)
# The test with a real Slurm runs daemons of its own, which only root can.
[[ $(id -u) != 0 ]] || PACKAGES_TEST+=(slurm-wlm munge)

# quietly COMMAND...: while it runs, no package's service is started.
quietly() {
    local policy=/usr/sbin/policy-rc.d rc=0
    [[ -e $policy ]] && policy=''
    [[ -z $policy ]] || { printf '#!/bin/sh\n# of acsweep, while it installs packages for its tests\nexit 101\n' >"$policy"; chmod 755 "$policy"; }
    "$@" || rc=$?
    [[ -z $policy ]] || rm -f "$policy"
    return "$rc"
}

# packages_install [--no-services] NAME...: install those that are missing, through apt, as root; else say the command and
# exit 4.
packages_install() {
    command -v dpkg-query >/dev/null || return 0 # not a Debian: CMake names what it misses
    local missing run=()
    [[ $1 != --no-services ]] || { run=(quietly); shift; }
    missing=$(comm -23 <(printf '%s\n' "$@" | sort -u) \
        <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" { print $1 }' | sort -u))
    [[ -z $missing ]] && return 0
    local command=(apt-get install -y --no-install-recommends $missing)
    if [[ $(id -u) != 0 ]]; then
        printf 'These packages are missing; install them and start again:\n    sudo %s\n' "${command[*]}" >&2
        exit 4
    fi
    echo "Installing: ${missing//$'\n'/ }" >&2
    local log
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    if ! "${run[@]}" "${command[@]}" >"$log" 2>&1 &&
        ! { apt-get update >>"$log" 2>&1 && "${run[@]}" "${command[@]}" >>"$log" 2>&1; }; then
        tail -20 "$log" >&2
        printf 'The packages could not be installed; see above, or try: %s\n' "${command[*]}" >&2
        exit 4
    fi
    rm -f "$log"
}

# build PRESET [CMAKE-OPTION...]: configure and build into build/PRESET; all, or with BUILD_TARGET in the environment that.
build() {
    local preset=$1 log
    shift
    log=build/$preset.log
    mkdir -p build
    if command -v ccache >/dev/null; then
        export CMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER-ccache}
        export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
    fi
    # An existing build directory keeps the generator that it was made with.
    [[ -e build/$preset/CMakeCache.txt ]] || export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}
    echo "Building build/$preset ..." >&2
    if ! { cmake --preset "$preset" "$@" &&
        cmake --build --preset "$preset" --parallel "$(nproc)" ${BUILD_TARGET:+--target "$BUILD_TARGET"}; } >"$log" 2>&1; then
        grep -E -A5 'error|Error' "$log" | head -40 >&2 || true
        echo "The build failed; its log is $log" >&2
        return 4
    fi
}
