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
segment=configs/segmentation/upernet_r18-narrow_camvid.py
read -ra seeds <<< "${SEEDS:-0 1 2}"
mkdir -p "$work"
source tools/experiments/shared.sh

one_seed() {
    local seed=$1 initial=$work/initial_seed$1.pth
    "$python" -W ignore tools/misc/initial_backbone.py "$segment" "$initial" --seed "$seed"
    train "random_seed$seed" "$segment" --pretrained "$initial" --seed "$seed"
    for data in camvid voc; do
        train "pretrain_${data}_seed$seed" "configs/semcl/r18-narrow_$data.py" --pretrained "$initial" --seed "$seed"
        train "semcl_${data}_seed$seed" "$segment" --pretrained "$(last "pretrain_${data}_seed$seed")" --seed "$seed"
    done
}
export segment
each one_seed "${seeds[@]}"
tables random semcl_camvid semcl_voc
