"""The one error of the demo."""


class DemoError(RuntimeError):
    """The demo cannot start or go on; the message says what to do."""
