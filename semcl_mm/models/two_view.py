"""The base of methods that contrast two views of an image against queues of earlier images."""

from collections.abc import Sequence

import torch
from mmengine.model import ModuleDict
from torch import Tensor

from semcl_mm.memory import FeatureQueue

from .building import ModuleConfig, queue_type
from .momentum import Features, MomentumEncoder
from .shuffle_bn import shuffle_batch
from .view_preprocessor import ViewBatch

__all__ = ['Embedding', 'TwoViewEncoder']

Embedding = dict[str, Tensor]


class TwoViewEncoder(MomentumEncoder):
    """One view asks, the target encoder answers from the other, queues bring the negatives.

    A method writes :meth:`ask`, :meth:`answer` and :meth:`compare`, and adds its queues.

    Args:
        backbone: See :class:`MomentumEncoder`.
        projector: See :class:`MomentumEncoder`.
        predictor: See :class:`MomentumEncoder`.
        queue_size: Length of the queues.
        queue_dtype: How they are stored, ``'float32'``, ``'bfloat16'`` or ``'float16'``.
        symmetric: Let both views ask, and add the two losses (the sum, not the mean, as MoCo
            v2+ and PixCon do).
        shuffle_bn: Mix the processes' images before the target encoder (needs unsynchronised
            batch norms: ``sync_bn = None``). What comes back are all embeddings of the answer.
        data_preprocessor: Config of the data preprocessor, :class:`ViewDataPreprocessor`.
        batch_views: See :class:`MomentumEncoder`.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        backbone: ModuleConfig,
        projector: ModuleConfig | None = None,
        predictor: ModuleConfig | None = None,
        queue_size: int = 65536,
        queue_dtype: str = 'float32',
        symmetric: bool = False,
        shuffle_bn: bool = False,
        data_preprocessor: ModuleConfig | None = None,
        batch_views: bool | str = 'auto',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        options = dict(
            data_preprocessor=data_preprocessor, batch_views=batch_views, init_cfg=init_cfg
        )
        super().__init__(backbone, projector, predictor, **options)
        self.symmetric, self.shuffle_bn = symmetric, shuffle_bn
        self.queue_options = dict(size=queue_size, dtype=queue_type(queue_dtype))
        self.queues = ModuleDict()

    def add_queue(self, name: str, dim: int) -> None:
        """Keep the answers ``name`` of past steps: ``self.queues[name].features``, (size, dim)."""
        self.queues[name] = FeatureQueue(dim, **self.queue_options)

    def loss(
        self, inputs: Sequence[Tensor], data_samples: ViewBatch | None = None
    ) -> dict[str, Tensor]:
        """The losses of one or both directions.

        Args:
            inputs: Two views, (B, 3, H, W) each.
            data_samples: Boxes and flips of the views, for methods that match places.

        Returns:
            What :meth:`compare` gives: losses are added over the directions, monitors averaged.

        Raises:
            ValueError: There are not two views.
        """
        if len(inputs) != 2:
            raise ValueError(f'{type(self).__name__} takes two views, got {len(inputs)}')
        asking = (0, 1) if self.symmetric else (0,)
        features = self.encode_groups(self.backbone, [inputs[view] for view in asking])
        queries = [self.ask(feature) for feature in features]
        keys = self._keys([inputs[1 - view] for view in asking])
        halves = [
            self.compare(query, key, data_samples, view)
            for view, query, key in zip(asking, queries, keys, strict=True)
        ]
        # The coin is the CPU's generator's, which a checkpoint holds; no device is asked.
        enqueued = keys[int(torch.randint(len(keys), ()))]
        for name, queue in self.queues.items():
            queue.enqueue(enqueued[name])
        return {
            name: sum(half[name] for half in halves) / (1 if 'loss' in name else len(halves))
            for name in halves[0]
        }

    @torch.no_grad()
    def _keys(self, views: Sequence[Tensor]) -> list[Embedding]:
        if not self.shuffle_bn:
            return [self.answer(f) for f in self.encode_groups(self.target_backbone, views)]
        keys = []
        for view in views:
            batch = shuffle_batch(view)
            answers = self.answer(self.target_backbone(batch.images))
            keys.append({name: batch.restore(answer) for name, answer in answers.items()})
        return keys

    def ask(self, features: Features) -> Embedding:
        """The online encoder's embeddings of one view's features."""
        raise NotImplementedError

    def answer(self, features: Features) -> Embedding:
        """The target encoder's, without a gradient; (B, C) where a queue has that name."""
        raise NotImplementedError

    def compare(
        self, query: Embedding, key: Embedding, batch: ViewBatch | None, view: int
    ) -> dict[str, Tensor]:
        """The losses of one direction (their names contain "loss"), and monitors.

        Args:
            query: What :meth:`ask` made of view ``view``.
            key: What :meth:`answer` made of the other view.
            batch: Boxes and flips, where the data set gives them.
            view: 0 or 1.
        """
        raise NotImplementedError
