"""How PixCon's tables call the pretrainings of this tree, by the name of the config."""

pixcon_methods = {
    'pixcon-sim_r50_coco': 'PixCon-Sim',
    'pixcon-coord_r50_coco': 'PixCon-Coord',
    'pixcon-sr_r50_coco': 'PixCon-SR',
    'byol_r50_coco': 'BYOL',
    'moco-v2-plus_r50_coco': 'MoCo-v2+',
}
