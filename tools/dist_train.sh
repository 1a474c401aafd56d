#!/usr/bin/env bash
# Train on the GPUs of one or several machines; without a GPU, on GPUS gloo processes on the CPU.
#   tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment, the same call on each.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 CONFIG GPUS [options of tools/train.py]" >&2; exit 2; }
exec "$(dirname "$0")/launch.sh" train.py "$@"
