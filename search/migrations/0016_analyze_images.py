"""Weigh the indexes of the bands of perceptual hashes, of which the planner knows nothing until the table is analysed.

A site that had its pictures before those indexes looked through all of them for each search: 39 ms instead of 2 among
66,000. Rows of pages are counted anew only once many have changed.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("search", "0015_lease_holder")]
    operations = [migrations.RunSQL("ANALYZE search_image", migrations.RunSQL.noop)]
