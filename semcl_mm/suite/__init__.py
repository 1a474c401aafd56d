"""A whole table with one command: checkpoints x downstream configs x seeds, run and tabulated."""
