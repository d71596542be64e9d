"""Files of raw tables: Parquet or CSV, one or a folder of them, each value as it stands there."""
