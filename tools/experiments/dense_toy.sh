#!/usr/bin/env bash
# Does each dense pretraining beat random initialisation on the toy world, with nothing trained but a linear classifier?
#   SEEDS='0 1 2' JOBS=2 tools/experiments/dense_toy.sh [WORK_DIR]
# Per seed one random half-width ResNet-18 (and one small ViT); every method pretrains from it, and a 1 x 1 convolution is
# trained on the frozen features of each and of the random one. The last table says who is better by more than two
# standard deviations. Makes data/toy and its pairs where they are missing. JOBS runs of one thread each go side by side; what
# is finished is not run again. METHODS='pixcon-sr cacl' runs some of them; PRETRAIN_OPTIONS='train_cfg.max_iters=800' are
# --cfg-options of the pretrainings.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-work_dirs/dense_toy}
python=${PYTHON:-.venv/bin/python}
mkdir -p "$work"
source tools/experiments/shared.sh
source tools/experiments/dense.sh
read -ra methods <<< "${METHODS:-semcl moco-v2 densecl pixcon-sim pixcon-coord pixcon-sr cacl local-global}"
[ -e data/toy/toy.json ] || "$python" tools/dataset_converters/make_toy.py --out data/toy
[ -e data/semcl/toy.pairs ] || "$python" tools/dataset_converters/build_pair_index.py voc data/toy --out data/semcl/toy.pairs
read -ra seeds <<< "${SEEDS:-0 1 2}"
dense_experiment toy linear
