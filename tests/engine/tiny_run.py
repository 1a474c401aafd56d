"""A SemCL run small enough for tests: in-memory pairs, a tiny backbone, MMEngine's real loops."""

import os
import random
import uuid

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.hooks import Hook, IterTimerHook, LoggerHook, ParamSchedulerHook
from mmengine.model import BaseDataPreprocessor
from torch import nn
from torch.utils.data import Dataset

from semcl_mm.engine import (
    DeferredRuntimeInfoHook,
    GroupedOptimWrapperConstructor,
    MomentumUpdateHook,
    OneCycle,
    OptimWrapper,
    SafeCheckpointHook,
)
from semcl_mm.losses import PairedInfoNCELoss
from semcl_mm.models import MLPHead, SemCL


class TinyBackbone(nn.Module):
    """(N, 3, H, W) -> ((N, 8, H / 2, W / 2),), with batch norm and the randomness of dropout."""

    def __init__(self, batch_norm: bool = True, dropout: float = 0.1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm1 = nn.BatchNorm2d(8) if batch_norm else nn.GroupNorm(2, 8)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.dropout(self.norm1(self.conv1(images)).relu()),)


class TinyPairs(Dataset):
    """Views that are drawn anew each time, from all three global generators."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> dict:
        base = torch.arange(2 * 3 * 8 * 8).reshape(2, 3, 8, 8).float().add(int(index)).sin()
        noise = random.random() + float(np.random.rand())  # noqa: NPY002
        return {'inputs': [base + noise * torch.randn(2, 3, 8, 8) for _ in range(3)]}


class KillAt(Hook):
    """The process is gone after this many iterations, without a chance to tidy up."""

    priority = 'LOWEST'

    def __init__(self, iteration: int, exit_code: int | None = None) -> None:
        self.iteration = iteration
        self.exit_code = exit_code

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter + 1 == self.iteration:
            if self.exit_code is not None:
                os._exit(self.exit_code)
            raise KeyboardInterrupt


def tiny_model(**options) -> dict:
    model = dict(
        type=SemCL,
        backbone=TinyBackbone(),
        projector=dict(type=MLPHead, in_channels=8, hidden_channels=16, out_channels=6),
        predictor=dict(
            type=MLPHead, in_channels=6, hidden_channels=16, out_channels=6, last_norm=False
        ),
        loss=dict(type=PairedInfoNCELoss),
        data_preprocessor=dict(type=BaseDataPreprocessor),
    )
    return {**model, **options}


def tiny_config(work_dir: str, max_iters: int = 8, **options) -> Config:
    """A config of a whole run; ``options`` replace top-level entries."""
    accumulate = options.pop('accumulate', 1)
    save_every = options.pop('save_every', 3)
    workers = options.pop('workers', 0)
    epochs = options.pop('epochs', None)
    by_epoch = epochs is not None
    config = dict(
        model=tiny_model(backbone=dict(type=TinyBackbone)),
        work_dir=str(work_dir),
        default_scope=None,
        train_dataloader=dict(
            dataset=dict(type=TinyPairs),
            sampler=dict(type=DefaultSampler if by_epoch else InfiniteSampler, shuffle=True),
            collate_fn=dict(type='default_collate'),
            batch_size=3,
            num_workers=workers,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs)
        if by_epoch
        else dict(by_epoch=False, max_iters=max_iters),
        optim_wrapper=dict(
            type=OptimWrapper,
            constructor=GroupedOptimWrapperConstructor,
            optimizer=dict(type=torch.optim.AdamW, lr=0.01, weight_decay=0.1),
            paramwise_cfg=dict(norm_decay_mult=0.0),
            accumulative_counts=accumulate,
            clip_grad=dict(max_norm=1.0),
        ),
        param_scheduler=[dict(type=OneCycle, pct_start=0.5)],
        default_hooks=dict(
            runtime_info=dict(type=DeferredRuntimeInfoHook),
            timer=dict(type=IterTimerHook),
            logger=dict(type=LoggerHook, interval=4),
            param_scheduler=dict(type=ParamSchedulerHook),
            checkpoint=dict(
                type=SafeCheckpointHook, by_epoch=by_epoch, interval=save_every, max_keep_ckpts=2
            ),
        ),
        custom_hooks=[dict(type=MomentumUpdateHook)],
        randomness=dict(seed=0),
        log_level='ERROR',
        # MMEngine's logger and message hub are global, found by this name
        experiment_name=uuid.uuid4().hex,
        env_cfg=dict(mp_cfg=dict(mp_start_method='fork')),
    )
    return Config({**config, **options})


def final_state(work_dir: str, name: str) -> dict:
    """What two equal runs must agree on, bit for bit."""
    checkpoint = torch.load(os.path.join(work_dir, name), weights_only=True)
    histories = checkpoint['message_hub']['histories']
    return {
        'weights': checkpoint['state_dict'],
        'optimizer': checkpoint['optimizer'],
        'scheduler': checkpoint['param_schedulers'],
        'random': [state['random'] for state in checkpoint['run_state']],
        'buffers': [state['buffers'] for state in checkpoint['run_state']],
        'losses': {
            key: histories[f'train/{key}']['values']
            for key in ('loss', 'feature_std', 'grad_norm', 'lr', 'target_momentum')
        },
    }
