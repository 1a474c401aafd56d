"""PixCon (WACV 2024), Table 1: detection on VOC.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixcon_table_1.py --slurm PARTITION
"""

paper = 'PixCon-supp'
table = '1'
gpus = 'recipe'
seeds = range(5)  # as many runs as the paper averages (caption of Table 7)
