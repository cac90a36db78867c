-- The members of a representation, in order.
INSERT INTO representation_member (representation_id, position, encoder_id)
SELECT $1::bigint, position, encoder_id FROM unnest($2::bigint[]) WITH ORDINALITY AS a(encoder_id, position)
ON CONFLICT DO NOTHING;
