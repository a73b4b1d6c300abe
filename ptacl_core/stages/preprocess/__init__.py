"""`ptacl preprocess`: files of any supported format into shards and the store."""
