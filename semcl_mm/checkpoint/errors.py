"""What can go wrong between a file of weights and a backbone.

All of them are ``ValueError``: the file is the user's, and the message names it.
"""


class CheckpointError(ValueError):
    """A file of weights cannot be used; the message names the file and says what to do."""


class UnreadableCheckpoint(CheckpointError):
    """The file is empty, truncated, or no file of weights at all."""


class UnsafeCheckpoint(CheckpointError):
    """The file asks for a class or function that loading weights has no use for."""


class CheckpointMismatch(CheckpointError):
    """The file holds weights of another architecture.

    Attributes:
        report: The :class:`~semcl_mm.checkpoint.LoadReport` with every key, or None where no
            module was to be filled.
    """

    def __init__(self, message: str, report: object | None = None) -> None:
        super().__init__(message)
        self.report = report
