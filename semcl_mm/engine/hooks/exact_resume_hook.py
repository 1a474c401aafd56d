"""Carry the state of the run through a checkpoint, and keep validation out of it."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import set_random_seed

from semcl_mm.distributed import rank, world_size
from semcl_mm.engine.run_state import (
    plain_message_hub,
    random_state,
    restore_buffers,
    restore_gradients,
    restore_message_hub,
    restore_random_state,
)
from semcl_mm.registry import HOOKS

__all__ = ['ExactResumeHook']


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a killed and resumed run equal an unbroken one; the runner registers it itself.

    All processes build and initialise the model from one seed, so that it is the same everywhere.
    From the first training step on, process r draws from seed + r: rolls, dropped paths and drawn
    pixels of the processes differ.

    Before the first iteration after a resume it restores the random generators of each process
    and gradients that were accumulated but not yet used. Validation gets the generators as they
    are and gives them back: how often a run validates does not change what it learns.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._resumed_states: list[dict] | None = None
        self._before_validation: dict | None = None

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Add the state of all processes, which the runner has gathered."""
        checkpoint['message_hub'] = plain_message_hub(checkpoint['message_hub'])
        checkpoint['run_state'] = runner.gathered_states

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the states for the first iteration."""
        if 'message_hub' in checkpoint:
            checkpoint['message_hub'] = restore_message_hub(checkpoint['message_hub'])
        self._resumed_states = checkpoint.get('run_state')
        if runner.resumed:
            runner.optim_wrapper.gradients_come_back = self._holds_gradients(runner)

    def _holds_gradients(self, runner) -> bool:
        states = self._resumed_states
        if states is None or len(states) != world_size():
            return False
        counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        own = states[rank()]
        return own['gradients'] is not None and own.get('accumulative_counts') == counts

    def before_train(self, runner) -> None:
        """Give each process but the first a stream of its own; what is resumed replaces it."""
        if rank() and not runner._randomness_cfg.get('diff_rank_seed'):  # else it has one already
            set_random_seed(runner.seed + rank())

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Restore, once."""
        states, self._resumed_states = self._resumed_states, None
        if states is None or not runner.resumed:
            return
        if len(states) != world_size():
            runner.logger.warning(
                f'the checkpoint was written by {len(states)} processes and is resumed by '
                f'{world_size()}: random numbers and the order of the data differ from here on'
            )
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        own = states[rank()]
        restore_buffers(model, own['buffers'])
        restore_gradients(model, own['gradients'])
        restore_random_state(own['random'])

    def before_val(self, runner) -> None:
        """Remember the generators."""
        self._before_validation = random_state()

    def after_val(self, runner) -> None:
        """Put them back."""
        if self._before_validation is not None:
            restore_random_state(self._before_validation)
            self._before_validation = None
