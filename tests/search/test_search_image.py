"""Searching from the command line: what was typed wrongly is told in one line."""

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.usefixtures("encoder")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("~nosuchuser/x.jpg", r"^~nosuchuser/x\.jpg: there is no user of that name, or no home\.$"),
        ("x" * 300, r"x: The file cannot be read: File name too long\.$"),
        ("nowhere.jpg", r"^nowhere\.jpg: The file cannot be read: No such file or directory\.$"),
    ],
)
def test_a_picture_that_cannot_be_read_is_an_error_of_one_line(file: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("search_image", file)
