"""Watching the features changes nothing: with and without the hook, every bit is the same."""

import contextlib
import random

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from test_exact_resume import assert_equal
from tiny_run import TinyBackbone, final_state, tiny_model
from torch.utils.data import Dataset

from semcl_mm.engine import AmpOptimWrapper, FeatureMonitorHook, MomentumUpdateHook
from semcl_mm.engine.run_state import random_state
from semcl_mm.engine.undisturbed import undisturbed


class Careless(Dataset):
    """Labelled images from a data set that draws from, and reseeds, every global generator."""

    metainfo = dict(classes=('a', 'b', 'c'))

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict:
        random.seed(index)
        np.random.seed(index)  # noqa: NPY002
        torch.manual_seed(index)
        image = torch.randint(256, (3, 32, 32), dtype=torch.uint8)
        labels = torch.randint(3, (1, 32, 32))
        return dict(inputs=image, data_samples=SegDataSample(gt_sem_seg=PixelData(data=labels)))


def monitor(**options) -> dict:
    return (
        dict(
            type=FeatureMonitorHook,
            train=dict(type=Careless),
            val=dict(type=Careless),
            interval=2,
            val_images=3,
        )
        | options
    )


def whole_state(work_dir, name: str) -> tuple[dict, dict]:
    """All that the last checkpoint holds of the training, and the numbers of the monitor."""
    checkpoint = torch.load(work_dir / name, weights_only=True)
    histories = checkpoint['message_hub']['histories']
    seen = {key: value for key, value in histories.items() if 'monitor/' in key}
    return final_state(work_dir, name), seen


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(encoder='target_backbone', protocols=['knn']),
        dict(accumulate=2, save_every=3),
        dict(amp=True),
    ],
    ids=['plain', 'target', 'mid-accumulation', 'autocast'],
)
def test_a_run_that_is_watched_is_the_run_that_is_not(tmp_path, train, options):
    options = dict(options)
    amp = options.pop('amp', False)
    names = ('encoder', 'protocols')
    hook = monitor(**{key: options.pop(key) for key in names if key in options})
    if amp:
        options['optim_wrapper'] = dict(
            type=AmpOptimWrapper,
            dtype='bfloat16',
            optimizer=dict(type=torch.optim.SGD, lr=0.01),
            clip_grad=dict(max_norm=1.0),
        )
    train(tmp_path / 'alone', max_iters=6, **options)
    train(tmp_path / 'watched', max_iters=6, custom_hooks=[dict(type=MomentumUpdateHook), hook],
          **options)  # fmt: skip
    (alone, none), (watched, seen) = (
        whole_state(tmp_path / name, 'iter_6.pth') for name in ('alone', 'watched')
    )
    assert_equal(alone, watched)
    assert not none
    assert len(seen['train/monitor/knn_mIoU']['values']) == 4  # before, and after 2, 4 and 6


def test_a_watched_run_that_is_killed_and_resumed_shows_the_same_numbers(tmp_path, train):
    hooks = dict(custom_hooks=[dict(type=MomentumUpdateHook), monitor()])
    train(tmp_path / 'unbroken', **hooks)
    train(tmp_path / 'broken', kill_at=5, **hooks)
    train(tmp_path / 'broken', resume=True, **hooks)
    states = [whole_state(tmp_path / name, 'iter_8.pth') for name in ('unbroken', 'broken')]
    assert_equal(*states)
    assert {key.rsplit('/')[-1] for key in states[0][1]} >= {
        *('knn_mIoU', 'knn_accuracy', 'linear_mIoU', 'feature_std', 'effective_rank'),
    }


def test_without_the_guard_the_watched_run_would_be_another(tmp_path, train, monkeypatch):
    """The comparison above can fail."""
    from semcl_mm.engine.hooks import feature_monitor_hook

    monkeypatch.setattr(feature_monitor_hook, 'undisturbed', contextlib.nullcontext)
    train(tmp_path / 'alone', max_iters=4, save_every=4)
    train(tmp_path / 'watched', max_iters=4, save_every=4,
          custom_hooks=[dict(type=MomentumUpdateHook), monitor()])  # fmt: skip
    states = [final_state(tmp_path / name, 'iter_4.pth') for name in ('alone', 'watched')]
    for part in ('weights', 'random'):
        with pytest.raises(AssertionError):
            assert_equal(states[0][part], states[1][part])


def look_carelessly(backbone, images) -> None:
    with undisturbed(backbone) as watched:
        assert not any(part.training for part in watched.modules())
        assert not torch.is_grad_enabled()
        watched.train()  # what a careless protocol might do
        watched(images)
        random.random()
        np.random.rand()  # noqa: NPY002
        raise RuntimeError('within')


def test_flags_buffers_and_generators_are_put_back_even_after_an_error():
    """Each module has its own flag back: a norm that was frozen is not woken up."""
    backbone = TinyBackbone(dropout=0.5).train()
    backbone.norm1.eval()
    images = torch.randn(2, 3, 8, 8)
    before, buffers = random_state(), {k: v.clone() for k, v in backbone.named_buffers()}
    with pytest.raises(RuntimeError, match='within'):
        look_carelessly(backbone, images)
    assert_equal(random_state(), before)
    assert_equal(dict(backbone.named_buffers()), buffers)
    assert (backbone.training, backbone.dropout.training, backbone.norm1.training) == (
        *(True, True, False),
    )
    assert torch.is_grad_enabled()


def test_bad_arguments_and_a_model_without_the_encoder_are_named(tmp_path, train):
    bad = dict(interval=0, neighbours=0, protocols=['svm'], temperature=0)
    for name, value in bad.items():
        with pytest.raises(ValueError, match=name):
            FeatureMonitorHook(Careless(), Careless(), **{name: value})
    hook = monitor(encoder='teacher')
    with pytest.raises(ValueError, match="SemCL has no 'teacher'"):
        train(tmp_path, custom_hooks=[hook], model=tiny_model(backbone=dict(type=TinyBackbone)))
