"""PixCon's published recipe, shrunk: an epoch-based run on views that is killed and goes on."""

import uuid
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.models import ResNet
from tiny_run import KillAt

from semcl_mm.engine import OptimWrapper, Runner

LEAF = Path(__file__).resolve().parents[2] / 'configs' / 'pixcon' / 'pixcon-sr_r50_coco.py'


def shrunk(work_dir, photos, **options):
    """The leaf with a narrow network, 18 photos in batches of 4, two epochs of four updates."""
    cfg = Config.fromfile(LEAF)
    narrow = dict(hidden_channels=16, out_channels=8)
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(
                    _delete_=True,
                    type=ResNet,
                    depth=18,
                    stem_channels=8,
                    base_channels=8,
                    out_indices=(3,),
                ),
                projector=dict(in_channels=64, **narrow),
                predictor=dict(in_channels=8, **narrow),
                dense_projector=dict(in_channels=64, **narrow),
                dense_predictor=dict(in_channels=8, **narrow),
                queue_size=16,
            ),
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                persistent_workers=False,
                dataset=dict(images=dict(data_root=str(photos)), size=64),
            ),
            train_cfg=dict(max_epochs=2),
            optim_wrapper=dict(
                _delete_=True, type=OptimWrapper, optimizer=dict(type=torch.optim.SGD, lr=0.1)
            ),
            default_hooks=dict(checkpoint=dict(interval=3)),
            work_dir=str(work_dir),
            experiment_name=uuid.uuid4().hex,
            log_level='ERROR',
            **options,
        )
    )
    cfg.param_scheduler[0].end = 5
    return cfg


@pytest.fixture
def photos(tmp_path, toy_world):
    """The toy world's training scenes, in a folder of their own."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    for stem in (toy_world / 'ImageSets/Segmentation/train.txt').read_text().split():
        (folder / f'{stem}.jpg').symlink_to(toy_world / f'JPEGImages/{stem}.jpg')
    return folder


def test_a_run_killed_within_an_epoch_ends_as_an_unbroken_one(tmp_path, photos):
    """Weights, queues, target, the coin's generator, learning rates: all of the last checkpoint."""
    whole = Runner.from_cfg(shrunk(tmp_path / 'whole', photos))
    whole.train()
    assert whole.iter == 8
    cfg = shrunk(tmp_path / 'broken', photos)
    cfg.custom_hooks.append(dict(type=KillAt, iteration=7))
    broken = Runner.from_cfg(cfg)
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    resumed = Runner.from_cfg(shrunk(tmp_path / 'broken', photos, resume=True))
    resumed.train()
    assert resumed.iter == 8
    expected, found = whole.model.state_dict(), resumed.model.state_dict()
    assert any(name.startswith('queues.') for name in expected)
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    rates = [runner.optim_wrapper.get_lr()['lr'] for runner in (whole, resumed)]
    assert rates[0] == rates[1]
