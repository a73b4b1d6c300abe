"""Files of visits into the shards and the store: what preprocess, embed and the app share."""
