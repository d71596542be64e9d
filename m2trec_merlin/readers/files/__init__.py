"""Read files of raw tables, Parquet or CSV, single or in folders, with unchanged values."""
