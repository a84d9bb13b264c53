"""What ends an import before its end, for a reason that its user can do something about."""


class CannotImport(Exception):
    """The request makes no sense, or nothing can carry it out. The message says what to do."""


class DatasetDeleted(CannotImport):
    """Somebody has deleted the dataset that an import goes to."""

    def __init__(self) -> None:
        super().__init__("The dataset was deleted meanwhile.")


class ImportCancelled(CannotImport):
    """Somebody has stopped the import on its page."""

    def __init__(self) -> None:
        super().__init__("Stopped on request. What was read stays: import again to go on.")
