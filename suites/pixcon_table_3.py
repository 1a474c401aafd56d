"""PixCon (WACV 2024), Table 3: COCO.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixcon_table_3.py --slurm PARTITION
"""

paper = 'PixCon-supp'
table = '3'
gpus = 'recipe'
seeds = range(3)  # as many runs as the paper averages (caption of Table 7)
