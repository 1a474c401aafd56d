"""Limited labels: ResNet-18 and its 1 x 1 classifier trained end to end on 149 of 2,975 Cityscapes images, 9,313 iterations of 16 (4 GPUs x 4).

CACL (AAAI 2022), Table 4, 5 %: 43.1 mIoU from CACL, 37.5 with two heads, 35.0 from MoCo v2, each
pretrained on K400. Stated: lr 0.3, 1000 epochs; head, crops, batch, decay are the linear protocol's.
    tools/dist_train.sh configs/segmentation/limited-5_r18_cityscapes.py 4 --pretrained CKPT
"""

from mmengine.config import read_base
from mmseg.models import EncoderDecoder

from semcl_mm.downstream import LabelSubset

with read_base():
    from .._base_.backbones.resnet18_os8 import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.linear_frozen import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_linear import *

model.merge(heads)
model.merge(
    dict(
        type=EncoderDecoder,  # nothing is frozen
        data_preprocessor=dict(size=(769, 769)),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels[-1], num_classes=num_classes),
    )
)
train_dataloader.merge(dict(batch_size=4))
train_dataloader.dataset.pipeline[3].merge(dict(crop_size=(769, 769)))
train_dataloader.dataset = dict(type=LabelSubset, dataset=train_dataloader.dataset, fraction=0.05)
train_cfg.merge(dict(max_iters=9313, val_interval=932))
optim_wrapper.merge(dict(optimizer=dict(lr=0.3)))
auto_scale_lr = dict(enable=False, base_batch_size=16)
paper_cell = dict(
    paper='CACL', table='4', dataset='Cityscapes', backbone='', metric='mIoU', variant='5%',
    models={
        'r18_k400': 'R18 CACL', 'r18_k400_global-pixel': 'R18 2heads',
        'r18_k400_global': 'R18 MoCo-v2',
    },
)  # fmt: skip
