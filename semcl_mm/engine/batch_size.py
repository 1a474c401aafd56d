"""Say which key makes a batch too small for batch norm; torch names a tensor's shape alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = ['batch_size_named']

_TOO_SMALL = 'Expected more than 1 value per channel when training'


@contextmanager
def batch_size_named(loader: Any) -> Iterator[None]:
    """Let torch's error of a batch norm that sees one value name the config key of the batch.

    Args:
        loader: Config of the loader of the training.

    Raises:
        ValueError: In place of torch's, which follows it as the cause.
    """
    try:
        yield
    except ValueError as error:
        if _TOO_SMALL not in str(error) or not isinstance(loader, Mapping):
            raise
        size = loader.get('batch_size')
        mend = 'set train_dataloader.drop_last=True, since the last batch of an epoch is smaller'
        if size == 1:
            mend = 'set it to 2 or more, or give the model a norm that needs no batch (norm_cfg)'
        raise ValueError(
            f'train_dataloader.batch_size={size}: a batch norm of the network sees one value per '
            f'channel and cannot train; {mend} ({error})'
        ) from error
