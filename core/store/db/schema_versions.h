/* The statements of each version of the schema. */
#ifndef KITH_CORE_STORE_DB_SCHEMA_VERSIONS_H
#define KITH_CORE_STORE_DB_SCHEMA_VERSIONS_H

/* The first element makes version 1. Each is a list of statements that ends with NULL; `{sqlite|mariadb}` in them as in
 * db.h. */
enum { SCHEMA_NEWEST = 5 };
extern const char *const *const schema_versions[SCHEMA_NEWEST];
/* The table that holds the version of a database. */
extern const char schema_version_table[];

#endif
