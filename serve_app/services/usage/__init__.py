"""One meter for every surface: a journal on this machine's disk, and from there the books in Postgres."""
