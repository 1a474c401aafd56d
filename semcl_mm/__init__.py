"""Contrastive pretraining for dense prediction, as plugins for the OpenMMLab engine.

``semcl_mm.losses`` and ``semcl_mm.memory`` need torch alone; everything else builds on MMEngine.
Importing the package itself loads neither.
"""

__version__ = '0.1.0'
