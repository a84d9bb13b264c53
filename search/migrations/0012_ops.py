from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("search", "0011_duplicates"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="image",
            index=models.Index(condition=models.Q(("status", "refused")), fields=["error_code"], name="image_refused"),
        ),
    ]
