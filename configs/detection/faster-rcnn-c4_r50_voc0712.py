"""Faster R-CNN R50-C4 on VOC 07+12 -> VOC07 test, 24k iterations, batch 16 (4 GPUs x 4).

PixCon (WACV 2024), supplement Table 1: 57.55 ± 0.25 AP, 82.83 AP50 and 64.04 AP75 from PixCon-SR, 54.63,
81.42 and 60.48 from MoCo-v2+, each pretrained on COCO for 800 epochs; 5 seeds. The settings are the
authors': SyncBN everywhere and behind the last stage, its stride in the 3 x 3 convolution, nothing
frozen, lr 0.02 with a tenth at 18k and 22k, 100 iterations of warm-up, PreciseBN; difficult objects are
learned (Detectron2's). Deviation: a box ends a pixel earlier, at xmax - 1, as mmdet reads VOC.
    tools/dist_train.sh configs/detection/faster-rcnn-c4_r50_voc0712.py 4 --pretrained work_dirs/pixcon-sr_r50_coco/iter_184800.pth
"""

from mmengine.config import read_base

from semcl_mm.engine import PreciseBNHook

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.det_voc0712 import *
    from .._base_.default_runtime import *
    from .._base_.models.faster_rcnn_c4 import *
    from .._base_.pixcon_methods import *
    from .._base_.schedules.det_sgd import *

backbone.pop('out_indices')
model.merge(
    dict(
        backbone=dict(backbone, type=c4_backbone),
        roi_head=dict(bbox_head=dict(num_classes=num_classes)),
    )
)
for trained in train_dataloader.dataset.datasets:
    trained.learn_difficult = True
del trained
train_cfg.merge(dict(max_iters=24000, val_interval=4000))
param_scheduler[0].end = 100
param_scheduler[1].milestones = [18000, 22000]
custom_hooks = [dict(type=PreciseBNHook)]
paper_cell = dict(
    paper='PixCon-supp',
    table='1',
    dataset='VOC07+12',
    backbone='',
    metric=['AP', 'AP50', 'AP75'],
    variant='COCO-800ep',
    models=pixcon_methods,
    also=pixcon_sets,
)
