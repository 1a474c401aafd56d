#!/usr/bin/env bash
# Train on a Slurm cluster, one task a GPU.
#   [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS=…] tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]
set -euo pipefail
[ $# -ge 4 ] || { echo "usage: [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS=…] $0 PARTITION JOB_NAME CONFIG WORK_DIR [options]" >&2; exit 2; }
partition=$1 job=$2 config=$3 work_dir=$4
shift 4
exec "$(dirname "$0")/slurm_launch.sh" "$partition" "$job" train.py "$config" --work-dir "$work_dir" "$@"
