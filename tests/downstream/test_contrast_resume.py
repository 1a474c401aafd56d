"""A killed and resumed run with pixel contrast is the unbroken run: weights, memory, chance."""

import uuid

import pytest
import torch
from contrast_models import CONTRAST, MEMORY, RESNET, SIZE, fcn, samples_of
from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.optim import PolyLR
from mmseg.models import SegDataPreProcessor
from torch.utils.data import Dataset

from semcl_mm.downstream import ContrastEncoderDecoder
from semcl_mm.engine import OptimWrapper, Runner, SafeCheckpointHook


class Scenes(Dataset):
    """Images whose labels do not change, under noise that is drawn anew each time."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        labels = torch.arange(SIZE)[:, None] // 8 * 3 + torch.arange(SIZE) // 16 + int(index)
        (sample,) = samples_of(labels[None] % 5, first=int(index))
        sample.gt_sem_seg.data[sample.gt_sem_seg.data == 4] = 255
        image = labels[None].expand(3, -1, -1) * 20 % 256 + 5 * torch.randn(3, SIZE, SIZE)
        return dict(inputs=image, data_samples=sample)


class KillAt(Hook):
    priority = 'LOWEST'

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, *_, **__):
        if runner.iter + 1 == self.iteration:
            raise KeyboardInterrupt


def run(work_dir, memory, kill_at=None, resume=False):
    model = dict(
        type=ContrastEncoderDecoder,
        backbone=RESNET,
        decode_head=fcn(dropout_ratio=0.1),
        contrast_head=CONTRAST
        | dict(memory=memory, warmup_iters=2, loss=dict(num_positives=3, num_negatives=4)),
        data_preprocessor=dict(type=SegDataPreProcessor, size=(SIZE, SIZE)),
        test_cfg=dict(mode='whole'),
    )
    loader = dict(
        dataset=dict(type=Scenes),
        sampler=dict(type=InfiniteSampler, shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
        batch_size=2,
        num_workers=0,
    )
    config = dict(
        model=model,
        work_dir=str(work_dir),
        default_scope=None,
        train_dataloader=loader,
        train_cfg=dict(by_epoch=False, max_iters=7),
        optim_wrapper=dict(type=OptimWrapper, optimizer=dict(type=torch.optim.SGD, lr=0.1)),
        param_scheduler=[dict(type=PolyLR, eta_min=0.0, by_epoch=False, end=7)],
        default_hooks=dict(checkpoint=dict(type=SafeCheckpointHook, by_epoch=False, interval=3)),
        custom_hooks=[dict(type=KillAt, iteration=kill_at)] if kill_at else [],
        randomness=dict(seed=0),
        log_level='ERROR',
        experiment_name=uuid.uuid4().hex,
        resume=resume,
    )
    runner = Runner.from_cfg(Config(config))
    try:
        runner.train()
    except KeyboardInterrupt:
        assert runner.iter + 1 == kill_at
    return runner


@pytest.mark.parametrize('kind', ['both', 'pixel'])
def test_a_killed_and_resumed_run_equals_the_unbroken_one(tmp_path, kind):
    memory = MEMORY | dict(memory=kind, pixels_per_class=25)
    run(tmp_path / 'unbroken', memory)
    run(tmp_path / 'broken', memory, kill_at=5)
    assert (tmp_path / 'broken' / 'iter_3.pth').is_file()
    run(tmp_path / 'broken', memory, resume=True)
    one, two = (
        torch.load(tmp_path / name / 'iter_7.pth', weights_only=True)
        for name in ('unbroken', 'broken')
    )
    assert one['state_dict']['contrast_head.memory.pixel_filled'].min() > 0
    assert one['state_dict']['contrast_head.calls'] == 7
    assert one['state_dict'].keys() == two['state_dict'].keys()
    for key, value in one['state_dict'].items():
        assert torch.equal(value, two['state_dict'][key]), key
    states = [checkpoint['run_state'][0]['random']['torch'] for checkpoint in (one, two)]
    assert torch.equal(*states)
