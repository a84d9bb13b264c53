"""An encoder that gives no vectors for whatever picture embeds nothing until somebody has looked after it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("search", "0018_clocks")]

    operations = [
        migrations.AddField(
            model_name="encoder",
            name="fault",
            field=models.TextField(blank=True, default="", editable=False),
            preserve_default=False,
        ),
    ]
