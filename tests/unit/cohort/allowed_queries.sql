-- One ordinary question a line; every one must be answered.
SELECT 1
SELECT count(*) FROM patients
SELECT * FROM overview LIMIT 5
FROM overview SELECT patient, lvef_pct WHERE lvef_pct < 55 ORDER BY lvef_pct
TABLE runs
VALUES (1, 'a'), (2, 'b')
SELECT sex, count(*), avg(age_years), stddev(lvef_pct) FROM overview GROUP BY sex
SELECT width_bucket FROM (SELECT floor(age_years / 10) * 10 AS width_bucket FROM patients)
SELECT quantile_cont(lvef_pct, [0.05, 0.5, 0.95]) FROM overview
SELECT corr(lvedv_ml, lvm_g), regr_slope(lvedv_ml, lvm_g) FROM overview
SELECT * FROM overview WHERE has_ecg AND has_cmr AND split = 'test'
SELECT DISTINCT quality FROM recordings
SELECT code, severity, count(*) FROM findings GROUP BY ALL ORDER BY 3 DESC
SELECT r.patient, f.code FROM recordings r, unnest(r.findings) t(f)
SELECT patient, findings[1].message FROM recordings WHERE len(findings) > 0
SELECT * FROM prediction_errors WHERE NOT is_covered
SELECT name, avg(abs(error)), avg(is_covered::INTEGER) FROM prediction_errors GROUP BY name
SELECT * FROM prediction_provenance WHERE patient = 'sim-000003'
SELECT * FROM regression_results
SELECT * FROM retrieval_results
SELECT * FROM split_counts ORDER BY ALL
SELECT * FROM rejection_reasons
SELECT * FROM latest_run
SELECT run, json_extract(config_json, '$.sigma') FROM runs
SELECT hash, settings_json->>'$.wavelet' FROM preprocessing
SELECT * FROM out_of_distribution WHERE is_flagged
SELECT * FROM knn('sim-000003', 5)
SELECT * FROM knn('sim-000003', 5, 'cmr-ecg')
SELECT * FROM knn('sim-000003', 5, 'ecg-ecg', 'align-1')
SELECT * FROM knn('sim-000003', k := 5)
SELECT n.rank, n.similarity, o.sex, o.lvef_pct FROM knn('sim-000003', 20) n JOIN overview o USING (patient, visit) WHERE o.sex = 'F' ORDER BY n.rank
SELECT avg(o.lvef_pct), quantile_cont(o.lvef_pct, 0.1) FROM knn('sim-000003', 25) JOIN overview o USING (patient, visit)
SELECT a.patient FROM knn('sim-000003', 10) a JOIN knn('sim-000004', 10) b USING (patient)
WITH near AS (SELECT * FROM knn('sim-000003', 10)) SELECT count(*) FROM near
SELECT array_cosine_similarity(a.vector, b.vector) FROM embeddings_24 a, embeddings_24 b WHERE a.patient = 'sim-000001' AND b.patient = 'sim-000002' AND a.modality = 'ecg' AND b.modality = 'ecg'
SELECT run, modality, space, dim, num_vectors FROM embedding_sets
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n) FROM t
SELECT patient, lvef_pct, rank() OVER (PARTITION BY sex ORDER BY lvef_pct) FROM overview
SELECT patient, lvef_pct - avg(lvef_pct) OVER () AS d FROM overview QUALIFY abs(d) > 1
SELECT * FROM (PIVOT phenotypes ON name IN ('lvef_pct', 'lvm_g') USING first(value) GROUP BY patient) LIMIT 3
SELECT * FROM (UNPIVOT (SELECT patient, lvef_pct, lvm_g FROM overview) ON lvef_pct, lvm_g)
SELECT * EXCLUDE (patient) FROM overview LIMIT 1
SELECT COLUMNS('lv.*') FROM overview LIMIT 1
SELECT * FROM overview USING SAMPLE 5
SELECT * FROM range(5) r(i), generate_series(1, 3) g(j)
SELECT list_transform([1, 2, 3], lambda x: x * 2), {'a': 1}.a, map {'k': 1}
SELECT CASE WHEN lvef_pct < 50 THEN 'reduced' ELSE 'preserved' END AS class, count(*) FROM overview GROUP BY class
SELECT patient FROM overview o WHERE EXISTS (SELECT 1 FROM predictions p WHERE p.patient = o.patient)
SELECT patient FROM patients EXCEPT SELECT patient FROM shards
SELECT regexp_extract(patient, '(\d+)', 1)::INTEGER AS number FROM patients ORDER BY 1 LIMIT 3
SELECT DATE '2024-02-29' + INTERVAL 1 YEAR, now() > TIMESTAMP '2000-01-01', current_date IS NOT NULL
DESCRIBE overview
SUMMARIZE overview
SELECT * FROM store.patients p SEMI JOIN main.shards s USING (patient)
SELECT o.patient, m.mean FROM overview o, LATERAL (SELECT avg(value) AS mean FROM phenotypes p WHERE p.patient = o.patient) m
SELECT 'it''s; a "string" -- not a comment' AS text -- a comment
SELECT histogram(floor(age_years)) FROM patients
SELECT patient AS "user name" FROM patients LIMIT 1
