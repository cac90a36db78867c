-- The ranking of sweep $1 over its target. Predictions are on the policy's normalised scale; measured values are per cent.
SELECT rank, representation, round(predicted::numeric, 4) AS predicted, round(predicted_sd::numeric, 4) AS sd,
       round(measured_percent::numeric, 2) AS "measured %", CASE WHEN is_measured THEN 'measured' ELSE 'predicted' END AS known
FROM ranking
WHERE sweep = $1::text AND benchmark = 'target'
ORDER BY rank, representation
