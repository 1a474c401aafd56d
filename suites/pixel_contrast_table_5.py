"""Cross-image pixel contrast (ICCV 2021), Table 5: Cityscapes test.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixel_contrast_table_5.py --slurm PARTITION
"""

paper = 'PixelContrast'
table = '5'
gpus = 'recipe'
starts = {
    'hrnet-w48': 'checkpoints/hrnetv2_w48_imagenet_pretrained.pth',
    'ocr-hrnet-w48': 'checkpoints/hrnetv2_w48_imagenet_pretrained.pth',
}
