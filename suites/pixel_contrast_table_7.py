"""Cross-image pixel contrast (ICCV 2021), Table 7: COCO-Stuff.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixel_contrast_table_7.py --slurm PARTITION
"""

paper = 'PixelContrast'
table = '7'
gpus = 'recipe'
starts = {'ocr-hrnet-w48': 'checkpoints/hrnetv2_w48_imagenet_pretrained.pth'}
