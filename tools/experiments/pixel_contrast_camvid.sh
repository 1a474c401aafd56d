#!/usr/bin/env bash
# Pixel contrast on small real data: what do contrast, its memories and its sampling do for a segmentation of CamVid?
#   SEEDS='0 1 2' JOBS=2 tools/experiments/pixel_contrast_camvid.sh [WORK_DIR]
# Per seed one random ResNet-18 (half width), from which every arm starts: UPerNet without contrast, with contrast
# within an image, within the mini-batch, to a pixel memory, a region memory and both, and both with other sampling.
# Same budget, same seed. Needs data/camvid. JOBS runs of one thread each go side by side; what is finished is not run
# again. ARMS='both no-contrast' runs some of them. START=FOLDER starts each seed from the network that FOLDER's run
# without contrast ended with, instead of a random one: START=work_dirs/pixel_contrast_camvid … work_dirs/…_trained
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-work_dirs/pixel_contrast_camvid}
python=${PYTHON:-.venv/bin/python}
config=configs/pixel_contrast/upernet_r18-narrow_camvid
read -ra arms <<< "${ARMS:-no-contrast intra inter pixel region both both-random both-hardest}"
read -ra seeds <<< "${SEEDS:-0 1 2}"
mkdir -p "$work"
source tools/experiments/shared.sh

one_run() { # ARM_seedN
    local arm=${1%_seed*} seed=${1##*_seed}
    train "$1" "${config}_$arm.py" --pretrained "$work/initial_seed$seed.pth" --seed "$seed"
}
export config

runs=()
for seed in "${seeds[@]}"; do # a seed's arms follow each other: what is done first can be compared
    initial=$work/initial_seed$seed.pth
    if [ ! -e "$initial" ] && [ -n "${START:-}" ]; then
        cp "$(cat "$START/no-contrast_seed$seed/last_checkpoint")" "$initial"
    elif [ ! -e "$initial" ]; then
        "$python" -W ignore tools/misc/initial_backbone.py "${config}_no-contrast.py" "$initial" --seed "$seed"
    fi
    for arm in "${arms[@]}"; do runs+=("${arm}_seed$seed"); done
done
each one_run "${runs[@]}"

others=()
for arm in "${arms[@]}"; do [ "$arm" = no-contrast ] || others+=("${arm}_seed"); done
tables no-contrast_seed "${others[@]}"
