#!/usr/bin/env bash
# Evaluate a checkpoint on several GPUs; without a GPU, on GPUS gloo processes on the CPU.
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment, the same call on each.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: $0 CONFIG CHECKPOINT GPUS [options of tools/test.py]" >&2; exit 2; }
config=$1 checkpoint=$2 gpus=$3
shift 3
exec "$(dirname "$0")/launch.sh" test.py "$config" "$gpus" "$checkpoint" "$@"
