"""Arms, statistics, leak checks, curation and the report: what may be claimed, and on which rows."""
