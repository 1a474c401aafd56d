"""MMEngine's runner, for any number of GPUs or CPU processes, with checkpoints to rely on."""

import os
from collections.abc import Callable, Mapping

import torch
from mmengine.evaluator import Evaluator
from mmengine.model import (
    BaseTTAModel,
    MMDistributedDataParallel,
    is_model_wrapper,
    revert_sync_batchnorm,
)
from mmengine.runner import BaseLoop, EpochBasedTrainLoop
from mmengine.runner import Runner as BaseRunner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from torch import distributed, nn
from torch.utils.data import DataLoader

from semcl_mm.checkpoint import CheckpointError, UnreadableCheckpoint, load_backbone, load_file
from semcl_mm.engine.batch_size import batch_size_named
from semcl_mm.engine.data_paths import require_data_paths
from semcl_mm.engine.hooks.exact_resume_hook import ExactResumeHook
from semcl_mm.engine.launch import init_distributed
from semcl_mm.engine.memory_layout import to_channels_last
from semcl_mm.engine.resume import (
    checkpoints_newest_first,
    nothing_to_resume,
    replace_when_complete,
    require_fit,
    require_writable,
)
from semcl_mm.engine.run_state import (
    accumulated_gradients,
    gather_on_main,
    own_buffers,
    random_state,
)
from semcl_mm.engine.schedulers import OneCycle, fit_warm_up
from semcl_mm.engine.seeded_data import seed_samples
from semcl_mm.registry import RUNNERS

__all__ = ['Runner']

_NEEDED_TO_RESUME = ('meta', 'state_dict', 'optimizer', 'message_hub')


@RUNNERS.register_module()
class Runner(BaseRunner):
    """The runner of every config (``runner_type = Runner``).

    What it adds to MMEngine's:

    - launchers ``pytorch``, ``slurm`` and ``mpi`` work on a machine without GPUs, over gloo;
    - the config key ``pretrained = dict(checkpoint=…, allow_partial=False, trust=False)``
      initialises ``model.backbone`` through the checkpoint bridge, then the target encoder;
    - a resumed run equals an unbroken one: place in the data, random numbers of each process,
      accumulated gradients; a sample's augmentation depends on its place in the run alone;
    - checkpoints are written whole or not at all; ``resume=True`` falls back to the one before
      where the last is damaged, and says so;
    - an unwritable work dir, or a checkpoint that does not fit, stops with one message;
    - ``auto_scale_lr`` counts accumulated batches;
    - the config key ``channels_last=True`` lays convolution weights out as NHWC, and with them
      the feature maps: the same mathematics, often faster for convolutional networks.

    Config keys of MMEngine that stay as they are: ``sync_bn``, ``find_unused_parameters``,
    ``model_wrapper_cfg``, ``compile`` (torch.compile of the training step),
    ``activation_checkpointing``, ``auto_scale_lr``.
    """

    def __init__(self, model: nn.Module | dict, work_dir: str, *args, **kwargs) -> None:
        require_writable(work_dir)
        self.resumed = False
        self.resumed_from: str | None = None
        self.gathered_states: list[dict] | None = None
        super().__init__(model, work_dir, *args, **kwargs)

    def train(self) -> nn.Module:
        """Train, and validate where the config says so.

        Raises:
            FileNotFoundError: A folder or list of a data set is not there; with its key.
            ValueError: A batch is too small for the network's batch norm; with the key.
        """
        self._require_data('train')
        self._require_data('val')
        with batch_size_named(self._train_dataloader):
            return super().train()

    def test(self) -> dict[str, float]:
        """Test; raises ``FileNotFoundError`` as :meth:`train` does."""
        self._require_data('test')
        return super().test()

    def _require_data(self, split: str) -> None:
        loader = getattr(self, f'_{split}_dataloader')
        if isinstance(loader, Mapping):
            require_data_paths(loader.get('dataset'), f'{split}_dataloader.dataset')

    # -- start -------------------------------------------------------------------------------

    def setup_env(self, env_cfg: dict) -> None:
        """Join the process group by our launcher, then let MMEngine do the rest."""
        if self.distributed and not distributed.is_initialized():
            init_distributed(self._launcher, **env_cfg.get('dist_cfg', {}))
        super().setup_env(env_cfg)

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model; an unknown key of its config is the user's error."""
        try:
            return super().build_model(model)
        except TypeError as error:
            if 'unexpected keyword argument' not in str(error):
                raise
            raise ValueError(f'config key model: {error}') from error

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap for distributed training; on the CPU without device numbers and without SyncBN.

        Raises:
            ValueError: ``channels_last`` for a model with operators that cannot read it.
        """
        if self.cfg.get('channels_last'):
            model = to_channels_last(model)
        on_gpu = torch.cuda.is_available()
        if on_gpu or not self.distributed or model_wrapper_cfg or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        if self.cfg.get('sync_bn') and self.world_size > 1:
            self.logger.warning(
                'SyncBN needs GPUs: batch norm uses the statistics of each CPU process'
            )
        return MMDistributedDataParallel(
            module=revert_sync_batchnorm(model),
            broadcast_buffers=False,
            find_unused_parameters=self.cfg.get('find_unused_parameters', False),
        )

    def register_hooks(self, default_hooks=None, custom_hooks=None) -> None:
        """Register the config's hooks and the one that resuming depends on."""
        super().register_hooks(default_hooks, custom_hooks)
        self.register_hook(ExactResumeHook())

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a loader whose samples are seeded by their place in the run."""
        if not isinstance(dataloader, DataLoader) and seed is not None:
            dataloader = seed_samples(dataloader, seed, diff_rank_seed)
        return BaseRunner.build_dataloader(dataloader, seed, diff_rank_seed)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop; an epoch without a batch would end at once, as a success.

        Raises:
            ValueError: The data set is smaller than a batch, and such batches are dropped.
        """
        built = super().build_train_loop(loop)
        loader = built.dataloader
        if isinstance(built, EpochBasedTrainLoop) and not len(loader):
            raise ValueError(
                f'train_dataloader: {len(loader.dataset)} samples for {self.world_size} '
                f'process(es) make no batch of batch_size={loader.batch_size} '
                '(drop_last=True): choose a smaller one, or more data'
            )
        return built

    def build_evaluator(self, evaluator: object) -> Evaluator:
        """Metrics that write files below the work dir are told where it is."""
        built = super().build_evaluator(evaluator)
        for metric in built.metrics:
            if hasattr(metric, 'set_work_dir'):
                metric.set_work_dir(self.work_dir)
        return built

    def scale_lr(self, optim_wrapper, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate by the batch of an update, accumulated batches included."""
        if auto_scale_lr and auto_scale_lr.get('enable'):
            base = auto_scale_lr['base_batch_size'] / optim_wrapper._accumulative_counts
            auto_scale_lr = dict(auto_scale_lr, base_batch_size=base)
        super().scale_lr(optim_wrapper, auto_scale_lr)

    def _build_param_scheduler(self, scheduler, optim_wrapper) -> list:
        configs = scheduler if isinstance(scheduler, (list, tuple)) else [scheduler]
        for config in configs:
            if isinstance(config, dict) and config.get('type') in (OneCycle, OneCycle.__name__):
                config.setdefault('by_epoch', False)  # MMEngine then passes max_iters as its end
        length = getattr(self.train_loop, 'max_iters', None)
        fitted = fit_warm_up(configs, length)
        if fitted is not configs:
            self.logger.warning(
                f'param_scheduler: the warm-up does not fit a run of {length} iterations '
                '(train_cfg.max_iters) and is shortened'
            )
        return super()._build_param_scheduler(fitted, optim_wrapper)

    def _init_model_weights(self) -> None:
        """Initialise, then load ``pretrained``, unless a checkpoint is about to replace it all."""
        model = self._unwrapped_model
        if self.cfg.get('channels_last'):  # random numbers come in the order of memory
            model.to(memory_format=torch.contiguous_format)
            super()._init_model_weights()
            to_channels_last(model)
        else:
            super()._init_model_weights()
        pretrained = self.cfg.get('pretrained')
        if self._will_resume():
            return
        if not pretrained:
            if not self._load_from and _starts_at_random(model):
                self.logger.warning(
                    'the backbone starts from random weights; --pretrained CKPT gives it others'
                )
            return
        load_backbone(  # logs what it did
            model.backbone,
            pretrained['checkpoint'],
            allow_partial=pretrained.get('allow_partial', False),
            trust=pretrained.get('trust', False),
        )
        if hasattr(model, 'reset_target'):
            model.reset_target()

    @property
    def _unwrapped_model(self) -> nn.Module:
        model = self.model.module if is_model_wrapper(self.model) else self.model
        return model.module if isinstance(model, BaseTTAModel) else model

    # -- checkpoints -------------------------------------------------------------------------

    def save_checkpoint(self, out_dir: str, filename: str, *args, **kwargs) -> None:
        """Write a checkpoint whole or not at all. Every process must call this.

        See MMEngine for the arguments.
        """
        self.call_hook('flush_scalars')
        self.gathered_states = gather_on_main(
            {
                'random': random_state(),
                'gradients': accumulated_gradients(self._unwrapped_model, self.optim_wrapper),
                'accumulative_counts': getattr(self.optim_wrapper, '_accumulative_counts', 1),
                'buffers': own_buffers(self._unwrapped_model),
            }
        )
        if '://' in out_dir:  # object stores put whole objects
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
        else:
            with replace_when_complete(os.path.join(out_dir, filename)) as part:
                super().save_checkpoint(out_dir, part.name, *args, **kwargs)
        self.gathered_states = None

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = False,
        revise_keys: list[tuple[str, str]] = [(r'^module.', '')],  # noqa: B006 - MMEngine's
    ) -> dict:
        """Load a checkpoint without running code, and check what it covers.

        Raises:
            CheckpointError: The file is damaged or unsafe, or belongs to another model.
        """
        if '://' in str(filename):
            return super().load_checkpoint(filename, map_location, strict, revise_keys)
        checkpoint = dict(load_file(filename, trust=self.cfg.get('trust_checkpoint', False)))
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        if self.resumed:
            missing = [key for key in _NEEDED_TO_RESUME if key not in checkpoint]
            if missing:
                raise CheckpointError(
                    f'{filename} cannot be resumed: it lacks {", ".join(missing)}. '
                    'To start a new run from its weights use --pretrained'
                )
        model, state = self._unwrapped_model, checkpoint.get('state_dict', checkpoint)
        training = isinstance(self._train_loop, BaseLoop) and not self.resumed
        require_fit(model, state, filename, backbone_only=training)
        _load_checkpoint_to_model(model, checkpoint, strict, revise_keys=revise_keys)
        if hasattr(model, 'reset_target') and not any('target_' in key for key in state):
            model.reset_target()  # weights of the online encoder alone: the target follows
        self._has_loaded = True
        self.logger.info(f'loaded {filename}')
        return checkpoint

    def _will_resume(self) -> bool:
        return bool(self._resume and (self._load_from or checkpoints_newest_first(self.work_dir)))

    def load_or_resume(self) -> None:
        """Load or resume; ``resume=True`` takes the newest checkpoint that can be read."""
        if self._has_loaded or not self._resume or self._load_from is not None:
            super().load_or_resume()
            return
        candidates = checkpoints_newest_first(self.work_dir)
        if not candidates:
            config = self.cfg.filename or self.work_dir
            self.logger.warning(nothing_to_resume(self.work_dir, config))
            return
        for candidate in candidates:
            try:
                self.resume(str(candidate))
            except (UnreadableCheckpoint, FileNotFoundError) as error:
                self.logger.warning(f'{error}; trying the checkpoint before it')
            else:
                return
        raise CheckpointError(
            f'no checkpoint in {self.work_dir} can be read '
            f'({", ".join(path.name for path in candidates)}); start without --resume'
        )

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | Callable = 'default',
    ) -> None:
        """Go on from a checkpoint; see MMEngine for the arguments.

        Raises:
            CheckpointError: The file is damaged, lacks the optimiser, or is of another model.
        """
        self.resumed, self.resumed_from = True, str(filename)
        seed = self.seed
        try:
            super().resume(filename, resume_optimizer, resume_param_scheduler, 'cpu')
        except BaseException:
            self.resumed, self.resumed_from = False, None
            raise
        if self.seed != seed:  # a random one: the data were shuffled with it before it was known
            loop = self.train_loop
            self._train_loop = self.build_train_loop(self.cfg.train_cfg)
            self._train_loop._epoch, self._train_loop._iter = loop._epoch, loop._iter


def _starts_at_random(model: nn.Module) -> bool:
    backbone = getattr(model, 'backbone', None)
    if backbone is None or getattr(backbone, 'pretrained', False):  # timm's own weights
        return False
    return 'Pretrained' not in str(getattr(backbone, 'init_cfg', None))
