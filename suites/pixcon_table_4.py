"""PixCon (WACV 2024), Table 4: from DenseCL to PixCon-Sim.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixcon_table_4.py --slurm PARTITION
"""

paper = 'PixCon-supp'
table = '4'
gpus = 'recipe'
seeds = {'coco': range(3), 'voc12aug': range(5)}  # as the paper (caption of Table 7)
