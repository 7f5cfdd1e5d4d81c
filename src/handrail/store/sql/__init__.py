"""The tables of a store in SQL: statements and rows that SQLite and PostgreSQL share."""
