"""OCR with HRNetV2-W48 on COCO-Stuff10k, with pixel contrast, 60k iterations, batch 16 (4 GPUs x 4).

Cross-image pixel contrast (ICCV 2021), Table 7: 41.0 mIoU on test, multi-scale and flip (``tools/test.py --tta``).
Memory: 1.66 GB in bfloat16 with T = 10,000 pixels a class; the paper's 10 N = 90,000 would be 8.67 GB.
    tools/dist_train.sh configs/pixel_contrast/ocr-hrnet-w48_coco-stuff10k_contrast.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

from semcl_mm.downstream import ContrastCascadeEncoderDecoder

with read_base():
    from .._base_.backbones.hrnet_w48 import *
    from .._base_.datasets.seg_coco_stuff10k import *
    from .._base_.default_runtime import *
    from .._base_.models.ocr_hrnet import *
    from .._base_.models.pixel_contrast import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_sgd_poly import *
    from .._base_.tta import *

model.merge(dict(data_preprocessor=dict(size=crop_size), backbone=backbone))
model.merge(heads)
model.merge(contrast)
model.type = ContrastCascadeEncoderDecoder
model.decode_head[0].merge(dict(in_channels=backbone_channels, num_classes=num_classes))
model.decode_head[1].merge(dict(in_channels=backbone_channels, num_classes=num_classes))
model.contrast_head.merge(
    dict(
        in_channels=backbone_channels,
        in_index=[0, 1, 2, 3],
        num_classes=num_classes,
        memory=dict(num_images=9000, pixels_per_class=10000, dtype='bfloat16'),
    )
)
train_dataloader.dataset.pipeline[-1].merge(dict(meta_keys=contrast_meta_keys))
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
train_cfg.merge(dict(max_iters=60000, val_interval=6000))
optim_wrapper.optimizer.merge(dict(lr=1e-3))
paper_cell = dict(
    paper='PixelContrast', table='7', dataset='COCO-Stuff', split='test',
    model='OCR', backbone='HRNetV2-W48', metric='mIoU', start='imagenet',
    variant='ours', protocol='multi-scale and flip',
)  # fmt: skip
