#!/usr/bin/env bash
# srun one of the tools: slurm_launch.sh PARTITION JOB_NAME {train.py,test.py} [arguments].
set -euo pipefail
command -v srun > /dev/null || { echo "error: srun not found: this is no Slurm login node; tools/dist_train.sh runs without Slurm" >&2; exit 1; }
partition=$1 job=$2 tool=$3
shift 3
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}
if [ -z "${PYTHON:-}" ] && [ -x "$here/../.venv/bin/python" ]; then python="$here/../.venv/bin/python"; fi
# shellcheck disable=SC2086  # SRUN_ARGS holds several options
exec srun -p "$partition" --job-name "$job" --gres "gpu:$per_node" --ntasks "$gpus" --ntasks-per-node "$per_node" \
    --cpus-per-task "${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "$python" -u "$here/$tool" "$@" --launcher slurm
