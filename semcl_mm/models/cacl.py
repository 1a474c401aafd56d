"""CACL: cycle attention between the frames of a video (Pang et al., AAAI 2022)."""

from collections.abc import Sequence

import torch
from mmengine.model import ModuleDict
from torch import Tensor

from semcl_mm.losses import cycle_attention, dense_info_nce, info_nce
from semcl_mm.losses.arguments import check_positive
from semcl_mm.memory import FeatureQueue
from semcl_mm.registry import MODELS

from .building import ModuleConfig, queue_type
from .frame_cells import draw_keys, embed_cells
from .frame_matches import HEADS, check_heads, cycle_ends, match_frames, share_in_place
from .momentum import MomentumEncoder
from .monitors import spread

__all__ = ['CACL']


@MODELS.register_module()
class CACL(MomentumEncoder):
    """Up to three heads on one backbone, each with a queue of its own; the sum of their losses.

    The first frame v goes through the online network, the other frame v+ through the momentum
    network, without a gradient. ``global``: InfoNCE of the mean embeddings (Eq. 3). ``pixel``:
    InfoNCE of each cell of v and a matched cell of v+ (Eq. 4). ``cycle``: the probability to jump
    to v+ and back, where the cells of other videos are further places to land on (Eq. 5-6).
    docs/cacl.md lists what the paper leaves open and how it is read here.

    Args:
        backbone: Config of the backbone; its last output is used. In the paper a ResNet of output
            stride 8 (``resnet50_os8.py``).
        head: Config of each head, e.g. :class:`DenseMLPHead`; it has an ``out_channels``.
        heads: Which of the heads there are (Table 1a).
        queue_size: Length of each queue.
        queue_dtype: How they are stored, ``'float32'``, ``'bfloat16'`` or ``'float16'``.
        temperature: That of all losses and of the soft cycle's target.
        match: Which cell of v+ is the positive of a cell of v (Table 1b): ``'global'``, ``'pixel'``
            or ``'position'``, see :func:`~semcl_mm.models.frame_matches.match_frames`.
        cycle_target: Where a cycle should end (Table 1c): ``'identity'``, ``'cross'`` or
            ``'self'``, see :func:`~semcl_mm.models.frame_matches.cycle_ends`.
        pixel_shuffle: Roll each image by random distances of its own (Eq. 7).
        queued_cells: Cells of each key frame that enter the queues of ``pixel`` and ``cycle``, at
            random; 0 enqueues their mean instead, as DenseCL does.
        shuffle_bn: Mix the processes' key frames before the momentum network.
        output_stride: Pixels of the image per cell of the backbone's output.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: An unknown option, or one that needs a head that is not there.
    """

    def __init__(
        self,
        backbone: ModuleConfig,
        head: dict,
        heads: Sequence[str] = HEADS,
        queue_size: int = 16384,
        queue_dtype: str = 'float32',
        temperature: float = 0.07,
        match: str = 'global',
        cycle_target: str = 'cross',
        pixel_shuffle: bool = True,
        queued_cells: int = 1,
        shuffle_bn: bool = True,
        output_stride: int = 8,
        data_preprocessor: ModuleConfig | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(backbone, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        check_heads(heads, match, cycle_target)
        check_positive(temperature=temperature, output_stride=output_stride)
        if queued_cells < 0:
            raise ValueError(f'queued_cells={queued_cells} must not be negative (0: the mean)')
        self.heads = ModuleDict({name: self.build(head) for name in heads})
        self.add_target('heads')
        queue = dict(size=queue_size, dtype=queue_type(queue_dtype))
        self.queues = ModuleDict(
            {name: FeatureQueue(part.out_channels, **queue) for name, part in self.heads.items()}
        )
        self.temperature, self.output_stride = temperature, output_stride
        self.match, self.cycle_target = match, cycle_target
        self.pixel_shuffle, self.shuffle_bn = pixel_shuffle, shuffle_bn
        self.queued_cells = queued_cells

    def loss(self, inputs: Sequence[Tensor], data_samples: object = None) -> dict[str, Tensor]:
        """The losses of the heads.

        Args:
            inputs: Frames v and v+, (B, 3, H, W) each; cut by the same box and flipped alike.
            data_samples: Not used.

        Returns:
            ``loss_global``, ``loss_pixel`` and ``loss_cycle``, of the heads that there are, and
            without gradient ``matched_in_place``, the share of cells whose match is the one in
            their position, and for each head ``global_std`` …, how far apart the cells of an
            image are (:func:`~semcl_mm.models.monitors.spread`): 0 is a collapse.

        Raises:
            ValueError: There are not two frames of one shape, or ``output_stride`` is wrong.
        """
        if len(inputs) != 2 or inputs[0].dim() != 4 or inputs[0].shape != inputs[1].shape:
            shapes = [tuple(frame.shape) for frame in inputs]
            raise ValueError(f'CACL takes two frames (B, 3, H, W) of one shape, got {shapes}')
        options = (self.output_stride, self.pixel_shuffle)
        here = embed_cells(self.backbone, self.heads, inputs[0], *options)
        with torch.no_grad():
            there = embed_cells(
                self.target_backbone, self.target_heads, inputs[1], *options, self.shuffle_bn
            )
        queues = {name: queue.features for name, queue in self.queues.items()}
        unit = dict(normalise_negatives=False)  # a queue holds unit vectors
        losses = {}
        if 'global' in here:
            means = here['global'].mean(dim=1), there['global'].mean(dim=1)
            losses['loss_global'] = info_nce(*means, queues['global'], self.temperature, **unit)
        if 'pixel' in here:
            match = match_frames(here, there, self.match)
            losses['loss_pixel'] = dense_info_nce(
                here['pixel'], there['pixel'], match, queues['pixel'], self.temperature, **unit
            )
            losses['matched_in_place'] = share_in_place(match)
        if 'cycle' in here:
            ends = cycle_ends(here, there, self.cycle_target, self.temperature)
            losses['loss_cycle'] = cycle_attention(
                here['cycle'], there['cycle'], self.temperature, queues['cycle'], ends, **unit
            )
        for name, cells in there.items():
            keys = draw_keys(cells, 0 if name == 'global' else self.queued_cells)
            self.queues[name].enqueue(keys)
        return losses | {f'{name}_std': spread(cells, dim=1) for name, cells in here.items()}
