#!/usr/bin/env bash
# Start one of the tools under torchrun: launch.sh {train.py,test.py} CONFIG GPUS [arguments].
# PORT 0 (the default on one machine) lets torchrun choose a free one.
set -euo pipefail
tool=$1 config=$2 gpus=$3
shift 3
case $gpus in '' | *[!0-9]* | 0)
    echo "error: GPUS must be a positive number, got '$gpus'" >&2
    exit 2 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}
if [ -z "${PYTHON:-}" ] && [ -x "$here/../.venv/bin/python" ]; then python="$here/../.venv/bin/python"; fi

nnodes=${NNODES:-1}
rendezvous=(--standalone)
if [ "$nnodes" -gt 1 ]; then
    rendezvous=(--node_rank "${NODE_RANK:-0}" --master_addr "${MASTER_ADDR:?set MASTER_ADDR}" --master_port "${PORT:-29500}")
elif [ -n "${PORT:-}" ]; then
    rendezvous=(--master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "$PORT")
fi
# Several processes on one CPU share its cores; torchrun's own default is one thread each.
cores=$("$python" -c 'import os; print(os.cpu_count() or 1)')
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores / gpus > 0 ? cores / gpus : 1))}
exec "$python" -m torch.distributed.run --nnodes "$nnodes" --nproc_per_node "$gpus" "${rendezvous[@]}" \
    "$here/$tool" "$config" "$@" --launcher pytorch
