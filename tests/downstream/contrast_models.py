"""Every usual segmentor at toy width, with a contrast head and without, and a batch for it."""

import copy

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmpretrain.models import ResNet
from mmseg.models import (
    ASPPHead,
    CascadeEncoderDecoder,
    CrossEntropyLoss,
    EncoderDecoder,
    FCNHead,
    HRNet,
    OCRHead,
    SegformerHead,
    UPerHead,
)
from mmseg.structures import SegDataSample

from semcl_mm.downstream import (
    ContrastCascadeEncoderDecoder,
    ContrastEncoderDecoder,
    PixelContrastHead,
)
from semcl_mm.registry import MODELS

CLASSES, SIZE = 4, 64
BN = dict(type='BN')
RESNET = dict(
    type=ResNet, depth=18, stem_channels=8, base_channels=8, out_indices=(0, 1, 2, 3), norm_cfg=BN
)
WIDTHS = [8, 16, 32, 64]
BRANCHES = dict(in_channels=[4, 8, 16, 32], in_index=[0, 1, 2, 3])
CONCATENATED = dict(input_transform='resize_concat', **BRANCHES)
HRNET_EXTRA = {
    f'stage{stage}': dict(
        num_modules=1,
        num_branches=max(stage, 1),
        block='BOTTLENECK' if stage == 1 else 'BASIC',
        num_blocks=(1,) * stage,
        num_channels=(4, 8, 16, 32)[:stage] if stage > 1 else (4,),
    )
    for stage in (1, 2, 3, 4)
}
HRNET = dict(type=HRNet, extra=HRNET_EXTRA, norm_cfg=BN)
MEMORY = dict(num_images=6, pixels_per_class=40)


def head(kind, **settings):
    loss = dict(type=CrossEntropyLoss, use_sigmoid=settings.get('out_channels') == 1)
    defaults = dict(channels=8, num_classes=CLASSES, dropout_ratio=0, norm_cfg=BN)
    return dict(type=kind, loss_decode=loss) | defaults | settings


def fcn(**settings):
    return head(FCNHead, **dict(in_channels=32, in_index=2, num_convs=1) | settings)


CONTRAST = dict(
    type=PixelContrastHead, in_channels=64, in_index=3, num_classes=CLASSES, dim=8, memory=MEMORY
)
EVERY_STAGE = dict(in_channels=WIDTHS, in_index=[0, 1, 2, 3])
OCR = [fcn(), head(OCRHead, in_channels=32, in_index=2, ocr_channels=8)]
SEGMENTORS = {
    'fcn': dict(decode_head=fcn()),
    'upernet': dict(
        decode_head=head(UPerHead, pool_scales=(1, 2), **EVERY_STAGE), auxiliary_head=fcn()
    ),
    'deeplabv3': dict(
        decode_head=head(ASPPHead, in_channels=64, in_index=3, dilations=(1, 2)),
        auxiliary_head=[fcn()],
    ),
    'segformer': dict(decode_head=head(SegformerHead, **EVERY_STAGE)),
    'ocr': dict(decode_head=OCR, num_stages=2),
    'hrnet': dict(
        backbone=HRNET, decode_head=fcn(**CONCATENATED), contrast_head=CONTRAST | BRANCHES
    ),
    'ocr on hrnet': dict(
        backbone=HRNET,
        decode_head=[fcn(**CONCATENATED), head(OCRHead, ocr_channels=8, **CONCATENATED)],
        contrast_head=CONTRAST | BRANCHES,
        num_stages=2,
    ),
}


def build(name='fcn', plain=False, **contrast):
    settings = dict(backbone=RESNET, test_cfg=ConfigDict(mode='whole')) | SEGMENTORS[name]
    cascade = 'num_stages' in settings
    if plain:
        settings.pop('contrast_head', None)
        kind = CascadeEncoderDecoder if cascade else EncoderDecoder
    else:
        settings['contrast_head'] = settings.get('contrast_head', CONTRAST) | contrast
        kind = ContrastCascadeEncoderDecoder if cascade else ContrastEncoderDecoder
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(dict(type=kind) | settings))


def batch(images=2, seed=0):
    """Images, and samples with 8 x 8 squares of one class; some of them ignored."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(images, 3, SIZE, SIZE, generator=generator)
    labels = torch.randint(CLASSES + 1, (images, SIZE // 8, SIZE // 8), generator=generator)
    labels = labels.where(labels < CLASSES, 255)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return inputs, samples_of(labels, first=images * seed)


def samples_of(labels, first=0):
    shape = tuple(labels.shape[-2:])
    meta = dict(img_shape=shape, ori_shape=shape, pad_shape=shape)
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=label[None]), metainfo=meta | dict(sample_idx=first + i)
        )
        for i, label in enumerate(labels)
    ]


def stack(samples):
    return torch.stack([sample.gt_sem_seg.data[0] for sample in samples])
