"""Who is who: keyed pseudonyms, identifiers kept on request, people who were erased."""
