-- What Grafana's PostgreSQL data source asks. A field that has to be in the answer follows `names`.

-- Whether the connection works.
SELECT 1;

-- Which version the server is of.
SELECT current_setting('server_version_num')::int/100 as version;

-- Whether it is TimescaleDB.
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';

-- Which schemas there are.
-- names public
SELECT schema_name AS "name"
    FROM information_schema.schemata
    WHERE schema_name NOT IN ('information_schema',
                              'pg_catalog',
                              'pg_toast',
                              '_timescaledb_cache',
                              '_timescaledb_catalog',
                              '_timescaledb_internal',
                              '_timescaledb_config',
                              'timescaledb_information',
                              'timescaledb_experimental')
    ORDER BY schema_name;

-- Which tables there are in a schema.
-- names sys_invocation
SELECT quote_ident(table_name) AS "table"
      FROM information_schema.tables
      WHERE quote_ident(table_schema) = 'public'
      ORDER BY 1;

-- Which tables there are, those in the search path first.
-- names sys_invocation
SELECT
    CASE WHEN
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      THEN quote_ident(table_name)
      ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
    END AS "table"
    FROM information_schema.tables
    WHERE quote_ident(table_schema) NOT IN ('information_schema',
                             'pg_catalog',
                             '_timescaledb_cache',
                             '_timescaledb_catalog',
                             '_timescaledb_internal',
                             '_timescaledb_config',
                             'timescaledb_information',
                             'timescaledb_experimental')
    ORDER BY CASE WHEN
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          ) THEN 0 ELSE 1 END, 1;

-- Which columns a table has, and of which types.
-- names target_service_name
-- names timestamp with time zone
SELECT quote_ident(column_name) AS "column", data_type AS "type"
    FROM information_schema.columns
    WHERE
      CASE WHEN array_length(parse_ident('sys_invocation'),1) = 2
        THEN quote_ident(table_schema) = (parse_ident('sys_invocation'))[1]
          AND quote_ident(table_name) = (parse_ident('sys_invocation'))[2]
        ELSE quote_ident(table_name) = 'sys_invocation'
          AND
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      END;

-- A time series, as the macros $__timeGroupAlias and $__timeFilter make it.
-- names completed
SELECT
  floor(extract(epoch from created_at)/60)*60 AS "time",
  status AS metric,
  count(*) AS "invocations"
FROM sys_invocation
WHERE created_at BETWEEN '2024-02-29T12:30:15Z' AND '2124-02-29T12:30:15Z'
GROUP BY 1, 2
ORDER BY 1, 2;

-- The same for a time column that is a number, as $__unixEpochGroup makes it.
-- names completed
SELECT
  floor((extract(epoch from created_at))/300)*300 AS "time",
  status AS metric,
  max(journal_bytes) AS "bytes"
FROM sys_invocation
WHERE extract(epoch from created_at) >= 1709209815 AND extract(epoch from created_at) <= 4865047815
GROUP BY 1, 2
ORDER BY 1, 2;
