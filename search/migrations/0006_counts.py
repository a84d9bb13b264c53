"""Vectors are counted as they come and go."""

from django.db import migrations, models

_FUNCTIONS = """
CREATE FUNCTION search_count_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO search_embeddingcount (encoder_id, dataset_id, n)
    SELECT encoder_id, dataset_id, count(*) FROM added GROUP BY encoder_id, dataset_id;
    RETURN NULL;
END $$;
CREATE FUNCTION search_count_removed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO search_embeddingcount (encoder_id, dataset_id, n)
    SELECT encoder_id, dataset_id, -count(*) FROM removed GROUP BY encoder_id, dataset_id;
    RETURN NULL;
END $$;
CREATE FUNCTION search_count_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO search_embeddingcount (encoder_id, dataset_id, n)
    SELECT encoder_id, dataset_id, sum(change) FROM (
        SELECT encoder_id, dataset_id, 1 AS change FROM added
        UNION ALL SELECT encoder_id, dataset_id, -1 FROM removed) changes
    GROUP BY encoder_id, dataset_id HAVING sum(change) <> 0;
    RETURN NULL;
END $$;
CREATE FUNCTION search_count_emptied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM search_embeddingcount;
    RETURN NULL;
END $$;
"""
_TRIGGERS = """
CREATE TRIGGER embedding_count_added AFTER INSERT ON search_embedding
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION search_count_added();
CREATE TRIGGER embedding_count_removed AFTER DELETE ON search_embedding
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION search_count_removed();
CREATE TRIGGER embedding_count_moved AFTER UPDATE ON search_embedding
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION search_count_moved();
CREATE TRIGGER embedding_count_emptied AFTER TRUNCATE ON search_embedding
    FOR EACH STATEMENT EXECUTE FUNCTION search_count_emptied();
"""
# The triggers first: they lock the table, so that nobody adds a vector between them and the count.
_COUNT = """
INSERT INTO search_embeddingcount (encoder_id, dataset_id, n)
SELECT encoder_id, dataset_id, count(*) FROM search_embedding GROUP BY encoder_id, dataset_id;
"""
_UNDO = """
DROP FUNCTION search_count_added, search_count_removed, search_count_moved, search_count_emptied CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("search", "0005_names")]

    operations = [
        migrations.CreateModel(
            name="EmbeddingCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("encoder_id", models.BigIntegerField()),
                ("dataset_id", models.BigIntegerField()),
                ("n", models.BigIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["encoder_id", "dataset_id"], name="embedding_count")],
            },
        ),
        migrations.RunSQL(_FUNCTIONS + _TRIGGERS + _COUNT, _UNDO),
    ]
