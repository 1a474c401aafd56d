#!/usr/bin/env bash
# Does each dense pretraining beat random initialisation on the toy world, with nothing trained but a linear classifier?
#   SEEDS='0 1 2' JOBS=2 tools/experiments/dense_toy.sh [WORK_DIR]
# Per seed one random half-width ResNet-18 (and one small ViT); every method pretrains from it, and a 1 x 1 convolution is
# trained on the frozen features of each and of the random one. The last table says who is better by more than two
# standard deviations. Needs data/toy (tools/dataset_converters/make_toy.py --out data/toy). JOBS runs of one thread each go
# side by side; what is finished is not run again. METHODS='pixcon-sr cacl' runs some of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-work_dirs/dense_toy}
python=${PYTHON:-.venv/bin/python}
mkdir -p "$work"
source tools/experiments/shared.sh
source tools/experiments/dense.sh
read -ra methods <<< "${METHODS:-moco-v2 densecl pixcon-sim pixcon-coord pixcon-sr cacl local-global}"
read -ra seeds <<< "${SEEDS:-0 1 2}"
dense_experiment toy linear
