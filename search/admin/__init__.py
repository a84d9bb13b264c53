"""The admin: looking after the galleries."""

from django.contrib import admin
from django.utils.translation import gettext_lazy

from search.admin import duplicates, encoders, galleries, judgements, tokens, work

__all__ = ["duplicates", "encoders", "galleries", "judgements", "tokens", "work"]

admin.site.site_header = admin.site.site_title = "ImgSim"
admin.site.index_title = gettext_lazy("Look after the galleries")
