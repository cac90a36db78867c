-- The same for programs, with all digits.
SELECT rank, representation, predicted, predicted_sd, measured_percent, is_measured, round, members
FROM ranking
WHERE sweep = $1::text AND benchmark = 'target'
ORDER BY rank, representation
