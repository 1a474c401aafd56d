"""OCR with HRNetV2-W48 on Cityscapes train + val, predictions of test, with pixel contrast, 100k iterations, batch 8 (4 GPUs x 2).

Cross-image pixel contrast (ICCV 2021), Table 5: 83.2 mIoU on test, multi-scale and flip (``tools/test.py --tta``).
Memory: 744 MB.
``tools/test.py --tta`` writes files for the benchmark's server, which alone knows the score.
The score on val during training says nothing: val is trained on.
    tools/dist_train.sh configs/pixel_contrast/ocr-hrnet-w48_cityscapes-trainval_contrast.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

from semcl_mm.downstream import ContrastCascadeEncoderDecoder

with read_base():
    from .._base_.backbones.hrnet_w48 import *
    from .._base_.datasets.cityscapes_server import *
    from .._base_.datasets.seg_cityscapes import *
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
        memory=dict(num_images=3475, pixels_per_class=34750),
    )
)
train_dataloader.dataset.pipeline[3].merge(dict(cat_max_ratio=1.0))
train_dataloader.dataset.pipeline[-1].merge(dict(meta_keys=contrast_meta_keys))
train_dataloader.dataset.merge(both_splits)
expected_samples.merge(dict(train=3475))
test_dataloader = unlabelled_images
test_evaluator = submission
tta_pipeline[1].transforms.pop(2)
paper_cell = dict(
    paper='PixelContrast', table='5', dataset='Cityscapes', split='test (train+val)',
    model='OCR', backbone='HRNetV2-W48', metric='mIoU', start='imagenet',
    variant='ours', protocol='multi-scale and flip',
)  # fmt: skip
