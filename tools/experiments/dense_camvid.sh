#!/usr/bin/env bash
# Dense pretrainings on small real data: what do they give a segmentation of CamVid, frozen and fine-tuned?
#   SEEDS='0 1 2' JOBS=2 tools/experiments/dense_camvid.sh [WORK_DIR]
# Per seed one random half-width ResNet-18 (and one small ViT); every method pretrains from it on CamVid's frames (CACL: on
# pairs 1 s apart), or with DATA=coco-voc on the images of COCO and VOC 2012 (CACL: on two crops of each). From each, and from
# the random one: the linear protocol (a 1 x 1 convolution on frozen features) and fine-tuning, scored on CamVid's val images.
# Needs data/camvid and, if chosen, data/coco and data/VOCdevkit/VOC2012. JOBS runs of one thread each go side by side; what
# is finished is not run again. METHODS='moco-v2 pixcon-sr' runs some of them (METHODS=semcl runs SemCL, on
# data/semcl/camvid.pairs, see docs/results.md), PROTOCOLS=linear one protocol. PRETRAIN_OPTIONS='train_cfg.max_iters=1000' are
# --cfg-options of the pretrainings; AMP=bf16 trains the ResNets in bfloat16, which a CPU with such instructions does 1.3 to
# 1.9 times as fast (the ViT stays in float32), and CFG_OPTIONS=channels_last=True 1.2 to 1.5 times as fast again.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${DATA:-camvid}
work=${1:-work_dirs/dense_camvid_from_$data}
python=${PYTHON:-.venv/bin/python}
mkdir -p "$work"
source tools/experiments/shared.sh
source tools/experiments/dense.sh
read -ra methods <<< "${METHODS:-moco-v2 densecl pixcon-sim pixcon-coord pixcon-sr cacl local-global}"
read -ra seeds <<< "${SEEDS:-0 1 2}"
read -ra protocols <<< "${PROTOCOLS:-linear finetune}"
dense_experiment camvid "${protocols[@]}"
