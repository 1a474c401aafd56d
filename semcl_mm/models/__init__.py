"""Pretraining algorithms on mmpretrain's ``BaseSelfSupervisor``, and their heads and backbones.

Signatures a config needs::

    SemCL(backbone, projector, predictor, loss, symmetric=True, data_preprocessor=None,
          stop_grad_conv1=False, batch_views='auto', init_cfg=None)
    MLPHead(in_channels, hidden_channels=4096, out_channels=256, num_layers=2, last_norm=True)
        ResNet: projector (num_layers=2), predictor (256, last_norm=False)
        Swin: projector (num_layers=3), predictor (256)
    TimmBackbone(model_name, out_indices=None, pretrained=False, norm=True, init_cfg=None, **timm)
    UnpairedInfoNCELoss(temperature=0.2, pairing='cyclic'), for ``loss``, as PairedInfoNCELoss

In pretraining a backbone returns what the loss uses: ``out_indices=(3,)`` for mmpretrain's
ResNet and Swin, ``(-1,)`` for timm. Layers without a gradient stop DDP.
"""

from . import registered_losses
from .momentum import MomentumEncoder
from .pair_preprocessor import PairDataPreprocessor
from .projectors import MLPHead
from .semcl import SemCL
from .timm_backbone import TimmBackbone
from .unpaired import UnpairedInfoNCELoss
from .view_preprocessor import ViewBatch, ViewDataPreprocessor

__all__ = [
    'MLPHead',
    'MomentumEncoder',
    'PairDataPreprocessor',
    'SemCL',
    'TimmBackbone',
    'UnpairedInfoNCELoss',
    'ViewBatch',
    'ViewDataPreprocessor',
    'registered_losses',
]
