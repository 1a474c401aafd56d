"""The wiring of a detector: it must be able to learn eight images by heart."""

import json

import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS


@pytest.mark.slow
def test_a_detector_learns_eight_toy_images_by_heart_boxes_and_masks(
    repository, toy_world, tmp_path
):
    """Wrong labels, boxes in another frame or masks of other objects would keep AP near zero."""
    cfg = Config.fromfile(repository / 'configs/detection/mask-rcnn_r18_toy.py')
    cfg.work_dir, cfg.default_hooks.logger.interval = str(tmp_path), 50
    train, val = cfg.train_dataloader, cfg.val_dataloader
    for loader in (train, val):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(toy_world), indices=8, ann_file=train.dataset.ann_file)
    train.batch_size = 4
    cfg.train_cfg.update(max_iters=240, val_interval=240)
    cfg.optim_wrapper.optimizer.lr = 1e-3
    cfg.param_scheduler[1].milestones = [180, 220]
    RUNNERS.build(cfg).train()
    (record,) = tmp_path.glob('*/record.json')
    metrics = json.loads(record.read_text())['metrics_final']
    assert metrics['AP50box'] > 90
    assert metrics['APbox'] > 60
    assert metrics['AP50mask'] > 80
