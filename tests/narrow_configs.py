"""Any config but a detector's at an eighth of its width, and steps of its training without data."""

import functools

import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from semcl_mm.registry import MODELS

CROP = 64
# Entries of a model that count channels. All are divided alike, so that what fits in the config
# fits here, and what does not, does not.
WIDTHS = {
    'base_channels',
    'stem_channels',
    'num_channels',
    'in_channels',
    'channels',
    'ocr_channels',
    'embed_dims',
    'dim',
    'embed_dim',
    'hidden_channels',
    'out_channels',
}
SMALLER = {
    'depth': 50,
    'num_modules': 1,
    'warmup_iters': 0,
    'anchors_per_class': 4,
    'min_pixels': 2,
    'num_positives': 8,
    'num_negatives': 16,
    'num_images': 8,
    'pixels_per_class': 20,
    'size': (CROP, CROP),
    'img_size': CROP,
    'queue_size': 64,
}
# What an architecture that a config calls by its name is made of: width and heads.
SWIN = {
    'tiny': (96, (3, 6, 12, 24)),
    'small': (96, (3, 6, 12, 24)),
    'base': (128, (4, 8, 16, 32)),
    'large': (192, (6, 12, 24, 48)),
}
DEIT = {'deit-tiny': (192, 3), 'deit-small': (384, 6), 'deit-base': (768, 12)}


def narrow_model(cfg, factor=8):
    """The model of a config: narrow, shallow, for crops of 64 x 64, small memory and queues."""
    model = ConfigDict(cfg.model.to_dict())
    arch = str(model.backbone.get('arch'))
    if 'depth' in model.backbone:  # ResNet; its defaults are not in the config
        model.backbone = dict(base_channels=64, stem_channels=64) | model.backbone
    elif arch in SWIN:
        width, heads = SWIN[arch]
        model.backbone.arch = dict(embed_dims=width, depths=[1, 1, 1, 1], num_heads=list(heads))
    elif arch in DEIT:
        width, heads = DEIT[arch]
        model.backbone.arch = dict(
            embed_dims=width, num_layers=12, num_heads=heads, feedforward_channels=32
        )
    _shrink(model, factor)
    return model


def _shrink(node, factor):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key in WIDTHS and value != 3:
            node[key] = [v // factor for v in value] if _many(value) else value // factor
        elif key in SMALLER and not (key == 'depth' and value < SMALLER[key]):
            node[key] = SMALLER[key]
        elif key in ('num_blocks', 'num_layers') and _many(value):
            node[key] = [1] * len(value)
        elif isinstance(value, dict) or (_many(value) and any(isinstance(v, dict) for v in value)):
            _shrink(value, factor)


def _many(value):
    return isinstance(value, (list, tuple))


def batch(num_classes, seed=0):
    """Two images of random squares, a fifth of them ignored, as a data loader gives them."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (2, 3, CROP, CROP), generator=generator, dtype=torch.uint8)
    labels = torch.randint(min(num_classes, 4), (2, CROP // 8, CROP // 8), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = 255
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return _packed(images, [dict(gt_sem_seg=PixelData(data=label[None])) for label in labels])


def depth_batch(max_depth, seed=0):
    """Two images with depths up to 0.9 of the range, three tenths of them unknown."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (2, 3, CROP, CROP), generator=generator, dtype=torch.uint8)
    depth = 0.1 + 0.8 * max_depth * torch.rand(2, 1, CROP, CROP, generator=generator)
    depth[torch.rand(depth.shape, generator=generator) < 0.3] = 0
    return _packed(images, [dict(gt_depth_map=PixelData(data=truth)) for truth in depth])


def _packed(images, truths):
    shape = (CROP, CROP)
    samples = []
    for number, truth in enumerate(truths):
        meta = dict(img_shape=shape, ori_shape=shape, pad_shape=shape, img_path='a.png')
        samples.append(SegDataSample(metainfo=dict(meta, sample_idx=number)))
        samples[-1].set_data(truth)
    return dict(inputs=list(images), data_samples=samples)


def build_to_watch(model_config):
    """A model and the names of its trained parameters that no gradient has reached yet.

    One that is left after a step would stop a distributed run.
    """
    torch.manual_seed(0)
    model = MODELS.build(model_config)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    without = set(trained)
    for name, parameter in trained.items():
        parameter.register_post_accumulate_grad_hook(lambda _, name=name: without.discard(name))
    return model, without


def train_and_predict(cfg, steps=2):
    """Train a narrow segmentor or depth estimator for some steps with its own optimiser; predict.

    Returns:
        The model in evaluation mode, the losses of the last step, predictions of a batch, and
        names of trained parameters that no gradient reached.
    """
    model, without = build_to_watch(narrow_model(cfg))
    optimiser = build_optim_wrapper(model, cfg.optim_wrapper)
    made = (
        functools.partial(depth_batch, cfg.max_depth)
        if 'max_depth' in cfg
        else functools.partial(batch, model.num_classes)
    )
    for step in range(steps):
        losses = model.train_step(made(step), optimiser)
    model.eval()
    with torch.no_grad():
        predictions = model.test_step(made(steps))
    return model, losses, predictions, without
