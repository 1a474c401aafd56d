"""Any detector's config at a width that a test can afford, and batches without data."""

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import InstanceData


def narrow(config):
    """The model of a leaf at a width that a test can afford; its structure stays."""
    backbone = config.backbone
    if 'depth' in backbone:
        backbone.update(base_channels=8, stem_channels=8, depth=18)
        channels = [8, 16, 32, 64]
    else:
        backbone.arch = dict(embed_dims=12, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 4])
        channels = [12, 24, 48, 96]
    roi_head = config.roi_head
    heads = roi_head.bbox_head if isinstance(roi_head.bbox_head, list) else [roi_head.bbox_head]
    if 'neck' in config:
        config.neck.update(in_channels=channels, out_channels=16)
        config.rpn_head.update(in_channels=16, feat_channels=16)
        roi_head.bbox_roi_extractor.out_channels = 16
        for head in heads:
            head.update(in_channels=16, conv_out_channels=16, fc_out_channels=32)
        if 'mask_head' in roi_head:
            roi_head.mask_roi_extractor.out_channels = 16
            roi_head.mask_head.update(in_channels=16, conv_out_channels=16)
    else:
        config.rpn_head.update(in_channels=channels[2], feat_channels=16)
        roi_head.bbox_roi_extractor.out_channels = channels[2]
        roi_head.shared_head.channels = heads[0].in_channels = channels[3]
    return config


def detector(path):
    return MODELS.build(narrow(Config.fromfile(path).model))


def batch(model, number=2, objects=2, size=64):
    """Noise images with boxes, and square masks where the detector has a mask head."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks

    generator = torch.Generator().manual_seed(0)
    samples = []
    for _ in range(number):
        boxes = torch.tensor([[4.0, 4, 40, 36], [20, 10, 60, 60]])[:objects]
        truth = InstanceData(bboxes=boxes, labels=torch.arange(objects))
        if model.roi_head.with_mask:
            masks = torch.zeros(objects, size, size, dtype=torch.uint8)
            masks[:, 10:30, 10:40] = 1
            truth.masks = BitmapMasks(masks.numpy(), size, size)
        shape = (size, size)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0), batch_input_shape=shape
            )
        )
        sample.gt_instances, sample.ignored_instances = (
            truth,
            InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)),
        )
        samples.append(sample)
    noise = torch.randint(0, 255, (number, 3, size, size), generator=generator)
    return dict(inputs=list(noise.to(torch.uint8)), data_samples=samples)
