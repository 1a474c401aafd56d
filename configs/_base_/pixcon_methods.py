"""How PixCon's tables call the pretrainings of this tree, by the name of the config."""

pixcon_methods = {
    'pixcon-sim_r50_coco': 'PixCon-Sim',
    'pixcon-coord_r50_coco': 'PixCon-Coord',
    'pixcon-sr_r50_coco': 'PixCon-SR',
    'byol_r50_coco': 'BYOL',
    'moco-v2-plus_r50_coco': 'MoCo-v2+',
}
# The same downstream runs are rows of Table 4 (the way from DenseCL to PixCon-Sim) and of Table 7.
_steps = {
    'densecl_r50_coco': 'base',
    'densecl-syncbn_r50_coco': '+SyncBN',
    'densecl-asym_r50_coco': '+AsymPredictor',
    'densecl-ascending_r50_coco': '+MomentumAscending',
    'densecl-symmetric_r50_coco': '+SymmetricLoss',
    'pixcon-sim_r50_coco': '+BYOLAug(=PixCon-Sim)',
    'pixcon-sim-one-way_r50_coco': '-SymmetricLoss',
}
pixcon_steps = [
    dict(table='4', models={stem: 'DenseCL'}, variant=variant) for stem, variant in _steps.items()
]
pixcon_sets = [
    dict(table='7', models={'pixcon-sr_r50_coco': 'PixCon-SR'}, variant='COCO'),
    dict(table='7', models={'pixcon-sr_r50_coco-plus': 'PixCon-SR'}, variant='COCO+'),
]
