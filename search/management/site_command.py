"""What all commands of the site have in common: they begin at once."""

from django.core.management.base import BaseCommand


class SiteCommand(BaseCommand):
    """A command without system checks, which import all pages before it may begin.

    Whoever serves, migrates or asks for them (`manage.py check`) runs them. A command whose data is not as it should be
    says so by itself, and some are there to mend what a check would stop at.
    """

    requires_system_checks = ()
