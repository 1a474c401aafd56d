#!/usr/bin/env bash
# SemCL on small real data: does pretraining on pairs help a segmentation of CamVid?
#   SEEDS='0 1 2' JOBS=2 tools/experiments/semcl_camvid.sh [WORK_DIR]
# Per seed: one random ResNet-18 (half width); SemCL from it on CamVid's pairs and on VOC's pairs; UPerNet on CamVid
# from each of the three, same budget, same seed. Needs data/camvid and data/VOCdevkit/VOC2012 with their indices
# (data/semcl/{camvid,voc}.pairs). JOBS runs of one thread each go side by side. What is finished is not run again.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-work_dirs/semcl_camvid}
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
segment=configs/segmentation/upernet_r18-narrow_camvid.py
mkdir -p "$work"

train() { # NAME ARGUMENTS…: one run, unless its record says that it has finished
    local name=$1
    shift
    if grep -qs '"status": "finished"' "$work/$name"/*/record.json; then
        echo "$name: finished before"
        return
    fi
    echo "$name: starts $(date +%T)"
    "$python" -W ignore tools/train.py "$@" --work-dir "$work/$name" > "$work/$name.log" 2>&1 ||
        { echo "error: $name failed, see $work/$name.log" >&2; return 1; }
    echo "$name: done $(date +%T)"
}
last() { cat "$work/$1/last_checkpoint"; }

one_seed() {
    local seed=$1 initial=$work/initial_seed$1.pth
    "$python" -W ignore tools/misc/initial_backbone.py "$segment" "$initial" --seed "$seed"
    train "random_seed$seed" "$segment" --pretrained "$initial" --seed "$seed"
    for data in camvid voc; do
        train "pretrain_${data}_seed$seed" "configs/semcl/r18-narrow_$data.py" --pretrained "$initial" --seed "$seed"
        train "semcl_${data}_seed$seed" "$segment" --pretrained "$(last "pretrain_${data}_seed$seed")" --seed "$seed"
    done
}
export -f train last one_seed
export work python segment
tr ' ' '\n' <<< "${SEEDS:-0 1 2}" | xargs -P "${JOBS:-1}" -I{} bash -euo pipefail -c 'one_seed {}'

"$python" tools/analyze collect "$work" --out "$work/records.jsonl"
"$python" tools/analyze table --records "$work/records.jsonl"
for arm in semcl_camvid semcl_voc; do
    "$python" tools/analyze compare "$arm" random --records "$work/records.jsonl"
done
