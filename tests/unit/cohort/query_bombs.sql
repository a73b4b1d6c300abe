-- One statement a line that would take very long or very much memory.
SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3
SELECT sum(a.range + b.range + c.range) FROM range(100000) a, range(100000) b, range(100000) c
SELECT levenshtein(repeat('ab', 200000), repeat('ba', 200000))
SELECT damerau_levenshtein(repeat('ab', 20000), repeat('ba', 20000)) FROM range(1000)
SELECT jaro_winkler_similarity(repeat('ab', 300000), repeat('ba', 300000)) FROM range(1000)
SELECT jaccard(repeat('abc', 10000000), repeat('cba', 10000000)) FROM range(1000)
SELECT len(repeat('x', 1000000000))
SELECT len(repeat(repeat('x', 100000000), 100))
SELECT len(lpad('x', 2000000000, 'y'))
SELECT len(rpad('x', 2000000000, 'y'))
SELECT len(printf('%2000000000d', 1))
SELECT len(format('{:2000000000d}', 1))
SELECT len(range(1000000000))
SELECT len(list_sort(range(200000000)))
SELECT list_aggregate(range(500000000), 'sum')
SELECT len(list_transform(range(300000000), lambda x: x * 2))
SELECT len(list_filter(range(300000000), lambda x: x % 2 = 0))
SELECT list_reduce(range(100000000), lambda a, b: a + b)
SELECT len(list_distinct(range(200000000)))
SELECT list_cosine_similarity(range(200000000)::FLOAT[], range(200000000)::FLOAT[])
SELECT len(string_split(repeat('a,', 200000000), ','))
SELECT len(regexp_extract_all(repeat('ab', 50000000), '(a|b)'))
SELECT len(regexp_replace(repeat('ab', 100000000), 'a', 'bbbbbbbbbb', 'g'))
SELECT regexp_matches(repeat('a', 10000000), '(a+)+$') FROM range(10000)
SELECT len(string_agg(range::VARCHAR, ',')) FROM range(2000000000)
SELECT len(list(range)) FROM range(2000000000)
SELECT count(*) FROM (SELECT range AS a FROM range(2000000000) ORDER BY hash(range))
SELECT count(DISTINCT hash(range)) FROM range(4000000000)
SELECT count(*) FROM (SELECT hash(range) h, count(*) FROM range(2000000000) GROUP BY h)
SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY hash(range)) r FROM range(1000000000))
SELECT median(hash(range)) FROM range(2000000000)
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t
WITH RECURSIVE t(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM t) SELECT max(len(s)) FROM t
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + u FROM t, range(10) r(u)) SELECT count(*) FROM t
SELECT * FROM generate_series(1, 100000000000)
SELECT count(*) FROM overview a, overview b, overview c, overview d, overview e, overview f
SELECT count(*) FROM (SELECT unnest(range(1000000)) FROM range(1000000))
SELECT len(array_to_string(range(200000000), ','))
SELECT histogram(hash(range)) FROM range(1000000000)
SELECT approx_quantile(range, 0.5), sum(sin(range) * cos(range)) FROM range(1000000000000)
SELECT len(to_json(range(200000000))::VARCHAR)
SELECT len(base64(repeat('x', 1000000000)::BLOB))
SELECT md5(repeat('x', 1500000000)), sha256(repeat('x', 1500000000))
SELECT factorial(20) * count(*) FROM range(100000) a JOIN range(100000) b ON a.range < b.range JOIN range(1000) c ON true
SELECT bit_count(repeat('1', 2000000000)::BITSTRING)
SELECT 9 ** 9 ** 9 ** 9, count(*) FROM range(10000000000) WHERE sqrt(range) % 2 > 1
SELECT reduce(range(50000000), lambda a, b: hash(a || b)::BIGINT % 1000)
SELECT (SELECT sum(o.lvef_pct * r.range) FROM range(10000000000) r) FROM overview o
