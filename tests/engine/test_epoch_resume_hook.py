"""An epoch-based run that is killed within an epoch sees the rest of it, and nothing twice."""

import pytest
import torch
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.optim import SGD
from torch.utils.data import Dataset

from semcl_mm.datasets.samplers import PairSampler
from semcl_mm.engine.hooks import EpochResumeHook


class Draws(Dataset):
    """The draws themselves, as tensors."""

    def __len__(self):
        return 11

    def __getitem__(self, draw):
        return torch.tensor(draw)


class Witness(BaseModel):
    """A model that notes every batch it is trained on."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def forward(self, *draws, mode='loss'):
        self.seen.append([draw.tolist() for draw in draws])
        return dict(loss=self.weight * 1.0)


def trained(work_dir, resume=None):
    runner = Runner(
        model=Witness(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Draws(),
            sampler=dict(type=PairSampler, infinite=False),
            batch_size=2,
            num_workers=0,
            drop_last=True,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(optimizer=dict(type=SGD, lr=0.1)),
        default_hooks=dict(checkpoint=dict(type=CheckpointHook, interval=7, by_epoch=False)),
        custom_hooks=[dict(type=EpochResumeHook)],
        load_from=resume,
        resume=resume is not None,
        randomness=dict(seed=0),
        default_scope=None,
        experiment_name=f'epochs-{work_dir.name}',
        log_level='ERROR',
    )
    runner.train()
    assert runner.iter == 15
    return runner.model.seen


def test_an_epoch_goes_on_where_it_was_interrupted(tmp_path):
    whole = trained(tmp_path / 'whole')
    assert len(whole) == 3 * 5
    resumed = trained(tmp_path / 'resumed', resume=str(tmp_path / 'whole' / 'iter_7.pth'))
    assert resumed == whole[7:]


@pytest.mark.parametrize('iteration', [14])
def test_the_last_epoch_is_cut_as_well(tmp_path, iteration):
    whole = trained(tmp_path / 'whole')
    checkpoint = str(tmp_path / 'whole' / f'iter_{iteration}.pth')
    assert trained(tmp_path / 'resumed', resume=checkpoint) == whole[iteration:]
