#!/usr/bin/env bash
# Evaluate a checkpoint on a Slurm cluster, one task a GPU.
#   [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS=…] tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
set -euo pipefail
[ $# -ge 4 ] || { echo "usage: [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS=…] $0 PARTITION JOB_NAME CONFIG CHECKPOINT [options]" >&2; exit 2; }
partition=$1 job=$2
shift 2
exec "$(dirname "$0")/slurm_launch.sh" "$partition" "$job" test.py "$@"
