"""Hearts of jobs beat by the clock of Postgres, and one that seems to stand still is given time to beat."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("search", "0017_no_zero_vectors")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="given_until",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(model_name="job", name="heartbeat_at", field=models.DateTimeField(db_default=Now())),
    ]
