# What the experiments share; to be sourced. Needs $work (folder of the runs) and $python.
export OMP_NUM_THREADS=1

# For a trial: CFG_OPTIONS='train_cfg.max_iters=3 train_cfg.val_interval=3' (and a work dir of its own).
train() { # NAME ARGUMENTS…: one run, unless its record says that it has finished
    local name=$1
    shift
    if grep -qs '"status": "finished"' "$work/$name"/*/record.json; then
        echo "$name: finished before"
        return
    fi
    echo "$name: starts $(date +%T)"
    # shellcheck disable=SC2086  # CFG_OPTIONS are several words
    "$python" -W ignore tools/train.py "$@" --work-dir "$work/$name" ${CFG_OPTIONS:+--cfg-options $CFG_OPTIONS} \
        > "$work/$name.log" 2>&1 ||
        { echo "error: $name failed, see $work/$name.log" >&2; return 1; }
    echo "$name: done $(date +%T)"
}
last() { # NAME: the run's last checkpoint; where it is gone, a path that says so to the run that needs it
    cat "$work/$1/last_checkpoint" 2> /dev/null || echo "$work/$1/last_checkpoint"
}

each() { # FUNCTION ITEM…: calls FUNCTION with every item, JOBS side by side
    local function=$1
    shift
    export -f "${function?}" train last
    export work python
    printf '%s\n' "$@" | xargs -P "${JOBS:-1}" -I{} bash -euo pipefail -c "$function {}"
}

tables() { # BASELINE ARM…: collects the records, prints the table and each arm against the baseline
    local baseline=$1 arm
    shift
    "$python" tools/analyze collect "$work" --out "$work/records.jsonl"
    "$python" tools/analyze table --records "$work/records.jsonl"
    for arm in "$@"; do
        "$python" tools/analyze compare "$arm" "$baseline" --records "$work/records.jsonl"
    done
}
