"""Pretraining algorithms on mmpretrain's ``BaseSelfSupervisor``, and their heads and backbones.

Signatures a config needs::

    SemCL(backbone, projector, predictor, loss, symmetric=True, data_preprocessor=None,
          stop_grad_conv1=False, batch_views='auto', init_cfg=None)
    MLPHead(in_channels, hidden_channels=4096, out_channels=256, num_layers=2, last_norm=True)
        ResNet: projector (num_layers=2), predictor (256, last_norm=False)
        Swin: projector (num_layers=3), predictor (256)
    LocalToGlobal(backbone, projector, loss, symmetric=True, gather=False, data_preprocessor=None)
    TokenMLP(in_channels, hidden_channels=2048, out_channels=256, num_layers=3)
    CACL(backbone, head, heads=('global', 'pixel', 'cycle'), queue_size=16384, temperature=0.07, …)
    DenseMLPHead(in_channels, hidden_channels=0, out_channels=128, norm_cfg=None), cell by cell
    MoCo(backbone, projector, predictor=None, queue_size=65536, temperature=0.2, symmetric=False, …)
    DenseCL(backbone, projector, dense_projector, …, dense_weight=0.5)
    PixCon(…, match='similarity' | 'roi_align' | 'nearest', reweight=False, mask='floor')
    TimmBackbone(model_name, out_indices=None, pretrained=False, norm=True, init_cfg=None, **timm)
    UnpairedInfoNCELoss(temperature=0.2, pairing='cyclic'), for ``loss``, as PairedInfoNCELoss

In pretraining a backbone returns what the loss uses: ``out_indices=(3,)`` for mmpretrain's
ResNet and Swin, ``(-1,)`` for timm. Layers without a gradient stop DDP.
"""

from . import registered_losses
from .cacl import CACL
from .dense_heads import DenseMLPHead
from .densecl import DenseCL
from .local_to_global import LocalToGlobal
from .moco import MoCo
from .momentum import MomentumEncoder
from .pair_preprocessor import PairDataPreprocessor
from .pixcon import PixCon
from .projectors import MLPHead
from .semcl import SemCL
from .timm_backbone import TimmBackbone
from .token_mlp import TokenMLP
from .unpaired import UnpairedInfoNCELoss
from .view_preprocessor import ViewBatch, ViewDataPreprocessor

__all__ = [
    'CACL',
    'DenseCL',
    'DenseMLPHead',
    'LocalToGlobal',
    'MLPHead',
    'MoCo',
    'MomentumEncoder',
    'PairDataPreprocessor',
    'PixCon',
    'SemCL',
    'TimmBackbone',
    'TokenMLP',
    'UnpairedInfoNCELoss',
    'ViewBatch',
    'ViewDataPreprocessor',
    'registered_losses',
]
