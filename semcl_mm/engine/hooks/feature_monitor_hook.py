"""Watch during a pretraining what its features are worth."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import DATASETS

from semcl_mm.analysis.labelled_features import FeatureReader, ImageFeatures, collect_bank
from semcl_mm.analysis.light_protocols import PROTOCOLS, judge
from semcl_mm.distributed import rank
from semcl_mm.engine.data_paths import require_data_paths
from semcl_mm.engine.undisturbed import undisturbed
from semcl_mm.registry import HOOKS

__all__ = ['FeatureMonitorHook']


@HOOKS.register_module()
class FeatureMonitorHook(Hook):
    """Online kNN, an online linear probe and collapse metrics, from a few labelled images.

    Before the first iteration, every ``interval`` iterations and after the last one, labelled
    images go through the backbone in evaluation mode, and
    :func:`~semcl_mm.analysis.light_protocols.judge` says what their features are worth. The
    numbers stand in the log as ``monitor/knn_mIoU`` and so on. No label reaches the pretraining:
    the run is bit for bit the run without this hook, see
    :func:`~semcl_mm.engine.undisturbed.undisturbed`; the images are read in this process, apart
    from the loader of the training. There is no state: the probe is fitted anew each time (its
    solution does not depend on the start), so that a resumed run shows the same numbers.

    The first process measures, on its own weights; the others wait for it at their next step.

    Args:
        train: Config of a segmentation data set with a test pipeline: what is compared with.
        val: The same of the images that are classified.
        interval: Iterations between two measurements.
        protocols: Of ``'knn'`` and ``'linear'``.
        train_images: Evenly spaced images of ``train``; 0 takes all of them.
        val_images: Likewise.
        cells_per_image: At most so many random cells of a training image are compared with.
        neighbours: k of kNN.
        temperature: Of its votes.
        encoder: Which module of the model is looked at: ``'backbone'``, ``'target_backbone'``.
        stage: Which output of a backbone with several.

    Raises:
        ValueError: An argument is out of range; at the start of training: the model has no such
            encoder.
        FileNotFoundError: At the start of training: a path of the data sets does not exist.
    """

    priority = 'NORMAL'  # before the logger; custom hooks of this priority follow their order

    def __init__(
        self,
        train: Mapping,
        val: Mapping,
        interval: int = 1000,
        protocols: Sequence[str] = PROTOCOLS,
        train_images: int = 128,
        val_images: int = 64,
        cells_per_image: int = 64,
        neighbours: int = 20,
        temperature: float = 0.07,
        encoder: str = 'backbone',
        stage: int = -1,
    ) -> None:
        numbers = dict(interval=interval, cells_per_image=cells_per_image, neighbours=neighbours)
        for name, value in numbers.items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        if min(train_images, val_images) < 0 or temperature <= 0:
            raise ValueError(
                f'train_images {train_images} and val_images {val_images} must not be negative, '
                f'temperature {temperature} must be positive'
            )
        if not protocols or set(protocols) - set(PROTOCOLS):
            raise ValueError(f'protocols must be of {PROTOCOLS}, got {tuple(protocols)}')
        self.data = {'train': train, 'val': val}
        self.images = {'train': train_images, 'val': val_images}
        self.interval, self.protocols, self.cells_per_image = interval, protocols, cells_per_image
        self.neighbours, self.temperature = neighbours, temperature
        self.encoder, self.stage = encoder, stage

    def before_train(self, runner: Any) -> None:
        """Open the data sets, and measure where the training begins."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self._backbone = getattr(model, self.encoder, None)
        if self._backbone is None:
            raise ValueError(
                f'FeatureMonitorHook: {type(model).__name__} has no {self.encoder!r} to look at'
            )
        if rank() != 0:
            return
        with undisturbed(self._backbone):  # data sets may draw, too
            self._data_sets = {name: _opened(name, cfg) for name, cfg in self.data.items()}
        if runner.iter == 0:
            self._measure(runner, done=0)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Measure where it is time to."""
        if rank() == 0 and (
            self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner)
        ):
            self._measure(runner, done=runner.iter + 1)

    def _measure(self, runner: Any, done: int) -> None:
        with undisturbed(self._backbone) as backbone:
            classes = len(self._data_sets['train'].metainfo['classes'])
            reader = FeatureReader(backbone, classes, self.stage)
            bank = collect_bank(self._features(reader, 'train'), self.cells_per_image)
            metrics = judge(
                bank,
                self._features(reader, 'val'),
                self.protocols,
                self.neighbours,
                self.temperature,
            )
        for name, value in metrics.items():
            runner.message_hub.update_scalar(f'train/monitor/{name}', value)
        text = ', '.join(f'{name} {value:.4g}' for name, value in metrics.items())
        runner.logger.info(f'features after {done} iterations: {text}')

    def _features(self, reader: FeatureReader, name: str) -> Iterator[ImageFeatures]:
        data_set, wanted = self._data_sets[name], self.images[name]
        count = min(wanted or len(data_set), len(data_set))
        for number in range(count):
            yield reader(data_set[number * len(data_set) // count])


def _opened(name: str, config: Mapping) -> Any:
    if not isinstance(config, Mapping):
        return config
    require_data_paths(config, f'FeatureMonitorHook.{name}')
    return DATASETS.build(config)
