"""The one error of the embedded servers."""


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot be started or does not answer; the message says what to do."""
