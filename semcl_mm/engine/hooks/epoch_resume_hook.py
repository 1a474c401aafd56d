"""Resuming an epoch-based run in the middle of an epoch."""

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from semcl_mm.registry import HOOKS

__all__ = ['EpochResumeHook']


@HOOKS.register_module()
class EpochResumeHook(Hook):
    """Skip what an interrupted epoch has already trained on.

    MMEngine fast-forwards the sampler of an iteration-based loop only: an epoch-based run that
    resumes from ``iter_*.pth`` would start its epoch again, and end it too late. Needs a sampler
    with ``skip``, such as :class:`semcl_mm.datasets.PairSampler` with ``infinite=False``.
    """

    priority = 'NORMAL'

    def before_train_epoch(self, runner: Runner) -> None:
        """Move the sampler to the first sample that was not seen."""
        loop = runner.train_loop
        if not isinstance(loop, EpochBasedTrainLoop):
            return
        seen = runner.iter - runner.epoch * len(loop.dataloader)
        if seen <= 0:
            return
        sampler = loop.dataloader.sampler
        if not hasattr(sampler, 'skip') or loop.dataloader.batch_size is None:
            runner.logger.warning(
                f'{type(sampler).__name__} cannot skip: epoch {runner.epoch} starts again '
                f'although {seen} of its {len(loop.dataloader)} iterations are done'
            )
            return
        sampler.skip(seen * loop.dataloader.batch_size)
