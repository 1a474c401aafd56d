"""Mask R-CNN's mask head: four convolutions, 28 x 28 masks. A leaf fills in ``num_classes``."""

from mmcv.ops import RoIAlign
from mmdet.models import CrossEntropyLoss, FCNMaskHead, SingleRoIExtractor

mask_branch = dict(
    mask_roi_extractor=dict(
        type=SingleRoIExtractor,
        roi_layer=dict(type=RoIAlign, output_size=14, sampling_ratio=0),
        out_channels=256,
        featmap_strides=[4, 8, 16, 32],
    ),
    mask_head=dict(
        type=FCNMaskHead,
        num_convs=4,
        in_channels=256,
        conv_out_channels=256,
        num_classes=None,
        loss_mask=dict(type=CrossEntropyLoss, use_mask=True, loss_weight=1.0),
    ),
)
