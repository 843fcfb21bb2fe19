-- Small facts that a restart must not lose and that have no table of their own.
-- value is sealed with the system key where the name says that it is secret.
CREATE TABLE state (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT;
