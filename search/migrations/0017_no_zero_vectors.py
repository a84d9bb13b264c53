"""Vectors without a direction are refused where directions are compared: no index finds them, nor could they be ranked."""

from django.db import migrations

_FUNCTION = """
CREATE FUNCTION search_refuse_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    SELECT count(*) INTO n FROM added JOIN search_encoder encoder ON encoder.id = added.encoder_id
    WHERE encoder.distance = 'cosine' AND l2_norm(added.vector) = 0;
    IF n > 0 THEN
        RAISE check_violation USING MESSAGE = format('%s vectors have no direction, by which their encoder compares', n);
    END IF;
    RETURN NULL;
END $$;
"""
_TRIGGERS = """
CREATE TRIGGER embedding_refuse_zero_added AFTER INSERT ON search_embedding
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION search_refuse_zero();
CREATE TRIGGER embedding_refuse_zero_changed AFTER UPDATE ON search_embedding
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION search_refuse_zero();
"""


class Migration(migrations.Migration):
    dependencies = [("search", "0016_analyze_images")]

    operations = [migrations.RunSQL(_FUNCTION + _TRIGGERS, "DROP FUNCTION search_refuse_zero CASCADE;")]
